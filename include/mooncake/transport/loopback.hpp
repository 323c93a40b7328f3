#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/copier.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>
#include <mooncake/transport/copy_group.hpp>
#include <mooncake/transport/handshakes.hpp>
#include <mooncake/transport/inbox.hpp>
#include <mooncake/transport/loopback_config.hpp>

#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

namespace transport::detail {

/// The segments of this process that serve loopback peers, by the secret that their record names.
class LoopbackDirectory {
  public:
    static LoopbackDirectory& instance() {
        static auto directory = LoopbackDirectory();
        return directory;
    }
    void add(std::uint64_t id, std::weak_ptr<RegionTable> table, std::weak_ptr<Inbox> inbox,
             std::weak_ptr<Handshakes> handshakes) {
        const auto lock = std::lock_guard(mutex_);
        tables_.emplace(id, Served{std::move(table), std::move(inbox), std::move(handshakes)});
    }
    void remove(std::uint64_t id) {
        const auto lock = std::lock_guard(mutex_);
        tables_.erase(id);
    }
    [[nodiscard]] std::shared_ptr<RegionTable> find(std::uint64_t id) const {
        const auto lock = std::lock_guard(mutex_);
        const auto found = tables_.find(id);
        return found == tables_.end() ? nullptr : found->second.table.lock();
    }
    [[nodiscard]] std::shared_ptr<Inbox> inbox(std::uint64_t id) const {
        const auto lock = std::lock_guard(mutex_);
        const auto found = tables_.find(id);
        return found == tables_.end() ? nullptr : found->second.inbox.lock();
    }
    [[nodiscard]] std::shared_ptr<Handshakes> handshakes(std::uint64_t id) const {
        const auto lock = std::lock_guard(mutex_);
        const auto found = tables_.find(id);
        return found == tables_.end() ? nullptr : found->second.handshakes.lock();
    }

  private:
    struct Served {
        std::weak_ptr<RegionTable> table;
        std::weak_ptr<Inbox> inbox;
        std::weak_ptr<Handshakes> handshakes;
    };

    mutable std::mutex mutex_;
    std::map<std::uint64_t, Served> tables_;
};

} // namespace transport::detail

/// Choose this when: both segments live in one process. A plain copy, with the same checks as any other way.
template <class C>
class BasicLoopbackTransport {
    static_assert(Copier<C>);

  public:
    static constexpr std::string_view name = "loopback";
    static constexpr unsigned cost = 1;
    static constexpr auto capabilities = TransportCapabilities{
        .maps = true, .immediate = true, .one_sided = true, .notifies = true, .carries = true, .self_verifying = true};

    using Config = LoopbackTransportConfig;
    struct Link {
        std::uint64_t id = 0;
        std::uint64_t generation = 0;
    };

    explicit BasicLoopbackTransport(TransportContext context, Config = {})
        : context_(std::move(context)), id_(random_secret()) {}
    BasicLoopbackTransport(const BasicLoopbackTransport&) = delete;
    BasicLoopbackTransport& operator=(const BasicLoopbackTransport&) = delete;
    ~BasicLoopbackTransport() { Directory::instance().remove(id_); }

    void start() { Directory::instance().add(id_, context_.regions, context_.inbox, context_.handshakes); }

    [[nodiscard]] std::string describe() const { return std::to_string(id_); }

    [[nodiscard]] bool reaches(std::string_view description) const {
        return Directory::instance().find(parse(description)) != nullptr;
    }

    Task<Link> connect(PeerDescription peer, Deadline) {
        const auto id = parse(peer.description);
        const auto table = Directory::instance().find(id);
        if (!table) co_return Error(Errc::unreachable, "that segment is not in this process, or is closed");
        if (table->generation() != peer.generation) co_return Errc::stale_generation;
        co_return Link{.id = id, .generation = peer.generation};
    }

