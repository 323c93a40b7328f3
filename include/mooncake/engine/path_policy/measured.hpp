#pragma once

#include <mooncake/engine/path_policy/concept.hpp>

#include <algorithm>
#include <chrono>

namespace mooncake {

/// Choose this when: always, unless you know better. The path over which the bytes would arrive first, by what has been measured:
/// (bytes in flight + these) / speed, a tenth more for each step that it is farther away. One that is full is waited for where
/// even then it would be first, so that the last bytes of a transfer do not leave over a slow path. One that was not used for a
/// while gets some bytes to show what it can; one that was never measured has one chunk at a time until it was.
class MeasuredPaths {
  public:
    static constexpr std::string_view name = "measured";
    static constexpr Duration probe_every = std::chrono::milliseconds{500};

    [[nodiscard]] std::size_t choose(std::span<const PathView> paths, std::uint64_t bytes,
                                     TimePoint now) const noexcept {
        auto usual = 0.0; // what one that was not measured is taken for: the best of the others
        for (const auto& path : paths) usual = std::max(usual, path.bytes_per_second);
        if (usual <= 0) usual = 1e9;
        auto best = paths.size();
        auto soonest = 0.0;
        for (std::size_t i = 0; i < paths.size(); ++i) {
            const auto& path = paths[i];
            if (!path.usable) continue;
            const auto idle = path.in_flight == 0 && now - path.last_used >= probe_every;
            const auto unknown = path.in_flight == 0 && path.bytes_per_second <= 0;
            if (idle || unknown) return i;
            const auto speed = path.bytes_per_second > 0 ? path.bytes_per_second : usual;
            const auto arrives = static_cast<double>(path.in_flight + bytes) / speed * (1 + 0.1 * path.preference);
            if (best == paths.size() || arrives < soonest) best = i, soonest = arrives;
        }
        return best;
    }
};
static_assert(PathPolicy<MeasuredPaths>);

} // namespace mooncake
