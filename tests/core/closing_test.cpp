// labels: coroutine concurrent
#include <mooncake/core/closing.hpp>
#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/scope.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

asio::awaitable<void> slowly(std::atomic<int>* closed) {
    auto pause = Event();
    co_await pause.wait(20ms);
    ++*closed;
}
/// How often it was closed when this returned.
Task<int> close(Closing* closing, std::atomic<int>* closed) {
    co_await closing->once(slowly(closed));
    co_return closed->load();
}
Task<std::vector<Result<int>>> close_often(Closing* closing, std::atomic<int>* closed) {
    auto tasks = std::vector<Task<int>>();
    for (int i = 0; i < 8; ++i) tasks.push_back(close(closing, closed));
    co_return co_await all_settled(std::move(tasks));
}

Task<void> join(TaskScope* scope) {
    co_await scope->join();
    co_return ok;
}
Task<void> wait(Duration length) {
    auto pause = Event();
    co_await pause.wait(length);
    co_return ok;
}
Task<void> join_thrice(TaskScope* scope) {
    auto tasks = std::vector<Task<void>>();
    for (int i = 0; i < 3; ++i) tasks.push_back(join(scope));
    co_await all_settled(std::move(tasks));
    co_return ok;
}

} // namespace

TEST_CASE("closing: it is done once, and whoever asks for it returns when it is done") {
    auto runtime = Runtime({.threads = 2});
    auto closing = Closing();
    auto closed = std::atomic<int>(0);
    CHECK_FALSE(closing.is_over());
    const auto seen = runtime.run(close_often(&closing, &closed)).value();
    REQUIRE(seen.size() == 8);
    for (const auto& one : seen) CHECK(one.value() == 1);
    CHECK(closing.is_over());
    CHECK(runtime.run(close(&closing, &closed)).value() == 1);
}

TEST_CASE("scope: several may wait for its end, and none returns before it") {
    auto runtime = Runtime({.threads = 1});
    auto scope = TaskScope(runtime.executor());
    REQUIRE(scope.spawn(wait(1ms)).has_value());
    CHECK(runtime.run(wait(5ms)).has_value()); // the first is over before anybody waits
    REQUIRE(scope.spawn(wait(30ms)).has_value());
    const auto begun = SteadyClock{}.now();
    CHECK(runtime.run(join_thrice(&scope)).has_value());
    CHECK(SteadyClock{}.now() - begun > 10ms);
}
