#pragma once

#include <mooncake/engine/path_policy/concept.hpp>

namespace mooncake {

/// Choose this when: all paths are alike, or for comparison. One after the other, those that are full left out while another is
/// not.
class RoundRobinPaths {
  public:
    static constexpr std::string_view name = "round robin";

    [[nodiscard]] std::size_t choose(std::span<const PathView> paths, const PathWish&, TimePoint) noexcept {
        for (const auto want_room : {true, false})
            for (std::size_t i = 0; i < paths.size(); ++i) {
                const auto at = (next_ + i) % paths.size();
                if (!paths[at].usable || (want_room && paths[at].room == 0)) continue;
                next_ = at + 1;
                return at;
            }
        return paths.size();
    }

  private:
    std::size_t next_ = 0;
};
static_assert(PathPolicy<RoundRobinPaths>);

} // namespace mooncake
