#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/memory/access.hpp>
#include <mooncake/store/lease/concept.hpp>
#include <mooncake/store/master/object.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Leases and what they cover. Giving one up makes its objects evictable at once; so does time, in `expire`.
/// Thread: any; locked after a shard, never before one. Complexity: O(objects) and amortised O(log leases) a lease.
template <class Void = void> // so that only who runs a master pays for compiling it
class LeaseTable {
  public:
    using Objects = std::vector<Object*>;

    /// What one lease will cover: collected under the shards' locks, granted after.
    struct Covered {
        Objects objects;
        std::uint64_t bytes = 0; ///< their sizes
        HeldSpace newly_leased;  ///< by those that were not leased before

        /// From now on `object` is not evicted. Requires: its shard is locked and it is in there.
        void add(Object& object) {
            objects.push_back(&object);
            bytes += object.size;
            const auto before = object.leases.fetch_add(1, std::memory_order_relaxed);
            if ((before & ~Object::passed_over) == 0) newly_leased += object.held_space();
        }
    };

    /// When a lease of `duration` from `now` ends. No promise is for more than a year, so that no sum overflows.
    [[nodiscard]] static TimePoint end_of(TimePoint now, Duration duration) noexcept {
        return now + std::min<Duration>(duration, std::chrono::hours{24 * 365});
    }

    struct Granted {
        std::uint64_t id = 0; ///< 0: nothing was covered
        std::uint64_t ttl_ms = 0;
    };
    /// A lease on all that is covered, for as long as `policy` says.
    template <LeasePolicy Policy>
    [[nodiscard]] Granted grant(Covered covered, LeasePurpose purpose, TimePoint now, const Policy& policy) {
        if (covered.objects.empty()) return {};
        const auto end = end_of(
            now, policy.duration({.purpose = purpose, .objects = covered.objects.size(), .bytes = covered.bytes}));
        return {.id = grant(std::move(covered), end, now, purpose), .ttl_ms = whole_milliseconds(end - now)};
    }

    /// The id of a lease on all that is covered. Never 0. `now`, `purpose`: for who learns from its end.
    [[nodiscard]] std::uint64_t grant(Covered covered, TimePoint expiry, TimePoint now = {},
                                      LeasePurpose purpose = LeasePurpose::read) {
        held_.add(covered.newly_leased);
        const auto lock = std::lock_guard(mutex_);
        auto id = std::uint64_t{0};
        while (id == 0 || leases_.contains(id)) {
            ++sequence_;
            id = hash_bytes(std::as_bytes(std::span(&sequence_, 1)), secret_);
        }
        leases_.emplace(id, Lease{expiry, now, covered.bytes, purpose, std::move(covered.objects)});
        schedule({expiry, id});
        return id;
    }

    /// How leases came to their end, for a policy that learns from it.
    class Ends {
      public:
        explicit Ends(TimePoint at) noexcept : at_(at) {}
        template <LearningLeasePolicy Policy>
        void tell(Policy& policy) const {
            for (const auto& end : ends_) policy.ended(end);
        }

      private:
        friend class LeaseTable;
        const TimePoint at_;
        std::vector<LeaseEnd> ends_;
    };

    /// `act(ends)`, and then `policy` is told of them; `act(nullptr)`, where it learns nothing from them.
    template <LeasePolicy Policy, class Act>
    static auto with_ends(TimePoint now, Policy& policy, const Act& act) {
        if constexpr (LearningLeasePolicy<Policy>) {
            auto ends = Ends(now);
            const auto done = act(&ends);
            ends.tell(policy);
            return done;
        }
        return act(nullptr);
    }

    /// Whether `id` was a lease. `freed` gets those that decisions passed over and that are leased no more. `ends`: null: nobody
    /// learns from it.
    bool release(std::uint64_t id, std::vector<Touch>& freed, Ends* ends = nullptr) {
        auto objects = Objects();
        {
            const auto lock = std::lock_guard(mutex_);
            const auto found = leases_.find(id);
            if (found == leases_.end()) {
                if (ends != nullptr) note_late(id, *ends);
                return false;
            }
            if (ends != nullptr) ends->ends_.push_back(found->second.end(ends->at_, LeaseFate::given_back));
            objects = std::move(found->second.objects);
            leases_.erase(found);
        }
        let_go(objects, freed);
        return true;
    }

    /// How long `id` is good for from now; nothing when it is no lease any more.
    template <LeasePolicy Policy>
    [[nodiscard]] std::optional<Duration> renew(std::uint64_t id, TimePoint now, const Policy& policy) {
        const auto lock = std::lock_guard(mutex_);
        const auto found = leases_.find(id);
        if (found == leases_.end() || found->second.expiry <= now) return std::nullopt;
        auto& lease = found->second;
        const auto duration =
            policy.duration({.purpose = LeasePurpose::renewal, .objects = lease.objects.size(), .bytes = lease.bytes});
        lease.expiry = std::max(lease.expiry, end_of(now, duration));
        lease.purpose = LeasePurpose::renewal;
        return lease.expiry - now;
    }

