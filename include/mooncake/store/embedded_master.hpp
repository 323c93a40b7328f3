#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/store/embedded_master_config.hpp>
#include <mooncake/store/master/answer.hpp>
#include <mooncake/store/master_link.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace mooncake {

/// Choose this when: one process is the whole cluster (a cache inside a serving process, tests, simulations). The master is
/// an object of this process, and so is all its memory.
template <class Traits>
class EmbeddedMaster {
    static_assert(MasterTraitsLike<Traits>);

  public:
    static constexpr bool in_process = true;
    using Config = EmbeddedMasterConfig<Traits>;

    EmbeddedMaster(Runtime&, Config config)
        : config_(std::move(config)), master_(config_.master, std::move(config_.parts)) {}

    /// Registers the capacity as an arena of `engine` and lends all of it.
    /// Errors: `out_of_memory`, `invalid_argument`.
    template <class Engine>
    Task<void> attach(Engine& engine) {
        if (config_.capacity < Traits::Allocator::granularity)
            co_return Error(Errc::invalid_argument, "EmbeddedMasterConfig::capacity is " +
                                                        std::to_string(config_.capacity) + "; give at least " +
                                                        std::to_string(Traits::Allocator::granularity));
        auto arena = Arena::create({.bytes = config_.capacity,
                                    .pages = config_.pages,
                                    .sharing = ArenaSharing::process,
                                    .name = "mooncake-store"});
        if (!arena) co_return arena.error();
        const auto region = co_await engine.register_arena(std::move(*arena), Rights::read_write, KeySharing::secret);
        if (!region) co_return region.error();
        const auto& pin = *region;
        auto mount = store::SegmentMount{.name = engine.name(),
                                         .generation = engine.generation(),
                                         .endpoint = engine.locator(),
                                         .host = {},
                                         .offset = pin->offset,
                                         .bytes = config_.capacity,
                                         .read_key = pin->keys.read,
                                         .write_key = pin->keys.write,
                                         .fencing = store::Fencing::by_owner};
        const auto mounted = master_.mount(mount);
        if (!mounted) co_return mounted.error();
        beat_ = {.segment = mounted->segment, .generation = engine.generation()};
        fence_ = [&engine](const store::FencedExtent& extent) {
            return engine.fence(extent.offset, extent.bytes, extent.epoch);
        };
        co_return ok;
    }

    template <RpcRequest Message>
    Task<typename Message::Reply> call(const Message& message, Deadline deadline) {
        if constexpr (std::same_as<Message, store::WaitFor>) return store::detail::wait_for(master_, message, deadline);
        else if constexpr (std::same_as<Message, store::List>) return store::detail::list(master_, message, deadline);
        else return answered<typename Message::Reply>(answer(message, deadline));
    }

    [[nodiscard]] MasterLimits limits() const {
        const auto& limits = config_.master.limits;
        return {.max_keys = limits.max_keys, .max_write_deadline_ms = limits.max_write_deadline_ms};
    }

    asio::awaitable<void> close() { co_return; }

    /// The master itself, for its statistics and for tests.
    [[nodiscard]] Master<Traits>& master() noexcept { return master_; }

  private:
    template <class Message>
    Result<typename Message::Reply> answer(const Message& message, Deadline deadline) {
        if (deadline.passed()) return Errc::timed_out;
        if constexpr (std::same_as<Message, store::PutStart>) fence();
        return store::detail::answer(master_, message);
    }
    template <class Reply>
    static Task<Reply> answered(Result<Reply> reply) {
        co_return std::move(reply);
    }

    /// What a node does at its heartbeats: vouches for the space of writers who did not end their writes.
    void fence() {
        if (master_.fenced_bytes() == 0) return;
        auto beat = beat_;
        const auto asked = master_.heartbeat(beat);
        if (!asked) return;
        for (const auto& extent : asked->fence)
            if (fence_(extent)) beat.fenced.push_back(extent.epoch);
        (void)master_.heartbeat(beat);
    }

    Config config_;
    Master<Traits> master_;
    store::Heartbeat beat_;
    std::function<bool(const store::FencedExtent&)> fence_;
};

} // namespace mooncake
