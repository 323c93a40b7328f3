#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mooncake::store::detail {

/// Finds small numbers by the hash of what they stand for: linear probing, half full at most, nothing left behind by what
/// is erased. The hashes lie with whoever has the numbers: `hash_of(number)` tells them. Four bytes a place.
class HashIndex {
  public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    /// A number with this hash, or `none`.
    template <class HashOf>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, const HashOf& hash_of) const {
        if (places_.empty()) return none;
        for (auto at = home(hash);; at = next(at))
            if (places_[at] == none || hash_of(places_[at]) == hash) return places_[at];
    }
    void prefetch(std::uint64_t hash) const noexcept {
        if (!places_.empty()) __builtin_prefetch(&places_[home(hash)]);
    }

    template <class HashOf>
    void insert(std::uint32_t number, const HashOf& hash_of) {
        if (2 * (size_ + 1) > places_.size()) grow(hash_of);
        put(number, hash_of(number));
        ++size_;
    }

    /// Whether `number` was here.
    template <class HashOf>
    bool erase(std::uint32_t number, const HashOf& hash_of) {
        if (places_.empty()) return false;
        auto hole = home(hash_of(number));
        for (; places_[hole] != number; hole = next(hole))
            if (places_[hole] == none) return false;
        // Whoever stands behind the hole, and not before its own home, takes its place.
        for (auto at = next(hole); places_[at] != none; at = next(at)) {
            const auto from_home = (at - home(hash_of(places_[at]))) & mask();
            if (from_home < ((at - hole) & mask())) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole] = none;
        --size_;
        return true;
    }

  private:
    [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }
    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
        return static_cast<std::size_t>((hash * 0x9e3779b97f4a7c15) >> 20) & mask();
    }

    void put(std::uint32_t number, std::uint64_t hash) {
        auto at = home(hash);
        while (places_[at] != none) at = next(at);
        places_[at] = number;
    }
    template <class HashOf>
    void grow(const HashOf& hash_of) {
        auto old = std::vector<std::uint32_t>(places_.empty() ? 64 : 2 * places_.size(), none);
        old.swap(places_);
        for (const auto number : old)
            if (number != none) put(number, hash_of(number));
    }

    std::vector<std::uint32_t> places_;
    std::size_t size_ = 0;
};

} // namespace mooncake::store::detail
