#include <mooncake/core/repeats.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

TEST_CASE("repeats: a thing that goes on is said once, counted, and said again after a while") {
    auto lines = std::vector<std::string>();
    auto repeats = Repeats(Log([&lines](Severity, std::string_view line) { lines.emplace_back(line); }), 50ms);
    for (int i = 0; i < 100; ++i) repeats(Severity::warning, "cut off", "cut off peer " + std::to_string(i));
    repeats(Severity::warning, "other", "something else");
    REQUIRE(lines == std::vector<std::string>{"cut off peer 0", "something else"});
    std::this_thread::sleep_for(60ms);
    repeats(Severity::warning, "cut off", "cut off peer 100");
    CHECK(lines.back() == "cut off peer 100 (and 99 more like it since it was said)");
    repeats(Severity::warning, "cut off", "cut off peer 101");
    CHECK(lines.size() == 3);
}

TEST_CASE("repeats: what is over is said, if it was there, and begins anew") {
    auto lines = std::vector<std::string>();
    auto repeats = Repeats(Log([&lines](Severity, std::string_view line) { lines.emplace_back(line); }));
    repeats.over("heartbeat", "answered again");
    CHECK(lines.empty());
    for (int i = 0; i < 3; ++i) repeats(Severity::warning, "heartbeat", "no answer");
    repeats.over("heartbeat", "answered again");
    CHECK(lines == std::vector<std::string>{"no answer", "answered again (it happened 2 times more)"});
    repeats(Severity::warning, "heartbeat", "no answer");
    repeats.over("heartbeat", "answered again");
    CHECK(lines.size() == 4);
    CHECK(lines.back() == "answered again");
}

TEST_CASE("repeats: without a log nothing is kept") {
    auto repeats = Repeats(Log());
    repeats(Severity::warning, "kind", "sentence");
    repeats.over("kind", "over");
}
