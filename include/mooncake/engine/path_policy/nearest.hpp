#pragma once

#include <mooncake/engine/path_policy/concept.hpp>

namespace mooncake {

/// Choose this when: the machine's topology says all there is to say. The nearest paths share the load, the one with the least
/// on its way first; others only serve when no nearer one is usable.
class NearestPaths {
  public:
    static constexpr std::string_view name = "nearest";

    [[nodiscard]] std::size_t choose(std::span<const PathView> paths, const PathWish&, TimePoint) const noexcept {
        auto best = paths.size();
        for (std::size_t i = 0; i < paths.size(); ++i)
            if (paths[i].usable && (best == paths.size() || better(paths[i], paths[best]))) best = i;
        return best;
    }

  private:
    static bool better(const PathView& a, const PathView& b) noexcept {
        return a.preference != b.preference ? a.preference < b.preference : a.in_flight < b.in_flight;
    }
};
static_assert(PathPolicy<NearestPaths>);

} // namespace mooncake
