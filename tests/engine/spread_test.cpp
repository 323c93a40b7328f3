// labels: io coroutine
// What `Spreading` makes of paths that fail, are silent or throw: paths that are functions here.
#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/spread.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using namespace mooncake::engine::detail;

namespace {

using Path = std::function<Task<void>(SliceGroup)>;

/// Everything is there after so long.
Task<void> wait(Duration time, SliceGroup group) {
    auto pause = Event();
    const auto wake = co_await pause.wait(Deadline(time).or_sooner(group.deadline));
    const auto late = group.deadline.passed() || wake == Wake::cancelled;
    set_outcome(group.slices, wake == Wake::cancelled ? Errc::cancelled : late ? Errc::timed_out : Errc::ok);
    co_return ok;
}
Path after(Duration time) {
    return [time](SliceGroup group) { return wait(time, group); };
}
/// Nothing ever is.
Path never() { return after(1h); }
Path failing(Errc why) {
    return [why](SliceGroup group) -> Task<void> {
        set_outcome(group.slices, why);
        co_return Error(why, "this path is told to fail");
    };
}

struct Fixture {
    explicit Fixture(std::vector<Path> over)
        : paths(std::move(over)), dispatch(std::vector<unsigned>(paths.size()), {}) {}

    /// Moves so many slices of 64 KiB.
    Result<void> move(std::size_t count, Deadline deadline) {
        slices.assign(count, {.length = 64 * 1024, .outcome = Errc::no_path});
        begun.assign(paths.size(), 0);
        return runtime.run(run({.slices = slices, .deadline = deadline}));
    }
    Task<void> run(SliceGroup group) {
        auto send = [this](std::size_t path, SliceGroup part) {
            ++begun[path];
            return paths[path](part);
        };
        auto spreading = Spreading<decltype(send)>(dispatch, mutex, group, std::move(send));
        co_return co_await spreading.run();
    }
    [[nodiscard]] std::size_t count(Errc outcome) const {
        return static_cast<std::size_t>(
            std::count_if(slices.begin(), slices.end(), [&](const Slice& slice) { return slice.outcome == outcome; }));
    }

    Runtime runtime{{.threads = 1}};
    std::vector<Path> paths;
    Dispatch<> dispatch;
    std::mutex mutex;
    std::vector<Slice> slices;
    std::vector<int> begun;
};

} // namespace

TEST_CASE("spread: paths that are silent for a while are tried again as long as there is time") {
    const auto until = std::chrono::steady_clock::now() + 900ms;
    const auto asleep = [until](SliceGroup group) {
        return wait(std::max<Duration>(until - std::chrono::steady_clock::now(), 1ms), group);
    };
    auto f = Fixture({asleep, asleep});
    CHECK(f.move(16, 10s).has_value());
    CHECK(f.count(Errc::ok) == 16);
}

TEST_CASE("spread: paths that are slower than anybody would wait for are measured in the end") {
    auto f = Fixture({after(1s), after(1s)});
    CHECK(f.move(64, 30s).has_value());
    CHECK(f.count(Errc::ok) == 64);
}

TEST_CASE("spread: one path that never answers costs little time, and the less the better it is known") {
    auto f = Fixture({never(), after(1ms)});
    for (auto i = 0; i < 10; ++i) {
        const auto moved = f.move(1, 200ms);
        CHECK_MESSAGE(moved.has_value(), moved.error());
        CHECK(f.count(Errc::ok) == 1);
    }
    CHECK(f.begun[0] == 0);
}

TEST_CASE("spread: all silent until the deadline is timed_out, at the deadline") {
    auto f = Fixture({never(), never(), never()});
    const auto start = SteadyClock{}.now();
    CHECK(f.move(8, 700ms).has_value());
    CHECK(f.count(Errc::timed_out) == 8);
    const auto took = SteadyClock{}.now() - start;
    CHECK(took > 650ms);
    CHECK(took < 900ms);
}

