// labels: coroutine concurrent
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/scope.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

Task<void> wait_for(std::shared_ptr<Event> event, std::shared_ptr<std::atomic<int>> counter) {
    const auto wake = co_await event->wait(10s);
    if (wake == Wake::cancelled) ++*counter;
    co_return ok;
}

Task<void> join(TaskScope* scope) {
    co_await scope->join();
    co_return ok;
}

Task<void> count(std::shared_ptr<std::atomic<int>> counter) {
    ++*counter;
    co_return ok;
}

} // namespace

TEST_CASE("scope: closing cancels what runs, waits for it, and refuses what is new") {
    auto runtime = Runtime({.threads = 2});
    auto scope = TaskScope(runtime.executor(1));
    auto cancelled = std::make_shared<std::atomic<int>>(0);
    for (int i = 0; i < 100; ++i) CHECK(scope.spawn(wait_for(std::make_shared<Event>(), cancelled)).has_value());
    runtime.run(scope.close());
    CHECK(*cancelled == 100);
    CHECK(scope.spawn(count(cancelled)).error() == Errc::closed);
    runtime.run(scope.close());
    CHECK(*cancelled == 100);
}

TEST_CASE("scope: joining waits for the tasks and cancels none") {
    auto runtime = Runtime({.threads = 2});
    auto scope = TaskScope(runtime.executor(1));
    auto done = std::make_shared<std::atomic<int>>(0), cancelled = std::make_shared<std::atomic<int>>(0);
    auto event = std::make_shared<Event>();
    CHECK(scope.spawn(wait_for(event, cancelled)).has_value());
    for (int i = 0; i < 100; ++i) CHECK(scope.spawn(count(done)).has_value());
    event->set();
    CHECK(runtime.run(join(&scope)).has_value());
    CHECK(*done == 100);
    CHECK(*cancelled == 0);
}

TEST_CASE("scope: a task that is spawned while the scope is cancelled is cancelled too") {
    auto runtime = Runtime({.threads = 2});
    for (int round = 0; round < 2000; ++round) {
        auto scope = TaskScope(runtime.executor(0));
        auto cancelled = std::make_shared<std::atomic<int>>(0);
        auto started = 0;
        {
            auto canceller = std::jthread([&scope] { scope.cancel(); });
            for (int i = 0; i < 20; ++i)
                started += scope.spawn(wait_for(std::make_shared<Event>(), cancelled)).has_value();
        }
        const auto before = SteadyClock{}.now();
        runtime.run(scope.close());
        REQUIRE(SteadyClock{}.now() - before < 5s);
        REQUIRE(*cancelled == started);
    }
}

TEST_CASE("scope: a task that was accepted, and had yet to start when the scope was cancelled, is cancelled too") {
    auto runtime = Runtime({.threads = 1});
    auto scope = TaskScope(runtime.executor());
    auto cancelled = std::make_shared<std::atomic<int>>(0);
    auto entered = std::promise<void>(), accepted = std::promise<void>();
    asio::post(runtime.executor(), [&] {
        entered.set_value();
        accepted.get_future().wait();
        scope.cancel(); // at once, before what is in line behind this
    });
    entered.get_future().wait();
    CHECK(scope.spawn(wait_for(std::make_shared<Event>(), cancelled)).has_value());
    accepted.set_value();
    runtime.run(scope.close());
    CHECK(*cancelled == 1);
}

TEST_CASE("scope: a task that ends before it first waits is over all the same") {
    auto runtime = Runtime({.threads = 1});
    auto scope = TaskScope(runtime.executor());
    auto done = std::make_shared<std::atomic<int>>(0);
    for (int i = 0; i < 10; ++i) CHECK(scope.spawn(count(done)).has_value());
    runtime.run(scope.close());
    CHECK(*done == 10);
}
