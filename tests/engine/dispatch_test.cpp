#include <mooncake/core/random.hpp>
#include <mooncake/engine/dispatch.hpp>
#include <mooncake/engine/path_policy/nearest.hpp>
#include <mooncake/engine/path_policy/round_robin.hpp>

#include "simulated_links.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using namespace mooncake::engine::detail;
using namespace mooncake::test;

namespace {

struct Stubborn {
    static constexpr std::string_view name = "stubborn";
    [[nodiscard]] std::size_t choose(std::span<const PathView>, const PathWish&, TimePoint) const { return 0; }
};

/// How much of what the links together could do is used by a transfer of a gigabyte.
double share_used(std::vector<double> megabytes) {
    auto sum = 0.0;
    auto links = std::vector<Link>();
    for (const auto one : megabytes) {
        sum += one * 1e6;
        links.push_back(steady(one));
    }
    auto dispatch = Dispatch<>(std::vector<unsigned>(links.size()), {});
    auto simulation = Simulation(dispatch, links);
    constexpr auto bytes = 1 * GiB;
    const auto took = simulation.transfer(bytes);
    CHECK(simulation.silent == 0);
    return static_cast<double>(bytes) / sum / seconds(took);
}

} // namespace

TEST_CASE("dispatch: one request uses what all of its paths have together, alike or not") {
    CHECK(share_used({125}) > 0.98);
    CHECK(share_used({125, 125}) > 0.97);
    CHECK(share_used({125, 125, 125, 125}) > 0.97);
    CHECK(share_used({125, 31.25}) > 0.96);
    CHECK(share_used({1000, 100, 10}) > 0.95);
    CHECK(share_used({12'500, 12'500}) > 0.90); // 100 Gb/s each: a chunk is a matter of microseconds
}

TEST_CASE("dispatch: a path that is noisy, drifts or has two speeds is measured as what it is") {
    auto random = SplitMix64(7);
    const auto noisy = [&](TimePoint) { return 125e6 * (0.5 + random.uniform()); };
    const auto drifting = [](TimePoint at) {
        return 125e6 * (1.5 + std::sin(seconds(at.time_since_epoch()) / 2)); // 62 … 312 MB/s in 12 s
    };
    const auto bimodal = [&](TimePoint) { return random.uniform() < 0.2 ? 25e6 : 125e6; };
    const auto expect = [](std::function<double(TimePoint)> speed, double least, double most) {
        auto meter = PathMeter();
        auto now = TimePoint(1h);
        for (auto i = 0; i < 2'000; ++i) {
            const auto id = meter.sent(1 * MiB, now);
            now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 * MiB / speed(now)));
            meter.arrived(id, 1 * MiB, now);
            if (i < 100) continue;
            CHECK(meter.rate(now) > least * speed(now));
            CHECK(meter.rate(now) < most * speed(now));
        }
    };
    expect([](TimePoint) { return 125e6; }, 0.999, 1.001);
    expect(drifting, 0.85, 1.15);
    // Of what jumps about, the middle is what is wanted: a single sample counts for an eighth.
    const auto spread_of = [](std::function<double(TimePoint)> speed) {
        auto meter = PathMeter();
        auto now = TimePoint(1h);
        auto least = std::numeric_limits<double>::max(), most = 0.0;
        for (auto i = 0; i < 2'000; ++i) {
            const auto id = meter.sent(1 * MiB, now);
            now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 * MiB / speed(now)));
            meter.arrived(id, 1 * MiB, now);
            if (i < 100) continue;
            least = std::min(least, meter.rate(now));
            most = std::max(most, meter.rate(now));
        }
        return std::pair(least, most);
    };
    const auto [noisy_least, noisy_most] = spread_of(noisy);
    CHECK(noisy_least > 125e6 * 0.7);
    CHECK(noisy_most < 125e6 * 1.3);
    const auto [bimodal_least, bimodal_most] = spread_of(bimodal);
    CHECK(bimodal_least > 40e6);
    CHECK(bimodal_most < 125.1e6);
}

