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

/// Choose this when: most objects are used once, hits must be cheap (a touch counts to three), and what was evicted is to
/// have a second chance.
///
/// New objects pass through a small queue, a tenth of the space; who was used more than once on the way goes on to the main
/// queue, the others go, and are remembered as ghosts for as long as the main queue holds as many bytes. A ghost that
/// comes back is put into the main queue at once (and stays a ghost for its time). There, one use buys one more round.
/// Source: "FIFO queues are all you need for cache eviction", SOSP'23. Complexity: amortised O(1).
class S3FifoEviction {
  public:
    static constexpr std::string_view name = "s3fifo";

    void capacity(std::uint64_t bytes) {
        small_most_ = bytes / 10;
        ghosts_most_ = bytes - small_most_;
        ghosts_.trim(0, ghosts_most_);
    }
    void insert(Slot slot, const EvictionEntry& entry) {
        const auto returns = ghosts_.find(entry.key_hash) != Ghosts::nowhere;
        queues_.insert(returns ? main : small, slot, entry.bytes);
        queues_.note(slot).hash = entry.key_hash;
    }
    void touch(Slot slot, TimePoint) noexcept {
        auto& uses = queues_.note(slot).uses;
        uses = std::min<std::uint8_t>(uses + 1, most_uses);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { queues_.prefetch(slot); }
    void remove(Slot slot, Departure why) {
        const auto leaves_ghost = why == Departure::evicted && queues_.queue_of(slot) == small;
        if (leaves_ghost) ghosts_.push(0, queues_.note(slot).hash, queues_.bytes_of(slot));
        queues_.remove(slot);
        ghosts_.trim(0, ghosts_most_);
    }
    void reconsider(Slot slot) noexcept { queues_.bring_back(slot); }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        for (;;) {
            auto slot = Queues::none;
            if (queues_.bytes(small) >= small_most_) slot = queues_.oldest(small, evictable);
            if (slot == Queues::none) slot = queues_.oldest(main, evictable);
            if (slot == Queues::none) slot = queues_.oldest(small, evictable);
            if (slot == Queues::none) return std::nullopt;
            auto& uses = queues_.note(slot).uses;
            if (queues_.queue_of(slot) == small) {
                if (uses <= 1) return slot;
                uses = 0;
            } else {
                if (uses == 0) return slot;
                --uses;
            }
            queues_.move_to_front(main, slot);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return queues_.size(); }

  private:
    static constexpr std::uint8_t most_uses = 3;
    enum : std::size_t { small, main };

    struct Note {
        std::uint64_t hash = 0;
        std::uint8_t uses = 0;
    };
    using Queues = store::detail::SlotQueues<2, Note>;
    using Ghosts = store::detail::GhostQueues<1>;

    Queues queues_;
    Ghosts ghosts_;
    std::uint64_t small_most_ = 0, ghosts_most_ = 0; // bytes
};

static_assert(ReconsideringPolicy<S3FifoEviction> && SizedPolicy<S3FifoEviction>);

} // namespace mooncake
