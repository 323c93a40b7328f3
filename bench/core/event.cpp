#include <mooncake/core/runtime.hpp>

#include <boost/asio/steady_timer.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

/// What waiting costs. A timer is pending in each: as with any socket, the loop then asks the kernel for events between
/// handlers, which is most of what a wake-up costs.
namespace {

using namespace mooncake;

Task<void> set_then_wait(benchmark::State* state) {
    auto event = Event();
    for (auto _ : *state) {
        event.set();
        co_await event.wait();
    }
    co_return ok;
}

/// The waiter is suspended, set from its own thread, and resumed.
Task<void> wait_then_set(benchmark::State* state, Deadline deadline) {
    auto event = Event();
    const auto executor = co_await asio::this_coro::executor;
    for (auto _ : *state) {
        asio::post(executor, [&event] { event.set(); });
        co_await event.wait(deadline);
    }
    co_return ok;
}

/// To another thread and back.
Task<void> hop(benchmark::State* state, Executor other) {
    auto event = Event();
    for (auto _ : *state) {
        asio::post(other, [&event] { event.set(); });
        co_await event.wait();
    }
    co_return ok;
}

asio::awaitable<std::uint64_t> level(unsigned depth) {
    if (depth == 0) co_return 1;
    co_return co_await level(depth - 1);
}

Task<void> levels(benchmark::State* state, unsigned depth) {
    for (auto _ : *state) {
        const auto result = co_await level(depth);
        benchmark::DoNotOptimize(result);
    }
    co_return ok;
}

template <class Make>
void run(unsigned threads, Make make) {
    auto runtime = Runtime({.threads = threads});
    auto pending = std::vector<asio::steady_timer>();
    for (unsigned i = 0; i < threads; ++i)
        pending.emplace_back(runtime.executor(i), std::chrono::hours(1)).async_wait([](auto) {});
    (void)runtime.run(make(runtime));
}

void event_set_wait(benchmark::State& state) {
    run(1, [&](Runtime&) { return set_then_wait(&state); });
}
void event_wait_set(benchmark::State& state) {
    run(1, [&](Runtime&) { return wait_then_set(&state, Deadline::never()); });
}
void event_wait_set_deadline(benchmark::State& state) {
    run(1, [&](Runtime&) { return wait_then_set(&state, Deadline(std::chrono::hours(1))); });
}
void event_hop(benchmark::State& state) {
    run(2, [&](Runtime& runtime) { return hop(&state, runtime.executor(1)); });
}
/// The difference of the two, divided by 7, is the cost of a level.
void await_levels(benchmark::State& state) {
    run(1, [&](Runtime&) { return levels(&state, static_cast<unsigned>(state.range(0)) - 1); });
}

BENCHMARK(event_set_wait)->Name("core/event/set_wait");
BENCHMARK(event_wait_set)->Name("core/event/wait_set");
BENCHMARK(event_wait_set_deadline)->Name("core/event/wait_set/deadline");
BENCHMARK(event_hop)->Name("core/event/hop");
BENCHMARK(await_levels)->Name("core/await")->Arg(1)->Arg(8);

} // namespace
