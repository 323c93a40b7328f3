#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

/// Which serving instance: a small number, given out by whoever keeps the list of them.
using InstanceId = std::uint32_t;
inline constexpr InstanceId no_instance = ~InstanceId{0};

namespace serving::detail {

/// Sets of instances, each kept once however many blocks have it: blocks of one prompt are mostly held by the same ones.
/// A set is named by a number; 0 is the empty set. Sets that nobody counts any more are forgotten.
class InstanceSets {
  public:
    using Id = std::uint32_t;

    InstanceSets() { sets_.emplace_back(); }

    [[nodiscard]] std::span<const InstanceId> members(Id id) const noexcept { return sets_[id].members; }
    [[nodiscard]] bool contains(Id id, InstanceId instance) const noexcept {
        const auto& members = sets_[id].members;
        return std::binary_search(members.begin(), members.end(), instance);
    }

    /// The set with `instance` in it as well. Not counted yet: see `move`.
    [[nodiscard]] Id with(Id id, InstanceId instance) { return changed(id, instance, adding_); }
    [[nodiscard]] Id without(Id id, InstanceId instance) { return changed(id, instance, removing_); }

    /// One block that had the set `from` has `to` from now on.
    void move(Id from, Id to) {
        if (from == to) return;
        if (to != 0) ++sets_[to].blocks;
        if (from != 0 && --sets_[from].blocks == 0) forget(from);
    }

    [[nodiscard]] std::size_t size() const noexcept { return by_hash_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return sets_.capacity() * sizeof(Set) + members_bytes_; }

  private:
    struct Set {
        std::vector<InstanceId> members; // sorted
        std::uint64_t hash = 0;          // of the members, whatever their order
        std::uint32_t blocks = 0;        // that have it
    };
    struct Step { // the last change: the next block of a prompt mostly asks for the same
        Id from = 0, to = 0;
        InstanceId instance = no_instance;
    };

    static constexpr std::uint64_t mixed(InstanceId instance) noexcept {
        auto x = (instance + 1) * 0x9e3779b97f4a7c15ULL;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31);
    }

    Id changed(Id id, InstanceId instance, Step& last) {
        if (last.instance == instance && last.from == id) return last.to;
        const auto add = &last == &adding_;
        if (contains(id, instance) == add) return id;
        const auto hash = sets_[id].hash ^ mixed(instance);
        auto members = sets_[id].members;
        const auto at = std::lower_bound(members.begin(), members.end(), instance);
        add ? members.insert(at, instance) : members.erase(at);
        const auto to = members.empty() ? Id{0} : interned(std::move(members), hash);
        last = {.from = id, .to = to, .instance = instance};
        return to;
    }

    Id interned(std::vector<InstanceId> members, std::uint64_t hash) {
        const auto [begin, end] = by_hash_.equal_range(hash);
        for (auto it = begin; it != end; ++it)
            if (sets_[it->second].members == members) return it->second;
        const auto id = free_.empty() ? static_cast<Id>(sets_.size()) : free_.back();
        if (free_.empty()) sets_.emplace_back();
        else free_.pop_back();
        members.shrink_to_fit();
        members_bytes_ += members.capacity() * sizeof(InstanceId) + node_bytes;
        sets_[id] = {.members = std::move(members), .hash = hash, .blocks = 0};
        by_hash_.emplace(hash, id);
        return id;
    }

    void forget(Id id) {
        const auto [begin, end] = by_hash_.equal_range(sets_[id].hash);
        by_hash_.erase(std::find_if(begin, end, [&](const auto& known) { return known.second == id; }));
        members_bytes_ -= sets_[id].members.capacity() * sizeof(InstanceId) + node_bytes;
        sets_[id] = {};
        free_.push_back(id);
        for (auto* last : {&adding_, &removing_})
            if (last->from == id || last->to == id) *last = {};
    }

    static constexpr std::size_t node_bytes = 40; // of the map: link, hash, id and their bucket
    std::vector<Set> sets_;
    std::vector<Id> free_;
    std::unordered_multimap<std::uint64_t, Id> by_hash_;
    std::size_t members_bytes_ = 0;
    Step adding_, removing_;
};

} // namespace serving::detail
} // namespace mooncake