TEST_CASE("spread: all failing is an error with the last one's sentence, at once") {
    auto f = Fixture({failing(Errc::unreachable), failing(Errc::connection_lost)});
    const auto moved = f.move(8, 10s);
    REQUIRE(!moved);
    CHECK(moved.error().context() == "this path is told to fail");
    CHECK(f.count(Errc::ok) == 0);
    CHECK(f.begun == std::vector<int>{1, 1});
}

TEST_CASE("spread: an address that leads to another process does not speak for the segment") {
    auto f = Fixture({failing(Errc::stale_generation), after(1ms)});
    CHECK(f.move(8, 10s).has_value());
    CHECK(f.count(Errc::ok) == 8);
    auto all = Fixture({failing(Errc::stale_generation), failing(Errc::stale_generation)});
    CHECK(all.move(8, 10s).error() == Errc::stale_generation);
    CHECK(all.count(Errc::stale_generation) == 8);
}

TEST_CASE("spread: what a path throws ends the operation when the others have given the memory back") {
    std::atomic<int> under_way = 0;
    const auto counted = [&under_way](SliceGroup group) -> Task<void> {
        ++under_way;
        const auto moved = co_await wait(50ms, group);
        --under_way;
        co_return moved;
    };
    const auto throwing_at_once = [](SliceGroup) -> Task<void> { throw std::runtime_error("no memory for a chunk"); };
    const auto throwing_later = [](SliceGroup) -> Task<void> {
        auto pause = Event();
        co_await pause.wait(Deadline(5ms));
        throw std::runtime_error("no memory in a chunk");
    };
    for (const auto& throwing : {Path(throwing_at_once), Path(throwing_later)}) {
        auto f = Fixture({counted, throwing});
        CHECK_THROWS_AS((void)f.move(64, 10s), std::runtime_error);
        CHECK(under_way == 0);
        f.paths = {after(1ms), after(1ms)};
        CHECK(f.move(64, 10s).has_value()); // nothing is left in flight in the books
        CHECK(f.count(Errc::ok) == 64);
    }
}

TEST_CASE("spread: cancelled, it ends when the paths have let go, and says so of each slice") {
    auto f = Fixture({never(), never()});
    f.slices.assign(8, {.length = 64 * 1024, .outcome = Errc::no_path});
    f.begun.assign(2, 0);
    auto cancelled = [&]() -> Task<void> {
        auto work = f.run({.slices = f.slices, .deadline = 10s});
        co_return co_await with_deadline(std::move(work), Deadline(30ms));
    };
    const auto start = SteadyClock{}.now();
    (void)f.runtime.run(cancelled());
    CHECK(SteadyClock{}.now() - start < 1s);
    CHECK(f.count(Errc::cancelled) == 8);
}

TEST_CASE("spread: a path that fails while the operation is cancelled has failed, and has not worked") {
    const auto breaking = [](SliceGroup group) -> Task<void> {
        auto pause = Event();
        const auto wake = co_await pause.wait(Deadline(1h));
        CHECK(wake == Wake::cancelled);
        set_outcome(group.slices, Errc::connection_lost);
        co_return Error(Errc::connection_lost, "this path breaks");
    };
    auto f = Fixture({breaking, breaking});
    f.slices.assign(8, {.length = 64 * 1024, .outcome = Errc::no_path});
    f.begun.assign(2, 0);
    auto cancelled = [&]() -> Task<void> {
        auto work = f.run({.slices = f.slices, .deadline = 10s});
        co_return co_await with_deadline(std::move(work), Deadline(5ms));
    };
    (void)f.runtime.run(cancelled());
    REQUIRE(f.begun[0] == 1);
    CHECK_FALSE(f.dispatch.choose({1, 1}, 2, false, SteadyClock{}.now()).has_value()); // it rests
}

TEST_CASE("spread: few of many paths, nothing to move, and one slice more than there are paths") {
    auto f = Fixture(std::vector<Path>(64, after(1ms)));
    CHECK(f.move(0, 1s).has_value());
    for (const auto count : {1U, 2U, 65U, 300U}) {
        CHECK(f.move(count, 10s).has_value());
        CHECK(f.count(Errc::ok) == count);
    }
}
