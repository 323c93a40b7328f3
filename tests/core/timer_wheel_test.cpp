#include <mooncake/core/timer_wheel.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

using namespace mooncake;

TEST_CASE("timer wheel: nodes fire at their tick, not before, whatever the distance") {
    for (const std::uint64_t start : {0UL, 1UL, 63UL, 64UL, 4095UL, 262'143UL, 1'000'000'007UL})
        for (const std::uint64_t distance : {1UL, 2UL, 63UL, 64UL, 65UL, 4095UL, 4096UL, 4097UL, 262'143UL, 262'144UL,
                                             262'145UL, (1UL << 24) - 1, 1UL << 24, (1UL << 24) + 1}) {
            if (distance > 5000 && start != 262'143) continue; // millions of steps
            auto wheel = TimerWheel();
            wheel.advance(start, [](auto&) {});
            auto node = TimerWheel::Node();
            wheel.add(node, start + distance);
            auto fired = std::uint64_t{0};
            const auto fire = [&](auto&) { fired = wheel.now(); };
            // As a driver would: from one tick at which something may happen to the next.
            for (auto next = wheel.next(); next && fired == 0; next = wheel.next()) {
                REQUIRE(*next <= start + distance);
                REQUIRE(*next > wheel.now());
                wheel.advance(*next, fire);
            }
            REQUIRE(fired == start + distance);
            REQUIRE_FALSE(wheel.next().has_value());
        }
}

TEST_CASE("timer wheel: what is due in the past fires at the next tick") {
    auto wheel = TimerWheel();
    wheel.advance(1000, [](auto&) {});
    auto node = TimerWheel::Node();
    auto fired = 0;
    wheel.add(node, 3);
    wheel.advance(1000, [&](auto&) { ++fired; });
    CHECK(fired == 0);
    wheel.advance(1001, [&](auto&) { ++fired; });
    CHECK(fired == 1);
    CHECK_FALSE(node.linked());
    wheel.remove(node);
    CHECK(wheel.size() == 0);
}

TEST_CASE("timer wheel: a random life agrees with a sorted list") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        auto wheel = TimerWheel();
        auto nodes = std::deque<TimerWheel::Node>(300);
        auto expected = std::multimap<std::uint64_t, TimerWheel::Node*>();
        const auto due_in = [&] {
            return random() % (std::uint64_t{1} << (random() % (random() % 500 == 0 ? 25 : 15)));
        };
        const auto forget = [&](TimerWheel::Node& node) {
            for (auto at = expected.begin(); at != expected.end(); ++at)
                if (at->second == &node) {
                    expected.erase(at);
                    return;
                }
        };
        const auto add = [&](TimerWheel::Node& node) {
            const auto due = wheel.now() + due_in();
            wheel.add(node, due);
            expected.emplace(std::max(due, wheel.now() + 1), &node);
        };
        for (int step = 0; step < 1500; ++step) {
            auto& node = nodes[random() % nodes.size()];
            if (node.linked() && random() % 2 == 0) {
                wheel.remove(node);
                forget(node);
            } else if (!node.linked()) {
                add(node);
            }
            if (random() % 4 == 0) {
                const auto to = wheel.now() + due_in() / 4;
                wheel.advance(to, [&](TimerWheel::Node& fired) {
                    REQUIRE_FALSE(expected.empty());
                    REQUIRE(expected.begin()->first == wheel.now());
                    REQUIRE_FALSE(fired.linked());
                    forget(fired);
                    if (random() % 3 == 0) add(fired); // from inside, as a repeating timer would
                });
                REQUIRE(wheel.now() == to);
                if (!expected.empty()) REQUIRE(expected.begin()->first > to);
            }
            REQUIRE(wheel.size() == expected.size());
            REQUIRE(wheel.next().has_value() == !expected.empty());
            if (!expected.empty()) REQUIRE(*wheel.next() <= expected.begin()->first);
        }
    }
}
