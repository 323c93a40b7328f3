#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake::testing {

/// Complete before the transport is: what a `Task` gives must be default-constructible where the task is declared.
struct MinimalLink {
    std::string peer;
    std::uint64_t generation = 0;
};

/// The least a `Transport` has: what is within this process, one slice after another. For instantiating templates, and
/// to begin one's own transport from.
class MinimalTransport {
  public:
    static constexpr std::string_view name = "minimal";
    static constexpr unsigned cost = 1;
    static constexpr auto capabilities = TransportCapabilities{};

    struct Config {};
    using Link = MinimalLink;

    MinimalTransport(TransportContext context, Config)
        : regions_(std::move(context.regions)), id_("minimal-" + std::to_string(random_secret())) {}
    MinimalTransport(const MinimalTransport&) = delete;
    MinimalTransport& operator=(const MinimalTransport&) = delete;

    void start() {
        const auto lock = std::lock_guard(directory().mutex);
        directory().tables.emplace(id_, regions_);
    }
    std::string describe() const { return id_; }
    bool reaches(std::string_view description) const { return find(std::string(description)) != nullptr; }

    Task<Link> connect(PeerDescription peer, Deadline) {
        if (!find(peer.description)) co_return Error(Errc::unreachable, "nobody is called '" + peer.description + "'");
        co_return Link{.peer = std::move(peer.description), .generation = peer.generation};
    }

    Task<void> transfer(Link link, SliceGroup group) {
        const auto table = find(link.peer);
        if (!table) {
            set_outcome(group.slices, Errc::connection_lost);
            co_return Error(Errc::connection_lost, "the peer was closed");
        }
        const auto write = group.direction == Direction::write;
        const auto regions = table->snapshot();
        for (auto& slice : group.slices) {
            const auto found =
                regions.resolve(slice.remote, slice.length, slice.key, write ? Rights::write : Rights::read);
            slice.outcome = table->generation() != link.generation ? Errc::stale_generation
                            : group.deadline.passed()              ? Errc::timed_out
                                                                   : found.error;
            if (slice.outcome != Errc::ok) continue;
            const auto passage = table->fence().enter(slice.remote, slice.length, write ? slice.epoch : 0);
            if (!passage) slice.outcome = Errc::stale_epoch;
            if (!passage) continue;
            if (slice.length != 0)
                std::memcpy(write ? found.bytes : slice.local, write ? slice.local : found.bytes, slice.length);
            if (group.digest == Digest::xxh3) slice.digest = hash_bytes({slice.local, slice.length});
        }
        co_return ok;
    }

    asio::awaitable<void> close() {
        const auto lock = std::lock_guard(directory().mutex);
        directory().tables.erase(id_);
        co_return;
    }

  private:
    struct Directory {
        std::mutex mutex;
        std::map<std::string, std::shared_ptr<RegionTable>> tables;
    };
    static Directory& directory() {
        static auto all = Directory();
        return all;
    }
    static std::shared_ptr<RegionTable> find(const std::string& id) {
        const auto lock = std::lock_guard(directory().mutex);
        const auto found = directory().tables.find(id);
        return found == directory().tables.end() ? nullptr : found->second;
    }

    const std::shared_ptr<RegionTable> regions_;
    const std::string id_;
};

static_assert(Transport<MinimalTransport>);

} // namespace mooncake::testing
