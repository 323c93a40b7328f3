#pragma once

#include <mooncake/serving/index/index_feed.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace mooncake::serving::detail {

/// What instances say of their caches, on its way: it arrives so many seconds later, in order.
class DelayedEvents {
  public:
    DelayedEvents(std::size_t instances, double seconds) : seconds_(seconds), sequence_(instances) {}

    /// What came into a cache and what left it; both are empty afterwards. A block may come and go at once, never the other
    /// way round.
    template <class Hear>
    void tell(double now, InstanceId instance, std::vector<BlockKey>& added, std::vector<BlockKey>& evicted,
              Hear&& hear) {
        for (auto* blocks : {&added, &evicted}) {
            if (blocks->empty()) continue;
            auto event = IndexEvent{.instance = instance,
                                    .sequence = ++sequence_[instance],
                                    .kind = blocks == &added ? IndexEvent::Kind::stored : IndexEvent::Kind::removed,
                                    .blocks = *blocks};
            if (seconds_ <= 0) hear(std::move(event));
            else told_.emplace_back(now + seconds_, std::move(event));
            blocks->clear();
        }
    }
    /// The instance begins anew: what it said is not heard any more, and its next event is number 1.
    void restart(InstanceId instance) {
        sequence_[instance] = 0;
        std::erase_if(told_, [&](const auto& told) { return told.second.instance == instance; });
    }
    /// Calls `hear(event)` for those that have arrived.
    template <class Hear>
    void arrive(double now, Hear&& hear) {
        for (; !told_.empty() && told_.front().first <= now; told_.pop_front()) hear(std::move(told_.front().second));
    }

  private:
    double seconds_;
    std::vector<std::uint64_t> sequence_;
    std::deque<std::pair<double, IndexEvent>> told_;
};

} // namespace mooncake::serving::detail
