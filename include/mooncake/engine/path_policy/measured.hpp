#pragma once

#include <mooncake/engine/path_policy/concept.hpp>

#include <algorithm>
#include <chrono>
#include <limits>

namespace mooncake {

/// Choose this when: always, unless you know better. The path over which the bytes would arrive first, by what has been measured:
/// (bytes in flight + these) / speed, a tenth more for each step that it is farther away. Where that one is full, the next best
/// one that has room, but only if its bytes would be there before all is over as it is: the last bytes of a transfer wait for a
/// fast path rather than leave over a slow one. A path that was not used for a while, while others
/// were, gets some bytes to show what it can, where that does not hold up the transfer for long; one that was never measured has
/// one chunk at a time until it was.
class MeasuredPaths {
  public:
    static constexpr std::string_view name = "measured";
    static constexpr Duration probe_every = std::chrono::milliseconds{500};
    static constexpr double most_for_probe = 4;

    [[nodiscard]] std::size_t choose(std::span<const PathView> paths, const PathWish& wish,
                                     TimePoint now) const noexcept {
        auto usual = 0.0; // what one that was not measured is taken for: the best of the others
        auto latest = TimePoint();
        for (const auto& path : paths) {
            usual = std::max(usual, path.bytes_per_second);
            if (path.usable) latest = std::max(latest, path.last_used);
        }
        if (usual <= 0) usual = 1e9;
        auto best = Found{paths.size()}, with_room = Found{paths.size()}, idle = Found{paths.size()};
        auto speed_of_all = 0.0, to_arrive = static_cast<double>(wish.left);
        for (std::size_t i = 0; i < paths.size(); ++i) {
            const auto& path = paths[i];
            if (!path.usable) continue;
            if (path.in_flight == 0 && path.bytes_per_second <= 0) return i;
            const auto speed = path.bytes_per_second > 0 ? path.bytes_per_second : usual;
            const auto ahead = static_cast<double>(path.in_flight);
            speed_of_all += speed;
            to_arrive += ahead;
            const auto arrives = (ahead + static_cast<double>(wish.bytes)) / speed * (1 + 0.1 * path.preference);
            if (arrives < best.arrives) best = {i, arrives};
            if (path.room != 0 && arrives < with_room.arrives) with_room = {i, arrives};
            const auto unused = path.in_flight == 0 && path.last_used < latest && now - path.last_used >= probe_every;
            if (unused && (idle.path == paths.size() || path.last_used < paths[idle.path].last_used))
                idle = {i, arrives};
        }
        // To find out about it may cost something, but not many times what all takes without it.
        if (idle.arrives * speed_of_all <= most_for_probe * to_arrive) return idle.path;
        return with_room.arrives * speed_of_all <= to_arrive ? with_room.path : best.path;
    }

  private:
    struct Found {
        std::size_t path;
        double arrives = std::numeric_limits<double>::infinity(); ///< seconds from now
    };
};
static_assert(PathPolicy<MeasuredPaths>);

} // namespace mooncake
