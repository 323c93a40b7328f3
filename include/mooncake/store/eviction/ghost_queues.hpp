#pragma once

#include <mooncake/store/eviction/hash_index.hpp>
#include <mooncake/store/eviction/slot_queues.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mooncake::store::detail {

/// `Count` queues of what was evicted: of each its hash and how large it was. A hash is in one of them, once.
template <std::size_t Count>
class GhostQueues {
  public:
    /// In no queue.
    static constexpr std::size_t nowhere = Count;

    [[nodiscard]] std::uint64_t bytes(std::size_t queue) const noexcept { return queues_.bytes(queue); }

    /// The queue in which `hash` is, or `nowhere`.
    [[nodiscard]] std::size_t find(std::uint64_t hash) const {
        const auto ghost = index_.find(hash, hash_of());
        return ghost == HashIndex::none ? nowhere : queues_.queue_of(ghost);
    }
    [[gnu::always_inline]] void prefetch(std::uint64_t hash) const noexcept { index_.prefetch(hash); }

    /// The newest of `queue`, wherever it was.
    void push(std::size_t queue, std::uint64_t hash, std::uint64_t bytes) {
        (void)take(hash);
        auto ghost = static_cast<Slot>(queues_.size());
        if (!vacant_.empty()) {
            ghost = vacant_.back();
            vacant_.pop_back();
        }
        queues_.insert(queue, ghost, bytes);
        queues_.note(ghost) = hash;
        index_.insert(ghost, hash);
    }

    /// Forgets `hash`; gives the queue in which it was, or `nowhere`.
    std::size_t take(std::uint64_t hash) {
        const auto ghost = index_.find(hash, hash_of());
        if (ghost == HashIndex::none) return nowhere;
        const auto queue = queues_.queue_of(ghost);
        drop(ghost);
        return queue;
    }

    /// Forgets the oldest of `queue` until it has at most `most` bytes.
    void trim(std::size_t queue, std::uint64_t most) {
        while (queues_.bytes(queue) > most) drop(queues_.oldest(queue, [](Slot) { return true; }));
    }

  private:
    [[nodiscard]] auto hash_of() const noexcept {
        return [this](std::uint32_t ghost) { return queues_.note(ghost); };
    }
    void drop(Slot ghost) {
        index_.erase(ghost, queues_.note(ghost));
        queues_.remove(ghost);
        vacant_.push_back(ghost);
    }

    SlotQueues<Count, std::uint64_t> queues_;
    HashIndex index_;
    std::vector<Slot> vacant_;
};

} // namespace mooncake::store::detail
