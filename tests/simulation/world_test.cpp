#include <mooncake/simulation/world.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::simulation;
using namespace std::chrono_literals;

TEST_CASE("world: things happen when they are due, those of one time in the order in which they were asked for") {
    auto world = World(1);
    auto order = std::string();
    world.call_after(2s, [&] { order += 'c'; });
    world.call_after(1s, [&] { order += 'a'; });
    world.call_after(1s, [&] {
        order += 'b';
        world.call_after(0s, [&] { order += '!'; });
    });
    world.run_for(1500ms);
    CHECK(order == "ab!");
    CHECK(world.elapsed() == 1500ms);
    world.run_for(1s);
    CHECK(order == "ab!c");
}

TEST_CASE("world: chance is the seed's, and so is the history") {
    auto one = World(1), same = World(1), other = World(2);
    CHECK(one.draw() == same.draw());
    CHECK(one.draw() != other.draw());
    one.note("a", {1, 2});
    same.note("a", {1, 2});
    CHECK(one.hash() == same.hash());
    one.note("b", {3});
    same.note("b", {4});
    CHECK(one.hash() != same.hash());
    for (auto i = 0; i < 1'000; ++i) {
        const auto between = one.between(5ms, 7ms);
        CHECK((between >= 5ms && between <= 7ms));
    }
}

TEST_CASE("world: the first fault is kept, with its time") {
    auto world = World(1);
    world.run_for(250ms);
    world.report_fault("this went wrong");
    world.report_fault("and so that");
    CHECK(world.fault() == "this went wrong, at 250 ms");
}
