#include <mooncake/health/breaker.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using namespace std::chrono_literals;

TEST_CASE(
    "breaker: what fails again and again rests twice as long each time, up to a bound, and not at all once it works") {
    auto breaker = Breaker({.rest = 500ms, .most_doublings = 3});
    auto now = TimePoint(1h);
    CHECK(breaker.closed());
    CHECK(breaker.may_try(now));
    for (const auto expected : {500ms, 1'000ms, 2'000ms, 4'000ms, 4'000ms, 4'000ms}) {
        const auto began = now;
        breaker.failed(began, now += 1ms);
        CHECK_FALSE(breaker.closed());
        CHECK(breaker.retry_at() == now + expected);
        CHECK_FALSE(breaker.may_try(now + expected - 1ns));
        now += expected;
        CHECK(breaker.may_try(now));
    }
    breaker.worked();
    CHECK(breaker.closed());
    CHECK(breaker.may_try(TimePoint()));
    breaker.failed(now, now + 1ms);
    CHECK(breaker.retry_at() == now + 501ms);
}

TEST_CASE("breaker: half open, one attempt at a time finds out") {
    auto breaker = Breaker({.rest = 500ms, .probe = 100ms});
    const auto start = TimePoint(1h);
    breaker.tried(start); // nothing is known against it: all may
    CHECK(breaker.may_try(start));
    breaker.failed(start, start + 1ms);
    const auto rested = start + 501ms;
    CHECK(breaker.may_try(rested));
    breaker.tried(rested);
    CHECK_FALSE(breaker.may_try(rested + 99ms));
    CHECK(breaker.may_try(rested + 100ms)); // the one that was to find out took too long
    breaker.worked();
    CHECK(breaker.may_try(rested));
}

TEST_CASE("breaker: what was under way when something failed is no failure of its own") {
    auto breaker = Breaker({.rest = 500ms});
    const auto start = TimePoint(1h);
    for (auto i = 0; i < 8; ++i) breaker.failed(start, start + 10ms);
    CHECK(breaker.retry_at() == start + 510ms);
    breaker.failed(start + 20ms, start + 30ms); // begun after it was known
    CHECK(breaker.retry_at() == start + 30ms + 1s);
}
