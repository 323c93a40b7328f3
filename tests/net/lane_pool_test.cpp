// labels: io concurrent
#include <mooncake/core/combine.hpp>
#include <mooncake/net/lane_pool.hpp>
#include <mooncake/net/lane_slot.hpp>

#include "echo.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;
using net::detail::LanePool;
using net::detail::LaneSight;

namespace {

/// A lane of which there is nothing but what is seen.
struct FakeLane final : net::detail::PooledLane {
    LaneSight seen{.open = true, .asked = 1};
    int retired = 0;

    [[nodiscard]] LaneSight sight() const override { return seen; }
    bool retire() override {
        if (seen.busy) return false;
        ++retired;
        seen = {};
        return true;
    }
};

struct FakeLanes {
    std::deque<FakeLane> lanes;

    explicit FakeLanes(std::size_t count) : lanes(count) {
        for (auto& lane : lanes) lane.seen = {};
    }
    [[nodiscard]] std::size_t open() const {
        auto count = std::size_t{0};
        for (const auto& lane : lanes) count += lane.seen.open ? 1U : 0U;
        return count;
    }
};

/// When the pool's next look is, as far as `patience` reaches.
Task<Wake> wait_for_look(LanePool<>* pool, Deadline patience) {
    auto waited = std::optional<Wake>();
    const auto wait = [](LanePool<>* of, std::optional<Wake>* woken) -> Task<void> {
        *woken = co_await of->wait();
        co_return ok;
    };
    (void)co_await with_deadline(wait(pool, &waited), patience);
    co_return waited.value_or(Wake::cancelled);
}

Task<void> ask_slot(LaneSlot<PlainTcp>* slot, LaneOperation* operation, Deadline deadline) {
    auto latch = net::detail::Latch(1);
    operation->latch = &latch;
    operation->deadline = deadline;
    auto ticket = slot->submit(*operation, deadline);
    if (!ticket) co_return ticket.error();
    co_await Lane<PlainTcp>::wait_all(std::span(&*ticket, 1), latch, deadline);
    co_return operation->error == Errc::ok ? Result<void>(ok) : Result<void>(operation->error);
}

} // namespace

TEST_CASE("lane pool: one lane too many closes another, and while all are busy there are more") {
    auto pool = LanePool<>(3, 1h);
    auto fakes = FakeLanes(8);
    const auto add = [&](std::size_t i, bool busy) {
        fakes.lanes[i].seen = {.open = true, .busy = busy, .asked = 0};
        pool.add(fakes.lanes[i]);
        fakes.lanes[i].seen.asked = 1;
    };
    for (std::size_t i = 0; i < 5; ++i) add(i, false);
    CHECK(fakes.open() == 3);
    CHECK(fakes.lanes[4].retired == 0); // the new one
    for (std::size_t i = 2; i < 8; ++i) add(i, true);
    CHECK(fakes.open() == 6);
    for (auto& lane : fakes.lanes) lane.seen.busy = false;
    pool.look();
    CHECK(fakes.open() == 3);
    for (auto& lane : fakes.lanes) pool.remove(lane);
}

TEST_CASE("lane pool: one that was closed before it could be added stays out") {
    auto pool = LanePool<>(1, 1h);
    auto there = FakeLane();
    {
        auto gone = FakeLane();
        gone.seen = {};
        pool.add(gone);
    }
    pool.add(there);
    pool.look();
    CHECK(there.retired == 0);
}

TEST_CASE("lane pool: looks when something may be idle, sooner when there are too many, and never at nothing") {
    auto runtime = Runtime({.threads = 1});
    auto pool = LanePool<>(1, 400ms);
    auto fakes = FakeLanes(3);
    const auto wait = [&](Deadline patience) { return runtime.run(wait_for_look(&pool, patience)).value(); };
    CHECK(wait(50ms) == Wake::cancelled);
    fakes.lanes[0].seen = {.open = true, .busy = true, .asked = 1};
    pool.add(fakes.lanes[0]);
    CHECK(wait(10s) == Wake::set);
    const auto begun = SteadyClock{}.now();
    CHECK(wait(10s) == Wake::timed_out);
    CHECK(SteadyClock{}.now() - begun > 50ms);
    pool.look();
    CHECK(wait(10ms) == Wake::cancelled);
    fakes.lanes[0].seen.busy = false;
    pool.look();
    CHECK(fakes.open() == 1); // it was busy when it was looked at last
    for (const auto until = Deadline(10s); fakes.lanes[0].seen.open && !until.passed();) {
        CHECK(wait(10s) == Wake::timed_out);
        pool.look();
    }
    CHECK(fakes.lanes[0].retired == 1);
    CHECK(wait(200ms) == Wake::cancelled); // nothing is left
}