TEST_CASE("dispatch: chunks that wait behind each other do not make a path slow") {
    auto meter = PathMeter();
    const auto start = TimePoint(1h);
    auto ids = std::vector<PathMeter::Id>();
    for (auto i = 0; i < 100; ++i) ids.push_back(meter.sent(1 * MiB, start));
    CHECK(meter.in_flight() == 100 * MiB);
    auto now = start;
    for (const auto id : ids) meter.arrived(id, 1 * MiB, now += 10ms);
    CHECK(meter.rate(now) == doctest::Approx(1 * MiB / 0.010));
    CHECK(meter.in_flight() == 0);
    meter.arrived(ids.front(), 1 * MiB, now); // again, and one that was never sent: nothing happens
    meter.gave_up(12345);
    CHECK(meter.in_flight() == 0);
}

TEST_CASE("dispatch: what does not arrive makes a path slow while it does not") {
    auto meter = PathMeter();
    auto now = TimePoint(1h);
    for (auto i = 0; i < 10; ++i) {
        const auto id = meter.sent(1 * MiB, now);
        meter.arrived(id, 1 * MiB, now += 1ms);
    }
    const auto overdue = meter.sent(1 * MiB, now);
    CHECK(meter.rate(now + 1ms) == doctest::Approx(1 * MiB / 0.001));
    CHECK(meter.rate(now + 100ms) == doctest::Approx(1 * MiB / 0.1));
    meter.gave_up(overdue);
    CHECK(meter.rate(now + 100ms) == doctest::Approx(1 * MiB / 0.001));
    // A few bytes say nothing of how wide the way is.
    for (auto i = 0; i < 100; ++i) {
        const auto id = meter.sent(64, now);
        meter.arrived(id, 1 * MiB, now += 1ms);
    }
    CHECK(meter.rate(now) == doctest::Approx(1 * MiB / 0.001));
}

TEST_CASE("dispatch: a link that dies in the middle is left within 100 ms, and used again when it is back") {
    auto dispatch = Dispatch<>(std::vector<unsigned>(2), {});
    auto simulation = Simulation(dispatch, {steady(125), steady(125)});
    const auto dies = simulation.now + 1s, returns = dies + 2s;
    simulation.links[1].speed = [=](TimePoint at) { return at >= dies && at < returns ? 0.0 : 125e6; };
    const auto took = simulation.transfer(1 * GiB);
    CHECK(seconds(took) < 8.6); // all on the one that is left
    CHECK(simulation.silent > 0);
    CHECK(simulation.longest_silence <= 100ms);
    const auto before = simulation.moved[1];
    while (simulation.now < returns + 5s) simulation.transfer(64 * MiB);
    CHECK(simulation.moved[1] > before + 64 * MiB);
    simulation.moved.assign(2, 0);
    simulation.transfer(1 * GiB);
    CHECK(static_cast<double>(simulation.moved[1]) > 0.4 * GiB);
}

TEST_CASE("dispatch: a link that becomes ten times slower has little queued on it when that is noticed") {
    auto dispatch = Dispatch<>(std::vector<unsigned>(2), {});
    auto simulation = Simulation(dispatch, {steady(125), steady(125)});
    simulation.transfer(256 * MiB);
    const auto slows = simulation.now + 500ms;
    simulation.links[1].speed = [=](TimePoint at) { return at >= slows ? 12.5e6 : 125e6; };
    const auto took = simulation.transfer(1 * GiB);
    const auto best = 0.5 + (static_cast<double>(1 * GiB) - 125e6) / 137.5e6;
    CHECK(seconds(took) < best + 0.3);
}

