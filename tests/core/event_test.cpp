// labels: coroutine concurrent
#include <mooncake/core/event.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

Task<Wake> wait(Event* event, Deadline deadline) {
    const auto wake = co_await event->wait(deadline);
    co_return wake;
}

/// Waits `rounds` times with a short deadline, and counts what it got; `took` is set for each `set` that was consumed.
Task<int> take(Event* event, std::atomic<int>* took, int total) {
    auto timeouts = 0;
    while (took->load() < total) {
        const auto wake = co_await event->wait(Deadline(1ms));
        if (wake == Wake::set) took->fetch_add(1);
        else ++timeouts;
    }
    co_return timeouts;
}

Task<Wake> wait_in_vain(Event* event) {
    const auto wake = co_await event->wait();
    if (wake != Wake::cancelled) co_return wake;
    const auto again = co_await event->wait(Deadline::never(), Interrupt::no);
    co_return again;
}

/// How it was cancelled while it waited for something else than the event it had waited for, which is gone by then.
Task<asio::cancellation_type> outlive(std::unique_ptr<Event> event, std::atomic<bool>* waiting) {
    waiting->store(true);
    (void)co_await event->wait();
    event.reset();
    auto other = Event();
    (void)co_await other.wait(Deadline(50ms), Interrupt::no);
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled();
}

Task<std::thread::id> thread_after(Event* event) {
    const auto wake = co_await event->wait(10s);
    co_return wake == Wake::set ? std::this_thread::get_id() : std::thread::id();
}

Task<std::thread::id> here() { co_return std::this_thread::get_id(); }

} // namespace

TEST_CASE("event: a set before the wait is remembered, once") {
    auto runtime = Runtime({.threads = 1});
    auto event = Event();
    event.set();
    event.set();
    CHECK(runtime.run(wait(&event, 10s)).value() == Wake::set);
    CHECK(runtime.run(wait(&event, 1ms)).value() == Wake::timed_out);
}

TEST_CASE("event: a wait never ends before its deadline, and ends soon after") {
    auto runtime = Runtime({.threads = 1});
    auto event = Event();
    for (const auto length : {0us, 1us, 999us, 1000us, 3500us, 70'000us}) {
        const auto start = SteadyClock{}.now();
        CHECK(runtime.run(wait(&event, length)).value() == Wake::timed_out);
        const auto took = SteadyClock{}.now() - start;
        CHECK(took >= length);
        CHECK(took < length + 2s);
    }
    CHECK(runtime.run(wait(&event, Deadline(SteadyClock{}.now() - 1h))).value() == Wake::timed_out);
}

TEST_CASE("event: of a set and a deadline at the same moment, neither is lost and none is seen twice") {
    constexpr int total = 3000;
    auto runtime = Runtime({.threads = 2});
    auto event = Event();
    auto took = std::atomic<int>{0};
    auto setter = std::jthread([&] {
        auto spin = std::uint32_t{1};
        for (int i = 0; i < total; ++i) {
            event.set();
            // The next one comes when this one was taken, at any moment of the waiter's millisecond.
            while (took.load() <= i) std::this_thread::yield();
            spin = spin * 1664525 + 1013904223;
            const auto until = SteadyClock{}.now() + std::chrono::microseconds(spin >> 21); // up to 2 ms
            while (i % 4 == 0 && SteadyClock{}.now() < until) std::this_thread::yield();
        }
    });
    const auto timeouts = runtime.run(take(&event, &took, total));
    CHECK(timeouts.has_value());
    CHECK(took == total);
}

TEST_CASE("event: after a cancellation one can wait on, uninterrupted, for what is due") {
    auto runtime = Runtime({.threads = 2});
    for (int round = 0; round < 300; ++round) {
        auto event = Event();
        auto setter = std::jthread([&event, round] {
            const auto until = SteadyClock{}.now() + std::chrono::microseconds(round * 10);
            while (SteadyClock{}.now() < until) std::this_thread::yield();
            event.set();
        });
        const auto woken = runtime.run(with_deadline(wait_in_vain(&event), 1ms));
        REQUIRE(woken.has_value());
        REQUIRE(*woken == Wake::set);
    }
}

TEST_CASE("event: a cancellation after the wait has nothing to do with an event that is gone") {
    auto runtime = Runtime({.threads = 1});
    auto owned = std::make_unique<Event>();
    auto* const event = owned.get();
    auto waiting = std::atomic<bool>{false};
    auto setter = std::jthread([&] {
        while (!waiting) std::this_thread::yield();
        std::this_thread::sleep_for(1ms);
        event->set();
    });
    const auto seen = runtime.run(with_deadline(outlive(std::move(owned), &waiting), 20ms));
    CHECK((seen.value() != asio::cancellation_type::none));
}

TEST_CASE("event: the waiter resumes on its own executor, whoever sets") {
    auto runtime = Runtime({.threads = 2});
    auto event = Event();
    const auto own = runtime.run(here());
    REQUIRE(own.has_value());
    auto setter = std::jthread([&event] { event.set(); });
    CHECK(runtime.run(thread_after(&event)).value() == *own);
    CHECK(*own != std::this_thread::get_id());
}

TEST_CASE("event: many waits with deadlines share one wheel, and each ends at its own") {
    auto runtime = Runtime({.threads = 1});
    auto events = std::vector<Event>(200);
    auto wrong = std::atomic<int>{0};
    auto scope = std::vector<std::jthread>();
    for (int i = 0; i < 8; ++i)
        scope.emplace_back([&, i] {
            for (std::size_t k = static_cast<std::size_t>(i); k < events.size(); k += 8) {
                const auto length = std::chrono::milliseconds((k * 7) % 23);
                const auto start = SteadyClock{}.now();
                const auto wake = runtime.run(wait(&events[k], length));
                wrong += !wake || *wake != Wake::timed_out || SteadyClock{}.now() - start < length;
            }
        });
    scope.clear();
    CHECK(wrong == 0);
}
