#include <mooncake/health/backoff.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using namespace std::chrono_literals;

TEST_CASE("backoff: pauses double up to the most, with jitter, and a success ends them") {
    auto differ = false;
    auto previous = Duration::zero();
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        auto backoff = Backoff({.first = 10ms, .most = 150ms}, seed);
        auto now = TimePoint{} + 1h;
        CHECK(backoff.may_try(now));
        for (const auto mean : {10ms, 20ms, 40ms, 80ms, 100ms, 100ms, 100ms}) {
            backoff.failed(now);
            const auto pause = backoff.next() - now;
            CHECK(pause >= mean / 2);
            CHECK(pause <= mean * 3 / 2);
            CHECK(pause <= 150ms);
            CHECK_FALSE(backoff.may_try(backoff.next() - 1ns));
            CHECK(backoff.may_try(backoff.next()));
            differ |= previous != Duration::zero() && pause != previous;
            previous = pause;
            now = backoff.next();
        }
        backoff.succeeded();
        CHECK(backoff.may_try(now));
        backoff.failed(now);
        CHECK(backoff.next() - now <= 15ms);
    }
    CHECK(differ);
}
