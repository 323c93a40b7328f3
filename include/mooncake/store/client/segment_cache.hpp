#pragma once

#include <mooncake/core/combine.hpp>
#include <mooncake/store/master_link.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The segments that descriptors name, opened once. One that could not be opened is not tried again for a while, so that a
/// dead node costs its readers one deadline and not one each.
template <class Engine, class Master>
class SegmentCache {
  public:
    using Segment = typename Engine::Segment;

    SegmentCache(Engine& engine, Master& master) noexcept : engine_(engine), master_(master) {}

    /// The segment, or an empty one when it is not (yet) open.
    [[nodiscard]] Segment find(std::uint32_t id) const {
        const auto lock = std::lock_guard(mutex_);
        const auto found = known_.find(id);
        return found == known_.end() ? Segment() : found->second.segment;
    }

    /// Whether any of the replicas' segments has yet to be opened.
    [[nodiscard]] bool misses(const std::vector<ReplicaDescriptor>& replicas) const {
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(mutex_);
        for (const auto& replica : replicas) {
            const auto found = known_.find(replica.segment);
            if (found == known_.end() || (!found->second.segment && found->second.retry_at <= now)) return true;
        }
        return false;
    }

    /// Opens the segments, all at once. Those that fail stay empty; `find` says so.
    /// Errors: the master's, if it could not be asked.
    Task<void> open(std::vector<std::uint32_t> ids, Deadline deadline) {
        auto message = Segments{.segments = std::move(ids)};
        const auto reply = co_await master_.call(message, deadline);
        if (!reply) co_return reply.error();
        auto tasks = std::vector<Task<Segment>>();
        const auto within = deadline.or_sooner(Deadline(patience));
        for (const auto& info : reply->segments) tasks.push_back(engine_.open(info.endpoint, within));
        auto opened = co_await all_settled(std::move(tasks));
        const auto retry_at = SteadyClock{}.now() + rest;
        const auto lock = std::lock_guard(mutex_);
        for (const auto id : message.segments) known_[id].retry_at = retry_at;
        for (std::size_t i = 0; i < opened.size(); ++i)
            if (opened[i] && opened[i]->generation() == reply->segments[i].generation)
                known_[reply->segments[i].segment].segment = std::move(*opened[i]);
        co_return ok;
    }

    /// The segment turned out to be gone: its id will never mean another.
    void forget(std::uint32_t id) {
        const auto lock = std::lock_guard(mutex_);
        known_.erase(id);
    }

  private:
    static constexpr auto patience = std::chrono::seconds{2};
    static constexpr auto rest = std::chrono::milliseconds{500};

    struct Known {
        Segment segment;
        TimePoint retry_at{};
    };

    Engine& engine_;
    Master& master_;
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, Known> known_;
};

} // namespace mooncake::store::detail
