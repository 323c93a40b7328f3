// labels: coroutine concurrent
#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>

#include "support/application.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace mooncake;
using test::Application;
using namespace std::chrono_literals;

namespace {

Task<int> after(Duration length, int value) {
    auto pause = Event();
    const auto wake = co_await pause.wait(length);
    if (wake == Wake::cancelled) co_return Errc::cancelled;
    co_return value;
}
Task<int> forever() {
    auto never = Event();
    const auto wake = co_await never.wait(Deadline::never());
    co_return to_errc(wake);
}
Task<int> throwing() {
    throw std::runtime_error("out of luck");
    co_return 1;
}
Task<int> short_of(Deadline deadline) {
    auto set = Event();
    set.set();
    const auto wake = co_await set.wait(deadline);
    co_return static_cast<int>(wake);
}

int points(const Result<int>& result) { return result ? *result : -1'000'000; }

/// All that coroutines of this library do to each other, over and over.
Task<int> busy(int rounds) {
    auto sum = 0;
    for (int i = 0; i < rounds; ++i) {
        auto some = std::vector<Task<int>>();
        for (int k = 0; k < 4; ++k) some.push_back(after(std::chrono::microseconds{k * 100}, 1));
        const auto all = co_await all_settled(std::move(some));
        for (const auto& one : all) sum += points(one);

        auto race = std::vector<Task<int>>();
        race.push_back(forever());
        race.push_back(after(10us, 1));
        race.push_back(forever());
        const auto first = co_await first_of(std::move(race));
        sum += points(first);

        const auto late = co_await with_deadline(forever(), 1ms);
        sum += late.error() == Errc::timed_out ? 1 : -1'000'000;
        const auto early = co_await with_deadline(after(10us, 1), 10s);
        sum += points(early);
    }
    co_return sum;
}

/// What a scope's coroutines count needs no lock: they run one at a time.
struct Counter {
    explicit Counter(const Executor& executor) : scope(executor) {}
    int count = 0;
    TaskScope scope;
};
Task<void> add_one(Counter* counter) {
    for (int i = 0; i < 100; ++i) {
        ++counter->count;
        co_await asio::post(counter->scope.executor(), asio::use_awaitable);
    }
    co_return ok;
}
Task<void> join(TaskScope* scope) {
    co_await scope->join();
    co_return ok;
}

} // namespace

TEST_CASE("spawn: a callback, a future and a coroutine get the result") {
    auto runtime = Runtime({.threads = 1});
    auto called = std::promise<Result<int>>();
    spawn(runtime.executor(), after(1ms, 7), [&](Result<int> result) { called.set_value(std::move(result)); });
    CHECK(called.get_future().get().value() == 7);

    CHECK(spawn(runtime.executor(), after(1ms, 8), asio::use_future).get().value() == 8);

    const auto awaiting = [](Executor other) -> Task<int> {
        co_return co_await spawn(other, after(1ms, 9), asio::use_awaitable);
    };
    auto application = Application(1);
    CHECK(spawn(application.context.get_executor(), awaiting(runtime.executor()), asio::use_future).get().value() == 9);

    const auto thrown = spawn(runtime.executor(), throwing(), asio::use_future).get();
    CHECK(thrown.error() == Errc::system);
    CHECK(thrown.error().message().find("out of luck") != std::string::npos);
}

TEST_CASE("spawn: a callback runs where it belongs, and that context waits for it") {
    auto runtime = Runtime({.threads = 1});
    auto application = asio::io_context();
    auto where = std::thread::id();
    const auto executor = application.get_executor();
    spawn(runtime.executor(), after(20ms, 1),
          asio::bind_executor(executor, [&](Result<int>) { where = std::this_thread::get_id(); }));
    application.run(); // until there is nothing more to do
    CHECK(where == std::this_thread::get_id());
}

TEST_CASE("spawn: every type of cancellation arrives, from whatever thread") {
    auto application = Application(4);
    for (const auto type :
         {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
        auto signal = asio::cancellation_signal();
        auto result = spawn(application.context.get_executor(), forever(),
                            asio::bind_cancellation_slot(signal.slot(), asio::use_future));
        signal.emit(type);
        CHECK(result.get().error() == Errc::cancelled);
    }
}

TEST_CASE("threads: an application's context may be turned by eight of them") {
    auto application = Application(8);
    const auto executor = Executor(application.context.get_executor());
    auto spawned = std::vector<std::future<Result<int>>>();
    for (int i = 0; i < 16; ++i) spawned.push_back(spawn(executor, busy(20), asio::use_future));
    for (auto& one : spawned) CHECK(one.get().value() == 20 * 7);

    // The same without a strand, by whoever knows Asio.
    auto plain = std::vector<std::future<Result<int>>>();
    for (int i = 0; i < 16; ++i) plain.push_back(asio::co_spawn(executor, busy(20), asio::use_future));
    for (auto& one : plain) CHECK(one.get().value() == 20 * 7);
}

TEST_CASE("threads: a scope's coroutines run one at a time, whatever turns its executor") {
    auto application = Application(8);
    auto counter = Counter(application.context.get_executor());
    for (int i = 0; i < 64; ++i) REQUIRE(counter.scope.spawn(add_one(&counter)).has_value());
    CHECK(spawn(application.context.get_executor(), join(&counter.scope), asio::use_future).get().has_value());
    CHECK(counter.count == 6'400);

    auto pool = asio::thread_pool(4);
    auto other = Counter(pool.get_executor());
    for (int i = 0; i < 64; ++i) REQUIRE(other.scope.spawn(add_one(&other)).has_value());
    CHECK(spawn(pool.get_executor(), join(&other.scope), asio::use_future).get().has_value());
    CHECK(other.count == 6'400);
}

TEST_CASE("threads: a finished operation leaves nothing behind that its context would wait for") {
    auto application = asio::io_context();
    auto outcome = -1;
    spawn(application.get_executor(), short_of(60s), [&](Result<int> result) { outcome = result.value(); });
    const auto start = SteadyClock{}.now();
    application.run();
    CHECK(outcome == static_cast<int>(Wake::set));

    // One that had to wait.
    application.restart();
    auto set = Event();
    const auto wait = [](Event* event) -> Task<int> {
        const auto wake = co_await event->wait(60s);
        co_return static_cast<int>(wake);
    };
    spawn(application.get_executor(), wait(&set), [&](Result<int> result) { outcome = result.value() + 10; });
    auto setter = std::thread([&set] {
        std::this_thread::sleep_for(20ms);
        set.set();
    });
    application.run();
    setter.join();
    CHECK(outcome == 10 + static_cast<int>(Wake::set));
    CHECK(SteadyClock{}.now() - start < 30s);
}
