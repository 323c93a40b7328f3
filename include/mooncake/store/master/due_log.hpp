#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/store/master/eviction_domain.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Objects with which something is to be done at a time of their own, so that those whose time has come are found without a
/// search: writes that ought to have ended, lives that are over.
/// Thread: one at a time (the domain's lock). Memory: at most twice those that wait, and a little.
class DueLog {
  public:
    /// `waits(touch)`: whether it is still to be done. Used to forget the others, now and then.
    template <class Waits>
    void add(TimePoint due, std::vector<Touch> objects, const Waits& waits) {
        if (objects.empty()) return;
        count_ += objects.size();
        core::detail::known_later<Waits>(batches_).push_back({due, std::move(objects)});
        std::push_heap(batches_.begin(), batches_.end(), later);
        publish_next();
        if (count_ < compact_at_) return;
        count_ = 0;
        for (auto& batch : batches_) {
            std::erase_if(batch.objects, [&](const Touch& object) { return !waits(object); });
            count_ += batch.objects.size();
        }
        std::erase_if(batches_, [](const Batch& batch) { return batch.objects.empty(); });
        std::make_heap(batches_.begin(), batches_.end(), later);
        compact_at_ = 2 * count_ + spare;
        publish_next();
    }

    /// Calls `act(touch)` for each that is due, whether or not it still waits.
    template <class Act>
    void expire(TimePoint now, const Act& act) {
        while (!batches_.empty() && batches_.front().due <= now) {
            std::pop_heap(batches_.begin(), batches_.end(), later);
            const auto batch = std::move(batches_.back());
            batches_.pop_back();
            count_ -= batch.objects.size();
            for (const auto& object : batch.objects) act(object);
        }
        publish_next();
    }

    /// Whether one is due. Thread: any.
    [[nodiscard]] bool any_due(TimePoint now) const noexcept { return next_.load(std::memory_order_acquire) <= now; }
    /// Whether any waits. Thread: any.
    [[nodiscard]] bool any() const noexcept { return next_.load(std::memory_order_acquire) != TimePoint::max(); }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

  private:
    static constexpr std::size_t spare = 4096;

    struct Batch {
        TimePoint due;
        std::vector<Touch> objects;
    };
    static bool later(const Batch& a, const Batch& b) noexcept { return a.due > b.due; }

    void publish_next() noexcept {
        next_.store(batches_.empty() ? TimePoint::max() : batches_.front().due, std::memory_order_release);
    }

    std::vector<Batch> batches_; // a heap, earliest first
    std::size_t count_ = 0;
    std::size_t compact_at_ = spare;
    std::atomic<TimePoint> next_{TimePoint::max()};
};

} // namespace mooncake::store::detail
