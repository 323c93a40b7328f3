// labels: coroutine concurrent
#include <mooncake/core/gate.hpp>
#include <mooncake/core/runtime.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace mooncake;

TEST_CASE("gate: whoever is inside is waited for, and nobody comes in once it is shut") {
    auto runtime = Runtime({.threads = 1});
    auto gate = Gate();
    auto first = gate.enter(), second = gate.enter();
    REQUIRE((first && second));
    auto moved = std::optional<Gate::Pass>(std::move(*first));
    first.reset();
    gate.shut();
    CHECK_FALSE(gate.enter().has_value());
    auto over = std::atomic<bool>{false};
    auto waiting = std::jthread([&] {
        runtime.run(gate.wait());
        over = true;
    });
    second.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(over);
    moved.reset();
    waiting.join();
    CHECK(over);
    runtime.run(gate.wait());
}

TEST_CASE("gate: it may go as soon as it is seen empty, whoever was the last inside") {
    auto runtime = Runtime({.threads = 2});
    for (auto round = 0; round < 200; ++round) {
        auto gate = std::make_unique<Gate>();
        auto inside = std::make_shared<std::atomic<int>>(0);
        auto ready = std::atomic<int>{0};
        {
            auto users = std::vector<std::jthread>();
            for (auto i = 0; i < 3; ++i)
                users.emplace_back([&ready, inside, at = gate.get()] {
                    // In before it is shut, so that the gate lives as long as this one may look at it.
                    auto pass = at->enter();
                    ++ready;
                    for (auto turn = 0; turn < 20; ++turn) {
                        ++*inside;
                        auto again = at->enter();
                        again.reset();
                        --*inside;
                    }
                    pass.reset(); // nothing of the gate is touched any more
                });
            while (ready < 3) std::this_thread::yield();
            gate->shut();
            runtime.run(gate->wait());
            CHECK(*inside == 0);
            gate.reset();
        }
    }
}
