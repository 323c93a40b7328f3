#pragma once

#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/ghost_table.hpp>
#include <mooncake/store/eviction/hash_index.hpp>
#include <mooncake/store/eviction/return_rates.hpp>
#include <mooncake/store/eviction/slot_buckets.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: objects are blocks of KV cache, and puts name their parents (`PutOptions::parent`, `chain`).
///
/// A block without a block that needs it, a leaf, is all that goes. Of the leaves that one goes whose place pays least: the
/// chance that such blocks return, by what they look like and how long they were away, for the time that they are held until
/// then; learnt from all uses of blocks, also of those that went. A block whose parent is gone goes before all others.
/// README.md tells the whole of it. Without parents every block is a leaf, and the rest is the same.
/// Memory: 120 bytes a block, ghosts included, and half a megabyte. Complexity: amortised O(1).
class PrefixEviction {
  public:
    static constexpr std::string_view name = "prefix";

    void capacity(std::uint64_t bytes) { capacity_ = bytes; }

    void insert(Slot slot, const EvictionEntry& entry) {
        if (slot >= blocks_.size()) blocks_.resize(slot + std::size_t{1});
        auto& block = blocks_[slot];
        const auto generation = block.generation;
        block = {.key = entry.key_hash, .parent_key = entry.parent, .bytes = entry.bytes, .generation = generation};
        block.present = true;
        leaves_.make_known(slot);
        ++size_;
        bytes_ += entry.bytes;
        if (rates_.now() == 0) fit();
        begin_use();
        const auto ghost = ghosts_.take(entry.key_hash, rates_.now());
        block.uses = ghost ? saturated(ghost->uses) : 1;
        if (const auto parent = parent_of(block); parent != none) join(slot, parent);
        index_.insert(slot, entry.key_hash);
        use(slot, ghost ? ghost->last : 0);
    }
    void touch(Slot slot, TimePoint) {
        begin_use();
        auto& block = blocks_[slot];
        bring_back(slot);
        if (family(block)) block.orphan = blocks_[block.parent].orphan;
        else if (const auto parent = parent_of(block); parent != none) {
            if (!descends(parent, slot)) join(slot, parent);
            else
                block.parent_key = 0,
                block.orphan = false; // who needs himself needs nobody, and is not looked at again
        }
        block.uses = saturated(block.uses);
        use(slot, block.last);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        __builtin_prefetch(&blocks_[slot], 1);
        leaves_.prefetch(slot);
    }
    void remove(Slot slot, Departure why) {
        auto& block = blocks_[slot];
        index_.erase(slot, block.key);
        leaves_.remove(slot);
        if (why == Departure::evicted) ghosts_.put(block.key, {.last = block.last, .uses = block.uses}, rates_.now());
        if (!block.aside) leave_parent(slot);
        bytes_ -= block.bytes;
        --size_;
        block.present = false;
        ++block.generation;
    }
    void reconsider(Slot slot) {
        if (!blocks_[slot].aside) return;
        bring_back(slot);
        settle(slot, Side::old);
    }

    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        for (;;) {
            const auto bucket = leaves_.first_occupied();
            if (bucket == Buckets::nowhere) return std::nullopt;
            const auto slot = leaves_.oldest(bucket);
            if (bucket_for(blocks_[slot]) != bucket) settle(slot, Side::fresh); // it has aged
            else if (evictable(slot)) return slot;
            else put_aside(slot);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    using Buckets = store::detail::SlotBuckets;
    using Rates = store::detail::ReturnRates;
    enum class Side : std::uint8_t { fresh, old };

    static constexpr Slot none = Buckets::none;
    static_assert(none == store::detail::HashIndex::none);
    static constexpr std::uint16_t orphanage = Rates::classes * Rates::bands; // the bucket of those without a parent
    static constexpr std::uint16_t most_uses = 255;
    static constexpr std::size_t longest_path = 65'536;
    static constexpr std::size_t some_behind = 2; // is believed of a block until its request is over
    static constexpr std::uint64_t least_room = 64, least_ghosts = 32'768, learn_every = 4'096, sort_every = 256;

    struct Block {
        std::uint64_t key = 0, parent_key = 0;
        std::uint64_t last = 0; // the number of its last use
        std::uint64_t bytes = 0;
        Slot parent = none;                                  // when it was adopted
        std::uint32_t needed = 0;                            // by so many children that are here, and not aside
        std::uint16_t generation = 0, parent_generation = 0; // of those that had the slot
        std::uint8_t uses = 0;
        Rates::Class who = 0;
        bool present : 1 = false;
        bool orphan : 1 = false; // its parent is not here, or is an orphan itself
        bool aside : 1 = false;  // passed over: no leaf, and no child
    };
    /// A use of the request that is under way.
    struct Step {
        Slot slot;
        std::uint8_t uses;
    };

    struct KeyOf {
        const std::vector<Block>& blocks;
        [[nodiscard]] std::uint64_t operator()(Slot slot) const noexcept { return blocks[slot].key; }
    };
    [[nodiscard]] static std::uint8_t saturated(unsigned uses) noexcept {
        return static_cast<std::uint8_t>(std::min<unsigned>(uses + 1, most_uses));
    }

    // Time

    void begin_use() {
        rates_.tick();
        const auto now = rates_.now();
        if (now >= learn_at_) {
            fit();
            rates_.appraise(worth_);
            worth_[orphanage] = -1;
            leaves_.reorder(worth_);
            learn_at_ = now + std::max(std::min(learn_every, 256 + now / 4), room_ / 16);
        }
        if (now < sort_at_) return;
        sort();
        sort_at_ = now + std::max(sort_every, room_ / 32);
    }
    /// Fits the time and the ghosts to how many blocks there is room for.
    void fit() {
        const auto mean = std::max<std::uint64_t>(1, size_ == 0 ? 1 : bytes_ / size_);
        const auto room = std::max(least_room, capacity_ == 0 ? std::uint64_t{size_} : capacity_ / mean);
        if (room_ / 3 * 2 <= room && room <= room_ / 2 * 3) return;
        room_ = room;
        rates_.fit(room);
        ghosts_.fit(std::max(least_ghosts, 4 * room));
    }
    /// Moves on who has come into the next band of ages. The oldest stand first.
    void sort() {
        for (std::size_t bucket = 0; bucket < orphanage; ++bucket)
            for (auto slot = leaves_.oldest(bucket); slot != none; slot = leaves_.oldest(bucket)) {
                if (bucket_for(blocks_[slot]) == bucket) break;
                settle(slot, Side::fresh);
            }
    }

    // Requests: uses each of which is of a child of the one before.

    void use(Slot slot, std::uint64_t last) {
        auto& block = blocks_[slot];
        // What every request uses, such as a system prompt, comes back at once and is no leaf: leaves learn nothing from it.
        if (last != 0 && last + path_.size() >= rates_.now()) rates_.forget(last);
        if (block.parent_key == 0 || block.parent_key != path_key_ || path_.size() == longest_path) end_request();
        path_key_ = block.key;
        path_.push_back({.slot = slot, .uses = block.uses});
        fresh_ += last == 0 ? 1 : 0;
        block.last = rates_.now();
        block.who = Rates::class_of(block.uses, fresh_, some_behind);
        rates_.use(block.who, last);
        settle(slot, Side::fresh);
    }
    /// What its blocks look like is known now.
    void end_request() {
        const auto begin = rates_.now() - path_.size();
        for (std::size_t i = 0; i < path_.size(); ++i) {
            const auto when = begin + i;
            const auto who = Rates::class_of(path_[i].uses, fresh_, path_.size() - 1 - i);
            rates_.correct(when, who);
            auto& block = blocks_[path_[i].slot];
            if (!block.present || block.last != when) continue;
            block.who = who;
            if (leaves_.bucket_of(path_[i].slot) != Buckets::nowhere) settle(path_[i].slot, Side::fresh);
        }
        path_.clear();
        fresh_ = 0;
    }

    // Families

    /// Whether the parent that it was adopted by is still there.
    [[nodiscard]] bool family(const Block& block) const noexcept {
        return block.parent != none && blocks_[block.parent].generation == block.parent_generation;
    }
    /// Its parent, if that is here; it is an orphan if not.
    [[nodiscard]] Slot parent_of(Block& block) const noexcept {
        block.orphan = block.parent_key != 0;
        return block.orphan ? index_.find(block.parent_key, KeyOf{blocks_}) : none;
    }
    /// Whether `from` is `slot`, or useless without it. One of too many generations is believed to be.
    [[nodiscard]] bool descends(Slot from, Slot slot) const noexcept {
        for (auto steps = longest_path; steps != 0 && from != slot; --steps) {
            if (!family(blocks_[from])) return false;
            from = blocks_[from].parent;
        }
        return true;
    }
    /// `parent` is needed by one more. Requires: `slot` is not aside, and has no parent.
    void join(Slot slot, Slot parent) {
        auto& block = blocks_[slot];
        block.parent = parent;
        block.parent_generation = blocks_[parent].generation;
        block.orphan = blocks_[parent].orphan;
        need_parent(slot);
    }
    void need_parent(Slot slot) {
        const auto& block = blocks_[slot];
        if (family(block) && blocks_[block.parent].needed++ == 0) leaves_.remove(block.parent);
    }
    void leave_parent(Slot slot) {
        const auto& block = blocks_[slot];
        if (family(block) && --blocks_[block.parent].needed == 0) settle(block.parent, Side::old);
    }

    // Leaves

    [[nodiscard]] std::uint16_t bucket_for(const Block& block) const noexcept {
        if (block.orphan) return orphanage;
        return static_cast<std::uint16_t>(block.who * Rates::bands + rates_.band_of(rates_.now() - block.last));
    }
    /// Into the bucket where it belongs, if it is a leaf. On the old side it goes before those that look the same.
    void settle(Slot slot, Side side) {
        leaves_.remove(slot);
        const auto& block = blocks_[slot];
        if (block.needed != 0 || block.aside) return;
        if (side == Side::fresh) leaves_.push_front(bucket_for(block), slot);
        else leaves_.push_back(bucket_for(block), slot);
    }
    void put_aside(Slot slot) {
        leaves_.remove(slot);
        leave_parent(slot);
        blocks_[slot].aside = true;
    }
    /// It needs its parent again. Whoever calls this settles it.
    void bring_back(Slot slot) {
        if (!blocks_[slot].aside) return;
        blocks_[slot].aside = false;
        need_parent(slot);
    }

    std::vector<Block> blocks_; // by slot
    store::detail::HashIndex index_;
    store::detail::GhostTable ghosts_;
    Rates rates_;
    Buckets leaves_ = Buckets(orphanage + std::size_t{1});
    std::vector<float> worth_ = std::vector<float>(orphanage + std::size_t{1}); // by bucket
    std::vector<Step> path_;                                                    // the request that is under way
    std::uint64_t path_key_ = 0;                                                // of its last block
    std::size_t fresh_ = 0; // of its blocks, how many were not known before
    std::size_t size_ = 0;
    std::uint64_t bytes_ = 0, capacity_ = 0, room_ = 0; // room: in blocks
    std::uint64_t learn_at_ = 0, sort_at_ = 0;
};

static_assert(ReconsideringPolicy<PrefixEviction> && SizedPolicy<PrefixEviction>);

} // namespace mooncake
