#pragma once

#include <mooncake/core/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace mooncake {

/// How soon a request is to have its turn where several wait for one connection.
enum class Priority : std::uint8_t {
    normal = 0,
    urgent = 1,     ///< somebody waits for it, such as for the next token
    background = 2, ///< nobody does: prefetch, replication
};

namespace core::detail {

/// What a queue knows of who waits in it.
struct Standing {
    Priority priority = Priority::normal;
    Deadline deadline = {};
    TimePoint since = {};
};

/// For so long whoever waits stays in his class; then he counts as one of the class above, and of the one above that. After
/// three times as long nobody goes before him.
inline constexpr Duration aging = std::chrono::milliseconds{20};

/// 0 urgent, 1 normal, 2 background; less by what was waited.
[[nodiscard]] constexpr std::int64_t rank_of(const Standing& who, TimePoint now) noexcept {
    const auto own = who.priority == Priority::urgent ? 0 : who.priority == Priority::background ? 2 : 1;
    return std::max<std::int64_t>(0, own - (now - who.since) / aging);
}

/// Whether somebody who has just come goes before somebody who waits: he is of a higher class, or of the same one and has less
/// time.
[[nodiscard]] constexpr bool overtakes(const Standing& late, const Standing& waiting, TimePoint now) noexcept {
    if (now - waiting.since >= 3 * aging) return false;
    const auto his = rank_of(late, now), other = rank_of(waiting, now);
    return his != other ? his < other : late.deadline < waiting.deadline;
}

/// Where in `queue` somebody who has just come belongs: behind the first `settled`, and behind whoever he does not overtake.
/// `standing_of(entry)` gives a pointer to the entry's standing, null for one that nobody overtakes.
template <class Queue, class StandingOf>
[[nodiscard]] auto place_in(Queue& queue, std::size_t settled, const Standing& late, const StandingOf& standing_of) {
    auto place = queue.end();
    const auto first = queue.begin() + static_cast<std::ptrdiff_t>(std::min(settled, queue.size()));
    while (place != first) {
        const auto* const waiting = standing_of(*std::prev(place));
        if (waiting == nullptr || !overtakes(late, *waiting, late.since)) break;
        --place;
    }
    return place;
}

} // namespace core::detail

} // namespace mooncake
