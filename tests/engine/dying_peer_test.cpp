// labels: io
#include <mooncake/core/combine.hpp>

#include "engine/peer_process.hpp"
#include "support/sanitized.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

using Engine = TransferEngine<TcpOnly>;

constexpr std::uint64_t lent = 64 * MiB, block = 1 * MiB;
constexpr std::size_t requests = 1'000;

struct Outcome {
    Result<TransferReport> result;
    TimePoint at;
};

Task<void> read_one(Engine* engine, Engine::Segment segment, MutableBytes into, std::uint64_t offset, Deadline deadline,
                    Outcome* outcome) {
    const auto options = TransferOptions{.deadline = deadline};
    outcome->result = co_await engine->read(into, segment, offset, options);
    outcome->at = SteadyClock{}.now();
    co_return ok;
}

Task<void> all_of(std::vector<Task<void>> tasks) {
    (void)co_await all_settled(std::move(tasks));
    co_return ok;
}

/// What became of 1,000 reads that were on their way when something happened to their peer, and when it happened.
struct Fates {
    std::deque<Outcome> all;
    TimePoint happened;

    [[nodiscard]] Duration slowest() const {
        auto slowest = Duration::zero();
        for (const auto& one : all) slowest = std::max(slowest, one.at - happened);
        return slowest;
    }
    [[nodiscard]] std::size_t failed() const {
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [](const auto& one) { return one.result.has_error(); }));
    }
};

template <class Happens>
Fates fates(PeerProcess& peer, Deadline deadline, Happens happens) {
    auto runtime = Runtime({.threads = 2});
    auto engine = Engine(runtime, {.name = "reader"});
    const auto segment = runtime.run(engine.open(peer.locator(), 10s));
    REQUIRE(segment.has_value());
    auto memory = std::vector<std::byte>(lent);
    auto fates = Fates();
    auto tasks = std::vector<Task<void>>();
    for (std::size_t i = 0; i < requests; ++i) {
        const auto at = i * block % lent;
        tasks.push_back(read_one(&engine, *segment, MutableBytes(memory).subspan(at, block), at, deadline,
                                 &fates.all.emplace_back()));
    }
    {
        auto reading = std::jthread([&] { (void)runtime.run(all_of(std::move(tasks))); });
        std::this_thread::sleep_for(20ms); // they are on their way
        happens();
        fates.happened = SteadyClock{}.now();
    }
    runtime.run(engine.close());
    return fates;
}

} // namespace

// lessons.md, T16: links that go silent, and hosts that vanish.
TEST_CASE("dying peer: kill -9 with 1,000 requests in flight ends them all at once, and says who it was") {
    if (sanitized) return; // processes that fork, and times
    auto peer = PeerProcess(lent);
    REQUIRE_FALSE(peer.locator().empty());
    const auto ends = fates(peer, Deadline::usual(), [&] { peer.kill(); });
    CHECK(ends.failed() > 0);
    for (const auto& one : ends.all) {
        if (one.result) continue;
        const auto why = one.result.error();
        CHECK((why == Errc::connection_lost || why == Errc::unreachable));
        CHECK(why.message().find("127.0.0.1") != std::string::npos);
    }
    MESSAGE("the slowest of ", ends.failed(), " was told after ",
            std::chrono::duration_cast<std::chrono::microseconds>(ends.slowest()).count(), " us");
    CHECK(ends.slowest() < 1s); // measured in quiet: below 100 ms
}

TEST_CASE("dying peer: one that is frozen costs what the deadline says") {
    if (sanitized) return;
    auto peer = PeerProcess(lent);
    REQUIRE_FALSE(peer.locator().empty());
    const auto ends = fates(peer, Deadline(500ms), [&] { peer.signal(SIGSTOP); });
    CHECK(ends.failed() > 0);
    for (const auto& one : ends.all)
        if (!one.result) CHECK(one.result.error() == Errc::timed_out);
    MESSAGE("the slowest of ", ends.failed(), " was told after ",
            std::chrono::duration_cast<std::chrono::milliseconds>(ends.slowest()).count(), " ms of 500");
    CHECK(ends.slowest() < 1'500ms);
}

TEST_CASE("dying peer: without a deadline, one that is frozen is given up after five seconds") {
    if (sanitized) return;
    auto peer = PeerProcess(lent);
    REQUIRE_FALSE(peer.locator().empty());
    const auto ends = fates(peer, Deadline::never(), [&] { peer.signal(SIGSTOP); });
    CHECK(ends.failed() > 0);
    for (const auto& one : ends.all) {
        if (one.result) continue;
        CHECK((one.result.error() == Errc::connection_lost || one.result.error() == Errc::unreachable));
        CHECK(one.result.error().message().find("127.0.0.1") != std::string::npos);
    }
    MESSAGE("the slowest was told after ",
            std::chrono::duration_cast<std::chrono::milliseconds>(ends.slowest()).count(), " ms");
    CHECK(ends.slowest() < 6'500ms); // measured in quiet: below 5 s
}
