#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mooncake::store::detail {

/// Finds small numbers by the hash of what they stand for: linear probing, half full at most, nothing left behind by what
/// is erased. Eight bytes a place, half of them of the hash; all of it lies with whoever has the numbers, and is looked at
/// only when the half is right.
class HashIndex {
  public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    /// A number with this hash, as `hash_of(number)` tells it, or `none`.
    template <class HashOf>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, const HashOf& hash_of) const {
        if (places_.empty()) return none;
        const auto tag = tag_of(hash);
        for (auto at = home(tag);; at = next(at)) {
            const auto& place = places_[at];
            if (place.number == none || (place.tag == tag && hash_of(place.number) == hash)) return place.number;
        }
    }
    [[gnu::always_inline]] void prefetch(std::uint64_t hash) const noexcept {
        if (!places_.empty()) __builtin_prefetch(&places_[home(tag_of(hash))]);
    }

    void insert(std::uint32_t number, std::uint64_t hash) {
        if (2 * (size_ + 1) > places_.size()) grow();
        put({.number = number, .tag = tag_of(hash)});
        ++size_;
    }

    /// Whether `number` was here, with that hash.
    bool erase(std::uint32_t number, std::uint64_t hash) {
        if (places_.empty()) return false;
        auto hole = home(tag_of(hash));
        for (; places_[hole].number != number; hole = next(hole))
            if (places_[hole].number == none) return false;
        // Whoever stands behind the hole, and not before its own home, takes its place.
        for (auto at = next(hole); places_[at].number != none; at = next(at)) {
            const auto from_home = (at - home(places_[at].tag)) & mask();
            if (from_home < ((at - hole) & mask())) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole] = {};
        --size_;
        return true;
    }

  private:
    struct Place {
        std::uint32_t number = none;
        std::uint32_t tag = 0;
    };

    [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }
    [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
        return static_cast<std::uint32_t>((hash * 0x9e3779b97f4a7c15) >> 32);
    }
    [[nodiscard]] std::size_t home(std::uint32_t tag) const noexcept { return tag & mask(); }

    void put(Place place) {
        auto at = home(place.tag);
        while (places_[at].number != none) at = next(at);
        places_[at] = place;
    }
    void grow() {
        auto old = std::vector<Place>(places_.empty() ? 64 : 2 * places_.size());
        old.swap(places_);
        for (const auto& place : old)
            if (place.number != none) put(place);
    }

    std::vector<Place> places_;
    std::size_t size_ = 0;
};

} // namespace mooncake::store::detail