    /// Ends the leases whose time is over, and tells how many. `freed`, `ends`: as `release`.
    std::size_t expire(TimePoint now, std::vector<Touch>& freed, Ends* ends = nullptr) {
        if (now.time_since_epoch().count() < next_.load(std::memory_order_acquire)) return 0;
        auto ended = std::size_t{0};
        auto objects = Objects();
        {
            const auto lock = std::lock_guard(mutex_);
            while (!queue_.empty() && queue_.front().expiry <= now) {
                std::pop_heap(queue_.begin(), queue_.end(), later);
                const auto due = queue_.back();
                queue_.pop_back();
                const auto found = leases_.find(due.id);
                if (found == leases_.end()) continue;
                if (found->second.expiry > now) { // renewed
                    queue_.push_back({found->second.expiry, due.id});
                    std::push_heap(queue_.begin(), queue_.end(), later);
                    continue;
                }
                objects.insert(objects.end(), found->second.objects.begin(), found->second.objects.end());
                if (ends != nullptr) note_abandoned(due.id, found->second, *ends);
                leases_.erase(found);
                ++ended;
            }
            publish_next();
        }
        let_go(objects, freed);
        return ended;
    }

    [[nodiscard]] std::size_t size() const {
        const auto lock = std::lock_guard(mutex_);
        return leases_.size();
    }
    /// By the objects that are leased.
    [[nodiscard]] HeldSpace held() const noexcept { return held_.get(); }

  private:
    struct Lease {
        TimePoint expiry;
        TimePoint granted;
        std::uint64_t bytes;
        LeasePurpose purpose;
        Objects objects;

        [[nodiscard]] LeaseEnd end(TimePoint at, LeaseFate fate) const noexcept {
            return {.request = {.purpose = purpose, .objects = objects.size(), .bytes = bytes},
                    .held = at - granted,
                    .fate = fate};
        }
    };
    struct Abandoned {
        std::uint64_t id;
        TimePoint granted;
        LeaseRequest request;
    };
    static constexpr std::size_t most_abandoned = 1'024;
    struct Due {
        TimePoint expiry;
        std::uint64_t id;
    };
    static constexpr std::size_t ahead = 8; ///< objects are all over memory
    static bool later(const Due& a, const Due& b) noexcept { return a.expiry > b.expiry; }

    void note_abandoned(std::uint64_t id, const Lease& lease, Ends& ends) {
        ends.ends_.push_back(lease.end(lease.expiry, LeaseFate::abandoned));
        if (abandoned_.size() == most_abandoned) abandoned_.pop_front();
        abandoned_.push_back({id, lease.granted, ends.ends_.back().request});
    }
    void note_late(std::uint64_t id, Ends& ends) {
        const auto found =
            std::find_if(abandoned_.begin(), abandoned_.end(), [id](const auto& a) { return a.id == id; });
        if (found == abandoned_.end()) return;
        ends.ends_.push_back({.request = found->request, .held = ends.at_ - found->granted, .fate = LeaseFate::late});
        abandoned_.erase(found);
    }

    /// After its count is down an object may be deleted by whoever holds the domain: nothing touches it any more.
    void let_go(const Objects& objects, std::vector<Touch>& freed) {
        auto given_up = HeldSpace();
        for (std::size_t i = 0; i < objects.size(); ++i) {
            if (i + ahead < objects.size()) __builtin_prefetch(&objects[i + ahead]->leases, 1);
            auto* const object = objects[i];
            const auto held = object->held_space();
            const auto touch = touch_of(*object, Evictable::yes);
            const auto before = object->leases.fetch_sub(1, std::memory_order_acq_rel);
            if ((before & ~Object::passed_over) != 1) continue;
            given_up += held;
            if ((before & Object::passed_over) != 0) freed.push_back(touch);
        }
        held_.subtract(given_up);
    }

    void schedule(Due due) {
        if (queue_.size() > 2 * leases_.size() + 1024) { // most were released early: forget those
            std::erase_if(queue_, [&](const Due& old) { return !leases_.contains(old.id) || old.id == due.id; });
            std::make_heap(queue_.begin(), queue_.end(), later);
        }
        queue_.push_back(due);
        std::push_heap(queue_.begin(), queue_.end(), later);
        publish_next();
    }
    void publish_next() noexcept {
        const auto next = queue_.empty() ? TimePoint::max() : queue_.front().expiry;
        next_.store(next.time_since_epoch().count(), std::memory_order_release);
    }

    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, Lease> leases_;
    std::vector<Due> queue_;          // a heap, earliest first; may name leases that are gone or were renewed
    std::deque<Abandoned> abandoned_; // lately, where somebody learns from it
    std::uint64_t sequence_ = 0;
    const std::uint64_t secret_ = random_secret();
    std::atomic<Duration::rep> next_{TimePoint::max().time_since_epoch().count()};
    SharedHeldSpace held_;
};

} // namespace mooncake::store::detail
