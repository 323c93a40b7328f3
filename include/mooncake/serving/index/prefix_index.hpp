#pragma once

#include <mooncake/serving/index/instance_sets.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// The key of a block of KV cache: a hash of its tokens and of all before them (`PrefixHasher`), so that equal keys mean
/// equal prefixes.
using BlockKey = std::uint64_t;

/// Which instances hold which blocks. It says what it was told: order, repetition and loss of events are the matter of
/// `IndexFeed`.
///
/// Thread: one at a time. Memory: 16 bytes a place of the table, which is between three eighths and three quarters full,
/// and one list for each different set of instances.
class PrefixIndex {
  public:
    PrefixIndex() : table_(smallest) {}

    /// `instance` holds `blocks` from now on. Those that it holds already are passed over.
    void stored(InstanceId instance, std::span<const BlockKey> blocks) {
        reserve(size_ + blocks.size());
        each(blocks, [&](BlockKey key) {
            auto& place = table_[find(key)];
            const auto set = sets_.with(place.set, instance);
            if (place.set == 0) ++size_;
            place.key = key;
            sets_.move(std::exchange(place.set, set), set);
        });
    }

    /// `instance` holds `blocks` no more. Those that it does not hold are passed over.
    void removed(InstanceId instance, std::span<const BlockKey> blocks) {
        each(blocks, [&](BlockKey key) {
            if (const auto at = find(key); table_[at].set != 0) take(at, instance);
        });
    }

    /// `instance` holds nothing any more. Complexity: O(blocks of all).
    void forget(InstanceId instance) {
        auto held = std::vector<BlockKey>();
        for (const auto& place : table_)
            if (place.set != 0 && sets_.contains(place.set, instance)) held.push_back(place.key);
        removed(instance, held);
    }

    /// How many leading blocks of a prompt each instance holds: `held[i]` for instance i. Instances beyond `held` are passed
    /// over. The longest of them. Complexity: O(blocks matched + changes of the set along them).
    std::uint32_t match(std::span<const BlockKey> blocks, std::span<std::uint32_t> held) {
        std::fill(held.begin(), held.end(), 0);
        auto last = Set{0};
        auto at = std::size_t{0};
        for (auto i = std::size_t{0}; i < std::min(ahead, blocks.size()); ++i) prefetch(blocks[i]);
        for (; at < blocks.size(); ++at) {
            if (at + ahead < blocks.size()) prefetch(blocks[at + ahead]);
            const auto set = table_[find(blocks[at])].set;
            if (set == 0) break;
            if (set == last) continue;
            const auto members = sets_.members(set);
            if (at == 0) {
                holders_.assign(members.begin(), members.end());
            } else { // both are sorted: what is not among the members ends here
                auto kept = holders_.begin();
                auto member = members.begin();
                for (const auto holder : holders_) {
                    while (member != members.end() && *member < holder) ++member;
                    if (member != members.end() && *member == holder) *kept++ = holder;
                    else if (holder < held.size()) held[holder] = static_cast<std::uint32_t>(at);
                }
                holders_.erase(kept, holders_.end());
                if (holders_.empty()) break;
            }
            last = set;
        }
        if (last == 0) return 0;
        for (const auto holder : holders_)
            if (holder < held.size()) held[holder] = static_cast<std::uint32_t>(at);
        return held.empty() ? 0 : *std::max_element(held.begin(), held.end());
    }

    [[nodiscard]] bool holds(InstanceId instance, BlockKey key) const noexcept {
        return sets_.contains(table_[find(key)].set, instance);
    }
    /// How many instances hold the block.
    [[nodiscard]] std::size_t holders(BlockKey key) const noexcept {
        return sets_.members(table_[find(key)].set).size();
    }
    /// Blocks that some instance holds.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Different sets of instances.
    [[nodiscard]] std::size_t sets() const noexcept { return sets_.size(); }
    /// Bytes of memory.
    [[nodiscard]] std::size_t bytes() const noexcept { return table_.capacity() * sizeof(Place) + sets_.bytes(); }

    /// Calls `visit(key)` for each block of `instance`, in no order. Complexity: O(blocks of all).
    template <class Visit>
    void each_of(InstanceId instance, Visit&& visit) const {
        for (const auto& place : table_)
            if (place.set != 0 && sets_.contains(place.set, instance)) visit(place.key);
    }

  private:
    using Set = serving::detail::InstanceSets::Id;
    struct Place {
        BlockKey key = 0;
        Set set = 0; // 0: nothing is here
    };
    static constexpr std::size_t smallest = 64, ahead = 12;

    [[nodiscard]] std::size_t home(BlockKey key) const noexcept {
        const auto mixed = (key ^ (key >> 32)) * 0x9e3779b97f4a7c15ULL;
        return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(table_.size())));
    }
    [[gnu::always_inline]] void prefetch(BlockKey key) const noexcept { __builtin_prefetch(&table_[home(key)]); }

    /// Where the block is, or would be.
    [[nodiscard]] std::size_t find(BlockKey key) const noexcept {
        auto at = home(key);
        while (table_[at].set != 0 && table_[at].key != key) at = (at + 1) & (table_.size() - 1);
        return at;
    }

    template <class Do>
    void each(std::span<const BlockKey> blocks, Do&& apply) {
        for (auto i = std::size_t{0}; i < blocks.size(); ++i) {
            if (i + ahead < blocks.size()) prefetch(blocks[i + ahead]);
            apply(blocks[i]);
        }
    }

    void take(std::size_t at, InstanceId instance) {
        const auto set = sets_.without(table_[at].set, instance);
        sets_.move(std::exchange(table_[at].set, set), set);
        if (set != 0) return;
        --size_;
        const auto mask = table_.size() - 1; // what follows moves up, so that no search ends too soon
        for (auto next = (at + 1) & mask; table_[next].set != 0; next = (next + 1) & mask) {
            if (((next - home(table_[next].key)) & mask) < ((next - at) & mask)) continue;
            table_[at] = std::exchange(table_[next], {});
            at = next;
        }
    }

    void reserve(std::size_t blocks) {
        if (blocks * 4 <= table_.size() * 3) return;
        auto old = std::exchange(table_, std::vector<Place>(std::bit_ceil(blocks * 4 / 3 + 1)));
        for (const auto& place : old)
            if (place.set != 0) table_[find(place.key)] = place;
    }

    std::vector<Place> table_; // a power of two of places, probed one after the other
    std::size_t size_ = 0;
    serving::detail::InstanceSets sets_;
    std::vector<InstanceId> holders_; // of the prefix so far, while matching
};

} // namespace mooncake
