#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/store/master/eviction_domain.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Writes that began, by deadline, so that those whose writer went away are found without a search.
/// Thread: one at a time (the domain's lock). Memory: at most twice the writes in flight, and a little.
class WriteLog {
  public:
    /// `writing(touch)`: whether that write is still going on. Used to forget the others, now and then.
    template <class Writing>
    void add(TimePoint deadline, std::vector<Touch> writes, const Writing& writing) {
        if (writes.empty()) return;
        count_ += writes.size();
        core::detail::known_later<Writing>(batches_).push_back({deadline, std::move(writes)});
        std::push_heap(batches_.begin(), batches_.end(), later);
        if (count_ < compact_at_) return;
        count_ = 0;
        for (auto& batch : batches_) {
            std::erase_if(batch.writes, [&](const Touch& write) { return !writing(write); });
            count_ += batch.writes.size();
        }
        std::erase_if(batches_, [](const Batch& batch) { return batch.writes.empty(); });
        std::make_heap(batches_.begin(), batches_.end(), later);
        compact_at_ = 2 * count_ + spare;
    }

    /// Calls `overdue(touch)` for each write that was to end before `now`, and may have.
    template <class Overdue>
    void expire(TimePoint now, const Overdue& overdue) {
        while (!batches_.empty() && batches_.front().deadline <= now) {
            std::pop_heap(batches_.begin(), batches_.end(), later);
            const auto batch = std::move(batches_.back());
            batches_.pop_back();
            count_ -= batch.writes.size();
            for (const auto& write : batch.writes) overdue(write);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

  private:
    static constexpr std::size_t spare = 4096;

    struct Batch {
        TimePoint deadline;
        std::vector<Touch> writes;
    };
    static bool later(const Batch& a, const Batch& b) noexcept { return a.deadline > b.deadline; }

    std::vector<Batch> batches_; // a heap, earliest first
    std::size_t count_ = 0;
    std::size_t compact_at_ = spare;
};

} // namespace mooncake::store::detail
