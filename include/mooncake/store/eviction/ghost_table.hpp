#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mooncake::store::detail {

/// What is remembered of blocks that went: when they were used last, and how often. Eight bytes each, in sets of eight; the
/// one that was used least recently makes way. Another block's may be given instead, once in millions.
class GhostTable {
  public:
    struct Ghost {
        std::uint64_t last = 0; ///< the number of its last use
        unsigned uses = 0;
    };

    /// There is room for so many. What was remembered is not any more.
    void fit(std::size_t ghosts) { places_.assign(ghosts / set_size * set_size + set_size, {}); }

    /// `now` is the number of the use that is under way: what `last` counts up to.
    void put(std::uint64_t hash, const Ghost& ghost, std::uint64_t now) noexcept {
        const auto set = set_of(hash);
        const auto older = [now](const Place& a, const Place& b) { return a.age(now) > b.age(now); };
        *std::min_element(set.begin(), set.end(), older) = {.last = static_cast<std::uint32_t>(ghost.last),
                                                            .tag = tag_of(hash),
                                                            .uses = std::min(ghost.uses, most_uses)};
    }

    /// Gives the ghost of `hash`, and forgets it.
    [[nodiscard]] std::optional<Ghost> take(std::uint64_t hash, std::uint64_t now) noexcept {
        for (auto& place : set_of(hash))
            if (place.tag == tag_of(hash)) {
                const auto ghost = Ghost{.last = now - place.age(now), .uses = place.uses};
                place = {};
                return ghost;
            }
        return std::nullopt;
    }

  private:
    static constexpr std::size_t set_size = 8;
    static constexpr unsigned most_uses = 255;

    struct Place {
        std::uint32_t last = 0;     // its lower half
        std::uint32_t tag : 24 = 0; // 0: nobody's
        std::uint32_t uses : 8 = 0;

        [[nodiscard]] std::uint32_t age(std::uint64_t now) const noexcept {
            return tag == 0 ? ~std::uint32_t{0} : static_cast<std::uint32_t>(now) - last;
        }
    };

    [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
        return static_cast<std::uint32_t>(hash >> 40) | 1;
    }
    [[nodiscard]] std::span<Place> set_of(std::uint64_t hash) noexcept {
        const auto set = (hash * 0x9e3779b97f4a7c15 >> 24) % (places_.size() / set_size);
        return std::span(places_).subspan(set * set_size, set_size);
    }

    std::vector<Place> places_ = std::vector<Place>(set_size);
};

} // namespace mooncake::store::detail
