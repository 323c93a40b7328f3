#include <mooncake/core/priority.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;
using core::detail::aging;
using core::detail::overtakes;
using core::detail::Standing;

namespace {

const auto start = TimePoint(Duration(1h));

Standing standing(Priority priority, Duration since = {}, Duration until = 10s) {
    return {.priority = priority, .deadline = Deadline(start + until), .since = start + since};
}

} // namespace

TEST_CASE("priority: the higher class goes first, then the earlier deadline, then who came first") {
    const auto urgent = standing(Priority::urgent), normal = standing(Priority::normal),
               background = standing(Priority::background), soon = standing(Priority::normal, {}, 1s);
    CHECK(overtakes(urgent, normal, start));
    CHECK(overtakes(urgent, background, start));
    CHECK(overtakes(normal, background, start));
    CHECK_FALSE(overtakes(normal, urgent, start));
    CHECK_FALSE(overtakes(background, normal, start));
    CHECK(overtakes(soon, normal, start));
    CHECK_FALSE(overtakes(normal, soon, start));
    CHECK_FALSE(overtakes(soon, urgent, start));
    CHECK_FALSE(overtakes(normal, normal, start));
    auto unlimited = normal;
    unlimited.deadline = Deadline::never();
    CHECK(overtakes(normal, unlimited, start));
    // What a stranger sends is some class.
    CHECK_FALSE(overtakes(standing(static_cast<Priority>(200)), normal, start));
}

TEST_CASE("priority: whoever waits counts as more urgent, and at last is overtaken by nobody") {
    const auto waiting = standing(Priority::background);
    const auto at = [&](Priority priority, Duration waited, Duration until) {
        return overtakes(standing(priority, waited, until), waiting, start + waited);
    };
    CHECK(at(Priority::normal, aging - 1ms, 20s));
    CHECK_FALSE(at(Priority::normal, aging, 20s));
    CHECK(at(Priority::normal, aging, 1s)); // of the same class by now, and with less time
    CHECK(at(Priority::urgent, aging, 20s));
    CHECK_FALSE(at(Priority::urgent, 2 * aging, 20s));
    CHECK(at(Priority::urgent, 2 * aging, 1s));
    CHECK_FALSE(at(Priority::urgent, 3 * aging, 1s));
}

TEST_CASE("priority: nobody in a queue waits for ever, whatever comes") {
    auto random = std::mt19937(1);
    struct Waiting {
        Standing standing;
    };
    auto queue = std::deque<Waiting>();
    auto longest = Duration::zero();
    for (auto now = start; now < start + 20s; now += 1ms) {
        for (auto come = random() % 3; come != 0; --come) { // as many as leave, on average
            auto late = Standing{.priority = static_cast<Priority>(random() % 3),
                                 .deadline = Deadline(now + 1ms * (random() % 20'000)),
                                 .since = now};
            const auto place =
                core::detail::place_in(queue, 0, late, [](const Waiting& entry) { return &entry.standing; });
            queue.insert(place, Waiting{late});
        }
        for (std::size_t i = 1; i < queue.size(); ++i) // who came later, and stands before, had a right to
            if (queue[i - 1].standing.since > queue[i].standing.since)
                REQUIRE(queue[i - 1].standing.since - queue[i].standing.since < 3 * aging);
        const auto backlog = Duration(1ms) * static_cast<std::int64_t>(queue.size());
        if (queue.empty()) continue;
        longest = std::max(longest, now - queue.front().standing.since - backlog);
        queue.pop_front();
    }
    CHECK(longest <= 3 * aging);
}
