#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/frequency_sketch.hpp>
#include <mooncake/store/eviction/slot_queues.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: space is scarce and popularity lasts: the best known here when a hundredth of what is used fits.
///
/// New objects pass through a window, a hundredth of the space. Who comes out of it is compared with the oldest on
/// probation by how often both were seen of late, cached or not, and the less popular goes. Who is used on probation is
/// protected: at most four fifths of the space beside the window.
/// Source: "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS 2017. Complexity: O(1).
class WTinyLfuEviction {
  public:
    static constexpr std::string_view name = "wtinylfu";

    void capacity(std::uint64_t bytes) {
        window_most_ = bytes / 100;
        protected_most_ = (bytes - window_most_) / 5 * 4;
    }
    void insert(Slot slot, const EvictionEntry& entry) {
        queues_.insert(window, slot, entry.bytes);
        queues_.note(slot) = entry.key_hash;
        seen_.fit(queues_.size());
        seen_.add(entry.key_hash);
        overflow(window, window_most_);
    }
    void touch(Slot slot, TimePoint) {
        seen_.add(queues_.note(slot));
        const auto from = queues_.queue_of(slot);
        queues_.move_to_front(from == window ? window : kept, slot);
        if (from == probation) overflow(kept, protected_most_);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { queues_.prefetch(slot); }
    void remove(Slot slot, Departure) noexcept { queues_.remove(slot); }
    void reconsider(Slot slot) noexcept { queues_.bring_back(slot); }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        auto old = queues_.oldest(probation, evictable);
        if (old == Queues::none) old = queues_.oldest(kept, evictable);
        if (old != Queues::none && queues_.bytes(window) < window_most_) return old;
        const auto fresh = queues_.oldest(window, evictable);
        if (fresh == Queues::none && old == Queues::none) return std::nullopt;
        if (fresh == Queues::none || old == Queues::none) return fresh == Queues::none ? old : fresh;
        return seen_.estimate(queues_.note(fresh)) > seen_.estimate(queues_.note(old)) ? old : fresh;
    }

    [[nodiscard]] std::size_t size() const noexcept { return queues_.size(); }

  private:
    enum : std::size_t { window, probation, kept };
    using Queues = store::detail::SlotQueues<3, std::uint64_t>; // the note is the hash of the key

    /// The oldest of `queue` are on probation, until it has at most `most` bytes. One always fits.
    void overflow(std::size_t queue, std::uint64_t most) {
        while (queues_.bytes(queue) > most) {
            const auto slot = queues_.oldest(queue, [](Slot) { return true; });
            if (slot == Queues::none || queues_.bytes(queue) == queues_.bytes_of(slot)) return;
            queues_.move_to_front(probation, slot);
        }
    }

    Queues queues_;
    store::detail::FrequencySketch seen_;
    std::uint64_t window_most_ = 0, protected_most_ = 0; // bytes
};

static_assert(ReconsideringPolicy<WTinyLfuEviction> && SizedPolicy<WTinyLfuEviction>);

} // namespace mooncake
