// labels: io
#include <mooncake/core/combine.hpp>

#include "engine/peer_process.hpp"
#include "support/sanitized.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

using Engine = TransferEngine<TcpOnly>;

constexpr std::uint64_t bulk = 1 * MiB;
constexpr std::size_t bulks = 128;

/// Moves `bytes`, once others have begun to come through, and notes how many were by then.
Task<void> move_small(Engine* engine, Engine::Segment segment, MutableBytes bytes, Direction direction,
                      Priority priority, std::size_t* done, Event* first, std::size_t* before) {
    co_await first->wait();
    const auto options = TransferOptions{.deadline = Deadline(20s), .priority = priority};
    auto moving = direction == Direction::read ? engine->read(bytes, segment, 0, options)
                                               : engine->write(bytes, segment, 0, options);
    const auto moved = co_await std::move(moving);
    *before = *done;
    if (!moved) co_return moved.error();
    co_return ok;
}

Task<void> move_bulk(Engine* engine, Engine::Segment segment, MutableBytes bytes, Direction direction,
                     Priority priority, std::size_t* done, Event* first) {
    const auto options = TransferOptions{.deadline = Deadline(20s), .priority = priority};
    auto moving = direction == Direction::read ? engine->read(bytes, segment, 0, options)
                                               : engine->write(bytes, segment, 0, options);
    const auto moved = co_await std::move(moving);
    if (++*done == 1) first->set();
    if (!moved) co_return moved.error();
    co_return ok;
}

Task<void> all_of(std::vector<Task<void>> tasks) {
    const auto results = co_await all_settled(std::move(tasks));
    for (const auto& result : results)
        if (!result) co_return result.error();
    co_return ok;
}

/// How many of 128 requests of 1 MiB were through when a small one was that came behind them.
std::size_t passed(PeerProcess& peer, Direction direction, Priority of_bulk, Priority of_small) {
    auto runtime = Runtime({.threads = 1}); // so that nothing else says in which order they come
    auto config = Engine::Config{.name = "reader"};
    config.transport<TcpTransport<>>().lanes = 1;
    auto engine = Engine(runtime, std::move(config));
    const auto segment = runtime.run(engine.open(peer.locator(), 10s)).value();
    auto memory = std::vector<std::byte>(bulk); // what comes is not looked at
    auto small = std::array<std::byte, 64>();
    REQUIRE(runtime.run(engine.read(small, segment, 0)).has_value()); // connected
    auto done = std::size_t{0}, before = std::size_t{0};
    auto first = Event();
    auto tasks = std::vector<Task<void>>();
    for (std::size_t i = 0; i < bulks; ++i)
        tasks.push_back(move_bulk(&engine, segment, memory, direction, of_bulk, &done, &first));
    tasks.push_back(move_small(&engine, segment, small, direction, of_small, &done, &first, &before));
    CHECK(runtime.run(all_of(std::move(tasks))).has_value());
    runtime.run(engine.close());
    return before;
}

} // namespace

TEST_CASE(
    "priority: an urgent request does not wait for the bulk before it, and one in the background does for all of it") {
    if (sanitized) return; // a process that forks
    auto peer = PeerProcess(4 * MiB);
    REQUIRE_FALSE(peer.locator().empty());
    for (const auto direction : {Direction::write, Direction::read}) {
        const auto urgent = passed(peer, direction, Priority::normal, Priority::urgent);
        const auto equal = passed(peer, direction, Priority::normal, Priority::normal);
        const auto* const kind = direction == Direction::write ? "writes" : "reads";
        MESSAGE(std::string(kind), ": behind ", equal, " of ", bulks, ", urgent behind ", urgent);
        CHECK(urgent < bulks / 2); // what was under way, and what the sockets held
        CHECK(equal > bulks / 2);
    }
}
