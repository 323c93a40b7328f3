#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/ghost_queues.hpp>
#include <mooncake/store/eviction/slot_queues.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooncake {

/// Choose this when: the workload changes between what is used once and what is used often, and nobody wants to say how.
///
/// What was used once, and what was used more often, are two LRU queues, each with a queue of ghosts. A ghost that comes
/// back tells which of the two is too small: the share of the space that the first aims at moves by as much.
/// Source: "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST'03; with bytes for pages. Complexity: O(1).
class ArcEviction {
  public:
    static constexpr std::string_view name = "arc";

    void capacity(std::uint64_t bytes) {
        capacity_ = bytes;
        target_ = std::min(target_, static_cast<double>(bytes));
        trim();
    }
    void expect(const EvictionEntry& entry) {
        expected_ = entry.key_hash;
        returning_ = ghosts_.find(entry.key_hash);
        const auto step = [&](std::size_t other, std::size_t own) {
            const auto ratio = static_cast<double>(ghosts_.bytes(other)) / static_cast<double>(ghosts_.bytes(own));
            return std::max(1.0, ratio) * static_cast<double>(entry.bytes);
        };
        if (returning_ == once) target_ = std::min(static_cast<double>(capacity_), target_ + step(often, once));
        if (returning_ == often) target_ = std::max(0.0, target_ - step(once, often));
    }
    void insert(Slot slot, const EvictionEntry& entry) {
        if (expected_ != entry.key_hash) expect(entry);
        expected_ = 0;
        returning_ = Ghosts::nowhere;
        const auto ghost = ghosts_.take(entry.key_hash);
        queues_.insert(ghost == Ghosts::nowhere ? once : often, slot, entry.bytes);
        queues_.note(slot) = entry.key_hash;
        trim();
    }
    void touch(Slot slot, TimePoint) noexcept { queues_.move_to_front(often, slot); }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { queues_.prefetch(slot); }
    void remove(Slot slot, Departure why) {
        if (why == Departure::evicted) ghosts_.push(queues_.queue_of(slot), queues_.note(slot), queues_.bytes_of(slot));
        queues_.remove(slot);
    }
    void reconsider(Slot slot) noexcept { queues_.bring_back(slot); }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        const auto held = static_cast<double>(queues_.bytes(once));
        const auto first = held > target_ || (returning_ == often && held == target_ && held != 0) ? once : often;
        auto slot = queues_.oldest(first, evictable);
        if (slot == Queues::none) slot = queues_.oldest(once + often - first, evictable);
        return slot == Queues::none ? std::nullopt : std::optional(slot);
    }

    [[nodiscard]] std::size_t size() const noexcept { return queues_.size(); }

  private:
    enum : std::size_t { once, often };
    using Queues = store::detail::SlotQueues<2, std::uint64_t>; // the note is the hash of the key
    using Ghosts = store::detail::GhostQueues<2>;

    /// What was used once has, with its ghosts, one capacity; all have two.
    void trim() {
        const auto rest = [](std::uint64_t most, std::uint64_t held) { return most - std::min(most, held); };
        ghosts_.trim(once, rest(capacity_, queues_.bytes(once)));
        const auto held = queues_.bytes(once) + queues_.bytes(often) + ghosts_.bytes(once);
        ghosts_.trim(often, rest(2 * capacity_, held));
    }

    Queues queues_;
    Ghosts ghosts_;
    std::uint64_t capacity_ = 0;              // bytes
    double target_ = 0;                       // bytes that `once` is to have
    std::uint64_t expected_ = 0;              // whose return was learnt from
    std::size_t returning_ = Ghosts::nowhere; // where it was a ghost
};

static_assert(ReconsideringPolicy<ArcEviction> && SizedPolicy<ArcEviction> && ForeseeingPolicy<ArcEviction>);

} // namespace mooncake
