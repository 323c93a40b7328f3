// labels: unit
#include <mooncake/store/master/due_log.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;
using namespace std::chrono_literals;

TEST_CASE("due log: what is due is told once, by its time") {
    const auto start = TimePoint{} + 1h;
    auto log = DueLog();
    const auto always = [](const Touch&) { return true; };
    log.add(start + 3s, {{3, 3}}, always);
    log.add(start + 1s, {{1, 1}, {2, 2}}, always);
    log.add(start + 2s, {}, always);
    CHECK(log.any());
    CHECK(log.any_due(start + 1s));
    CHECK_FALSE(log.any_due(start + 1s - 1ns));
    auto told = std::vector<Slot>();
    const auto tell = [&](const Touch& write) { told.push_back(write.slot); };
    log.expire(start + 1s - 1ns, tell);
    CHECK(told.empty());
    log.expire(start + 1s, tell);
    CHECK(told == std::vector<Slot>{1, 2});
    log.expire(start + 1h, tell);
    CHECK(told == std::vector<Slot>{1, 2, 3});
    CHECK_FALSE(log.any());
    CHECK(log.size() == 0);
}

TEST_CASE("due log: it does not grow with what waits no more, and forgets none that does") {
    const auto start = TimePoint{} + 1h;
    auto log = DueLog();
    const auto writing = [](const Touch& write) { return write.slot % 1000 == 0; };
    for (Slot slot = 0; slot < 1'000'000; ++slot) log.add(start + 10s, {{slot, slot + 1}}, writing);
    CHECK(log.size() < 20'000);
    auto still = 0;
    log.expire(start + 10s, [&](const Touch& write) { still += writing(write); });
    CHECK(still == 1000);
}
