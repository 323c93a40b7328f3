// labels: coroutine concurrent
#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

Task<int> after(Duration length, Result<int> result) {
    auto pause = Event();
    const auto wake = co_await pause.wait(length);
    if (wake == Wake::cancelled) co_return Errc::cancelled;
    co_return result;
}
Task<int> at_once(Result<int> result) { co_return result; }
Task<int> throws() {
    throw std::runtime_error("thrown");
    co_return 0;
}

template <class... Ts>
std::vector<Task<int>> tasks(Ts... ts) {
    auto all = std::vector<Task<int>>();
    (all.push_back(std::move(ts)), ...);
    return all;
}

Task<std::vector<Errc>> settle(std::vector<Task<int>> all) {
    const auto results = co_await all_settled(std::move(all));
    auto codes = std::vector<Errc>();
    for (const auto& result : results) codes.push_back(result ? Errc::ok : result.error().code());
    co_return codes;
}

/// What becomes of `task` when it is cancelled after a moment.
template <class T>
Task<T> outcome_of(Task<T> task) {
    auto outcome = Result<T>(Errc::not_found);
    auto keep = [&outcome](Task<T> inner) -> Task<void> {
        outcome = co_await std::move(inner);
        co_return ok;
    };
    (void)co_await with_deadline(keep(std::move(task)), 20ms);
    co_return outcome;
}

/// Starts children although it has been cancelled itself.
Task<std::vector<Errc>> settle_late(std::vector<Task<int>> all) {
    auto never = Event();
    (void)co_await never.wait();
    const auto results = co_await all_settled(std::move(all));
    auto codes = std::vector<Errc>();
    for (const auto& result : results) codes.push_back(result ? Errc::ok : result.error().code());
    co_return codes;
}

} // namespace

TEST_CASE("combine: all_settled gives every result in order, and a failure stops nobody") {
    auto runtime = Runtime({.threads = 1});
    const auto codes =
        runtime.run(settle(tasks(after(20ms, 1), at_once(Errc::not_found), after(1ms, Errc::corrupt), at_once(4))));
    REQUIRE(codes.has_value());
    CHECK(*codes == std::vector{Errc::ok, Errc::not_found, Errc::corrupt, Errc::ok});
    CHECK(runtime.run(settle({})).value().empty());
}

TEST_CASE("combine: all_or_cancel gives the first failure and cancels the rest") {
    auto runtime = Runtime({.threads = 1});
    const auto start = SteadyClock{}.now();
    const auto result = runtime.run(all_or_cancel(tasks(after(60s, 1), after(5ms, Errc::corrupt), after(60s, 2))));
    CHECK(result.error() == Errc::corrupt);
    CHECK(SteadyClock{}.now() - start < 30s);
    CHECK(runtime.run(all_or_cancel(tasks(after(1ms, 1), at_once(2)))).has_value());
    CHECK(runtime.run(all_or_cancel(tasks())).has_value());
}

TEST_CASE("combine: first_of gives the first success and cancels the rest") {
    auto runtime = Runtime({.threads = 1});
    const auto start = SteadyClock{}.now();
    CHECK(runtime.run(first_of(tasks(after(60s, 1), at_once(Errc::corrupt), after(5ms, 2)))).value() == 2);
    CHECK(SteadyClock{}.now() - start < 30s);
    CHECK(runtime.run(first_of(tasks(after(5ms, Errc::corrupt), after(1ms, Errc::not_found)))).has_error());
    CHECK(runtime.run(first_of(tasks())).error() == Errc::invalid_argument);
}

TEST_CASE("combine: cancelling the caller cancels every child, also those it starts afterwards") {
    auto runtime = Runtime({.threads = 1});
    const auto start = SteadyClock{}.now();
    for (const auto& run : {&settle, &settle_late}) {
        const auto codes = runtime.run(with_deadline(run(tasks(after(60s, 1), at_once(2), after(60s, 3))), 5ms));
        REQUIRE(codes.has_value());
        CHECK(*codes == std::vector{Errc::cancelled, Errc::ok, Errc::cancelled});
    }
    CHECK(SteadyClock{}.now() - start < 30s);
}

TEST_CASE("combine: all_or_cancel and first_of that are cancelled end with what their children say to it") {
    auto runtime = Runtime({.threads = 1});
    const auto start = SteadyClock{}.now();
    auto cancelled = std::atomic<int>(0);
    const auto lasting = [&cancelled]() -> Task<int> {
        auto pause = Event();
        const auto wake = co_await pause.wait(60s);
        if (wake == Wake::cancelled) ++cancelled;
        co_return Errc::corrupt;
    };
    CHECK(runtime.run(outcome_of(all_or_cancel(tasks(lasting(), lasting())))).error() == Errc::corrupt);
    CHECK(cancelled == 2);
    CHECK(runtime.run(outcome_of(first_of(tasks(lasting(), lasting(), lasting())))).error() == Errc::corrupt);
    CHECK(cancelled == 5);
    CHECK(SteadyClock{}.now() - start < 30s);
}

TEST_CASE("combine: what a child throws arrives when all are over") {
    auto runtime = Runtime({.threads = 1});
    CHECK_THROWS_WITH_AS((void)runtime.run(all_or_cancel(tasks(after(60s, 1), throws()))), "thrown",
                         std::runtime_error);
    CHECK_THROWS_AS((void)runtime.run(with_deadline(throws(), 10s)), std::runtime_error);
}

TEST_CASE("combine: a child that throws has the others cancelled") {
    auto runtime = Runtime({.threads = 1});
    const auto begun = SteadyClock{}.now();
    CHECK_THROWS_WITH((void)runtime.run(settle(tasks(after(20s, 1), throws()))), "thrown");
    CHECK(SteadyClock{}.now() - begun < 10s);
}

TEST_CASE("with_deadline: the task's own result when it is in time, timed_out when it is not") {
    auto runtime = Runtime({.threads = 1});
    CHECK(runtime.run(with_deadline(after(1ms, 5), 20s)).value() == 5);
    CHECK(runtime.run(with_deadline(after(1ms, Errc::corrupt), 20s)).error() == Errc::corrupt);
    CHECK(runtime.run(with_deadline(after(60s, 5), 5ms)).error() == Errc::timed_out);
    CHECK(runtime.run(with_deadline(after(60s, 5), Deadline(SteadyClock{}.now() - 1s))).error() == Errc::timed_out);
    CHECK(runtime.run(with_deadline(with_deadline(after(60s, 5), 40s), 5ms)).error() == Errc::timed_out);
}