    Task<void> transfer(Link link, SliceGroup group) {
        const auto table = Directory::instance().find(link.id);
        if (!table) {
            set_outcome(group.slices, Errc::connection_lost);
            co_return Error(Errc::connection_lost, "the segment in this process was closed");
        }
        if (table->generation() != link.generation) {
            set_outcome(group.slices, Errc::stale_generation);
            co_return ok;
        }
        const auto regions = table->snapshot();
        auto remotes = std::vector<std::byte*>();
        remotes.reserve(group.slices.size());
        auto passages = std::vector<WriteFence::Passage>();
        const auto needed = group.direction == Direction::read ? Rights::read : Rights::write;
        for (auto& slice : group.slices) {
            const auto found = regions.resolve(slice.remote, slice.length, slice.key, needed);
            slice.outcome = found.error;
            remotes.push_back(found.bytes);
            if (found.error != Errc::ok || group.direction != Direction::write || slice.epoch == 0) continue;
            auto passage = table->fence().enter(slice.remote, slice.length, slice.epoch);
            if (passage) {
                passages.push_back(std::move(*passage));
            } else {
                slice.outcome = Errc::stale_epoch;
                remotes.back() = nullptr;
            }
        }
        co_await transport::detail::copy_group<C>(context_.runtime, group, remotes);
        co_return ok;
    }

    /// See `ImmediateTransport`.
    [[nodiscard]] bool transfer_now(const Link& link, SliceGroup group) {
        if (!transport::detail::is_immediate(group)) return false;
        const auto table = Directory::instance().find(link.id);
        if (!table || table->generation() != link.generation) return false;
        const auto regions = table->snapshot();
        auto passages = std::vector<WriteFence::Passage>();
        const auto needed = group.direction == Direction::read ? Rights::read : Rights::write;
        for (const auto& slice : group.slices) {
            if (regions.resolve(slice.remote, slice.length, slice.key, needed).error != Errc::ok) return false;
            if (group.direction != Direction::write || slice.epoch == 0) continue;
            auto passage = table->fence().enter(slice.remote, slice.length, slice.epoch);
            if (!passage) return false;
            passages.push_back(std::move(*passage));
        }
        for (auto& slice : group.slices) {
            const auto found = regions.resolve(slice.remote, slice.length, slice.key, needed);
            transport::detail::copy_slice<C>(slice, found.bytes, group.direction, Digest::none);
        }
        return true;
    }

    Task<MappedWindow> map(Link link, std::uint64_t offset, std::uint64_t length, std::uint64_t key,
                           Direction direction, Deadline) {
        const auto table = Directory::instance().find(link.id);
        if (!table) co_return Error(Errc::connection_lost, "the segment in this process was closed");
        if (table->generation() != link.generation) co_return Errc::stale_generation;
        const auto regions = table->snapshot();
        const auto found =
            regions.resolve(offset, length, key, direction == Direction::read ? Rights::read : Rights::write);
        if (found.error != Errc::ok) co_return found.error;
        co_return MappedWindow{.bytes = found.bytes, .hold = *found.region};
    }

    /// See `NotifyingTransport`.
    Task<void> notify(Link link, Notification notification, std::uint64_t key, Deadline) {
        const auto table = Directory::instance().find(link.id);
        if (!table) co_return Error(Errc::connection_lost, "the segment in this process was closed");
        if (table->generation() != link.generation) co_return Errc::stale_generation;
        const auto inbox = Directory::instance().inbox(link.id);
        const auto outcome = transport::detail::put_in(inbox.get(), *table, std::move(notification), key);
        if (outcome != Errc::ok) co_return outcome;
        co_return ok;
    }

    /// See `CarryingTransport`.
    Task<std::string> ask(Link link, std::string transport, std::string question, Deadline) {
        const auto table = Directory::instance().find(link.id);
        if (!table) co_return Error(Errc::connection_lost, "the segment in this process was closed");
        if (table->generation() != link.generation) co_return Errc::stale_generation;
        const auto handshakes = Directory::instance().handshakes(link.id);
        if (!handshakes) co_return Errc::not_supported;
        co_return handshakes->accept(transport, std::move(question));
    }

    asio::awaitable<void> close() {
        Directory::instance().remove(id_);
        co_return;
    }

  private:
    using Directory = transport::detail::LoopbackDirectory;

    static std::uint64_t parse(std::string_view text) noexcept {
        auto id = std::uint64_t{0};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
        return error == std::errc{} && end == text.data() + text.size() ? id : 0;
    }

    const TransportContext context_;
    const std::uint64_t id_;
};

} // namespace mooncake