TEST_CASE("lane: one that is busy is not retired, and one that is retired takes nothing and harms nothing") {
    auto echo = EchoServer();
    const auto lane = echo.lane();
    auto silent = call(2), loud = call(1, "loud");
    auto latch = net::detail::Latch(1);
    silent.latch = loud.latch = &latch;
    const auto ticket = lane->submit(silent);
    CHECK_FALSE(lane->retire());
    CHECK_FALSE(lane->failed());
    (void)echo.runtime.run([](auto given, net::detail::Latch* all) -> Task<void> {
        co_await Lane<PlainTcp>::wait_all(std::span(&given, 1), *all, Deadline(20ms));
        co_return ok;
    }(ticket, &latch));
    CHECK(silent.error == Errc::timed_out);
    CHECK(lane->retire());
    CHECK_FALSE(lane->retire());
    CHECK_FALSE(lane->submit_unless_retired(loud).has_value());
    CHECK_FALSE(loud.maybe_sent);
    auto late = call(1, "late");
    (void)echo.runtime.run(run(lane.get(), &late, 10s));
    CHECK(late.error == Errc::closed);
    echo.close(lane);
    CHECK(echo.service.served <= 1); // the silent one, where there was time for it
}

TEST_CASE("lane slot: whatever is closed behind the back of its users, each request arrives once") {
    constexpr auto users = 4, each = 1'000;
    auto echo = EchoServer();
    auto pool = LanePool<>(8, 1h);
    auto slot = LaneSlot<PlainTcp>(echo.runtime.executor(1),
                                   {.peer = echo.server.endpoint(), .hello = {.service = "echo"}}, {}, {}, &pool);
    auto over = std::atomic<bool>(false);
    auto retired = 0;
    auto closer = std::jthread([&] {
        while (!over) {
            retired += slot.retire() ? 1 : 0;
            std::this_thread::yield();
        }
    });
    auto wrong = std::atomic<int>(0);
    {
        auto threads = std::vector<std::jthread>();
        for (auto i = 0; i < users; ++i)
            threads.emplace_back([&, i] {
                for (auto k = 0; k < each; ++k) {
                    const auto text = std::to_string(i) + ":" + std::to_string(k);
                    auto operation = call(1, text);
                    const auto asked = sync_wait(echo.runtime.executor(static_cast<std::size_t>(i) % 2),
                                                 ask_slot(&slot, &operation, 30s));
                    wrong += !asked || operation.reply != text;
                }
            });
    }
    over = true;
    closer.join();
    CHECK(wrong == 0);
    CHECK(echo.service.served == users * each);
    CHECK(retired > 10);
    MESSAGE("closed ", retired, " times during ", users * each, " requests");
    echo.runtime.run(slot.close());
    auto after = call(1, "after");
    CHECK(echo.runtime.run(ask_slot(&slot, &after, 10s)).error() == Errc::closed);
}

TEST_CASE("lane slot: one that was closed since nobody used it comes back at once, whatever the backoff") {
    auto echo = EchoServer();
    auto pool = LanePool<>(8, 1h);
    auto slot =
        LaneSlot<PlainTcp>(echo.runtime.executor(1), {.peer = echo.server.endpoint(), .hello = {.service = "echo"}},
                           {.first = 1h, .most = 1h}, {}, &pool);
    const auto ask = [&] {
        auto operation = call(1, "x");
        return echo.runtime.run(ask_slot(&slot, &operation, 10s)).has_value();
    };
    CHECK_FALSE(slot.sight().open);
    CHECK_FALSE(slot.retire());
    for (auto i = 0; i < 5; ++i) {
        CHECK(ask());
        CHECK(slot.sight().open);
        CHECK(slot.sight().asked == 1);
        CHECK(slot.retire());
        CHECK_FALSE(slot.sight().open);
    }
    echo.runtime.run(slot.close());
    CHECK_FALSE(slot.retire());
}
