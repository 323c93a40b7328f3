#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/store/master/slow_answers.hpp>
#include <mooncake/store/master_link.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace mooncake::store::detail {

/// What an `EmbeddedMaster` does beside its handlers: brings them messages, lends them memory, and fences it.
template <class M = Handlers> // so that it is compiled where it is used
class EmbeddedLink {
  public:
    static constexpr bool in_process = true;

    struct Lent {
        std::uint64_t capacity;
        std::uint64_t least_capacity;
        PageKind pages;
        MasterLimits limits;
    };

    EmbeddedLink(std::unique_ptr<M> handlers, const Lent& lent);

    /// Registers the capacity as an arena of `engine` and lends all of it.
    /// Errors: `out_of_memory`, `invalid_argument`.
    template <class Engine>
    Task<void> attach(Engine& engine);

    template <RpcRequest Message>
    Task<typename Message::Reply> call(const Message& message, Deadline deadline);

    [[nodiscard]] MasterLimits limits() const { return lent_.limits; }
    asio::awaitable<void> close();

  protected:
    [[nodiscard]] M& handlers() noexcept { return *handlers_; }

  private:
    template <class Message>
    Result<typename Message::Reply> answer_now(const Message& message, Deadline deadline);
    template <class Reply>
    static Task<Reply> answered(Result<Reply> reply) {
        co_return std::move(reply);
    }
    void fence();

    const Lent lent_;
    const std::unique_ptr<M> handlers_;
    Heartbeat beat_;
    std::function<bool(const FencedExtent&)> fence_;
};

template <class M>
EmbeddedLink<M>::EmbeddedLink(std::unique_ptr<M> handlers, const Lent& lent)
    : lent_(lent), handlers_(std::move(handlers)) {}

template <class M>
template <class Engine>
Task<void> EmbeddedLink<M>::attach(Engine& engine) {
    if (lent_.capacity < lent_.least_capacity)
        co_return Error(Errc::invalid_argument, "EmbeddedMasterConfig::capacity is " + std::to_string(lent_.capacity) +
                                                    "; give at least " + std::to_string(lent_.least_capacity));
    auto arena = Arena::create(
        {.bytes = lent_.capacity, .pages = lent_.pages, .sharing = ArenaSharing::process, .name = "mooncake-store"});
    if (!arena) co_return arena.error();
    const auto region = co_await engine.register_arena(std::move(*arena), Rights::read_write, KeySharing::secret);
    if (!region) co_return region.error();
    const auto& pin = *region;
    auto mount = SegmentMount{.name = engine.name(),
                              .generation = engine.generation(),
                              .endpoint = engine.locator(),
                              .host = {},
                              .offset = pin->offset,
                              .bytes = lent_.capacity,
                              .read_key = pin->keys.read,
                              .write_key = pin->keys.write,
                              .fencing = Fencing::by_owner};
    const auto mounted = handlers_->handle(mount);
    if (!mounted) co_return mounted.error();
    beat_ = {.segment = mounted->segment, .generation = engine.generation()};
    fence_ = [&engine](const FencedExtent& extent) { return engine.fence(extent.offset, extent.bytes, extent.epoch); };
    co_return ok;
}

template <class M>
template <RpcRequest Message>
Task<typename Message::Reply> EmbeddedLink<M>::call(const Message& message, Deadline deadline) {
    if constexpr (std::same_as<Message, WaitFor>) return wait_for(*handlers_, message, deadline);
    else if constexpr (std::same_as<Message, Events>) return events(*handlers_, message, deadline);
    else if constexpr (std::same_as<Message, List> || std::same_as<Message, RemoveMatching>)
        return in_steps(*handlers_, message, deadline);
    else return answered<typename Message::Reply>(answer_now(message, deadline));
}

template <class M>
asio::awaitable<void> EmbeddedLink<M>::close() {
    co_return;
}

template <class M>
template <class Message>
Result<typename Message::Reply> EmbeddedLink<M>::answer_now(const Message& message, Deadline deadline) {
    if (deadline.passed()) return Errc::timed_out;
    if constexpr (std::same_as<Message, PutStart>) fence();
    return handlers_->handle(message);
}

/// What a node does at its heartbeats: vouches for the space of writers who did not end their writes.
template <class M>
void EmbeddedLink<M>::fence() {
    if (handlers_->fenced_bytes() == 0) return;
    auto beat = beat_;
    const auto asked = handlers_->handle(beat);
    if (!asked) return;
    for (const auto& extent : asked->fence)
        if (fence_(extent)) beat.fenced.push_back(extent.epoch);
    (void)handlers_->handle(beat);
}

} // namespace mooncake::store::detail