TEST_CASE("dispatch: small requests take one path, those that have failed them are left out, and a last one is tried") {
    auto dispatch = Dispatch<>(std::vector<unsigned>(2), {});
    const auto now = TimePoint(1h);
    const auto first = dispatch.choose({4096, 4096}, 0, true, now);
    REQUIRE(first.has_value());
    CHECK(first->bytes >= 64 * KiB);
    const auto chunk = dispatch.send(first->path, 4096, now);
    dispatch.failed(chunk, now + 1ms);
    const auto second = dispatch.choose({4096, 4096}, Dispatcher::Paths{1} << first->path, true, now + 1ms);
    REQUIRE(second.has_value());
    CHECK(second->path != first->path);
    CHECK_FALSE(dispatch.choose({4096, 4096}, 3, true, now + 1ms).has_value());
    // Both have failed: the one that has rested longer is tried all the same, where there is nothing else.
    dispatch.failed(dispatch.send(second->path, 4096, now + 1ms), now + 2ms);
    CHECK_FALSE(dispatch.choose({4096, 4096}, 0, false, now + 3ms).has_value());
    CHECK(dispatch.choose({4096, 4096}, 0, true, now + 3ms)->path == first->path);
}

TEST_CASE("dispatch: what was refused, and a few bytes, say nothing of how fast a path is") {
    auto meter = PathMeter();
    auto now = TimePoint(1h);
    for (auto i = 0; i < 10; ++i) {
        const auto id = meter.sent(1 * MiB, now);
        meter.arrived(id, 1 * MiB, now += 1ms);
    }
    for (auto i = 0; i < 10; ++i) {
        const auto id = meter.sent(8 * MiB, now);
        meter.arrived(id, 0, now += 100us);
    }
    CHECK(meter.rate(now) == doctest::Approx(1 * MiB / 0.001));

    auto few = PathMeter(); // a few bytes do not make a first measurement
    few.arrived(few.sent(1, now), 1, now + 5ms);
    CHECK_FALSE(few.measured());
}

TEST_CASE("dispatch: a path that was never measured has one chunk, and a policy that is wrong does no harm") {
    auto dispatch = Dispatch<>(std::vector<unsigned>(2), {});
    const auto now = TimePoint(1h);
    const auto first = dispatch.choose({1 * MiB, 1 * GiB}, 0, true, now);
    (void)dispatch.send(first->path, 1 * MiB, now);
    const auto second = dispatch.choose({1 * MiB, 1 * GiB}, 0, false, now);
    REQUIRE(second.has_value());
    CHECK(second->path != first->path);
    (void)dispatch.send(second->path, 1 * MiB, now);
    CHECK_FALSE(dispatch.choose({1 * MiB, 1 * GiB}, 0, false, now).has_value());

    auto stubborn = Dispatch<Stubborn>(std::vector<unsigned>(2), {});
    CHECK(stubborn.choose({1, 1}, 1, true, now)->path == 1);
    CHECK_FALSE(stubborn.choose({1, 1}, 1, false, now).has_value());
}

TEST_CASE("dispatch: other policies") {
    auto nearest = Dispatch<NearestPaths>(std::vector<unsigned>{1, 0, 0}, {});
    auto simulation = Simulation(nearest, {steady(100), steady(100), steady(100)});
    simulation.transfer(256 * MiB);
    CHECK(simulation.moved[0] == 0);
    CHECK(simulation.moved[1] > 96 * MiB);
    simulation.links[1].speed = simulation.links[2].speed = [](TimePoint) { return 0.0; };
    simulation.transfer(64 * MiB);
    CHECK(simulation.moved[0] > 0);

    auto in_turn = Dispatch<RoundRobinPaths>(std::vector<unsigned>(2), {});
    auto turns = Simulation(in_turn, {steady(100), steady(100)});
    turns.transfer(256 * MiB);
    CHECK(std::max(turns.moved[0], turns.moved[1]) - std::min(turns.moved[0], turns.moved[1]) <= 8 * MiB);
}
