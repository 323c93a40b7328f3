// labels: unit concurrent
#include <mooncake/store/master/master.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

constexpr std::uint64_t blocks = 64;
constexpr std::uint64_t window = 1 << 20; // where the fixture's windows begin

/// The memory of every segment that was ever mounted: a word a block.
struct Memory {
    using Segment = std::array<std::atomic<std::uint64_t>, blocks>;
    std::vector<Segment> segments = std::vector<Segment>(512);
    std::atomic<std::uint64_t>& at(const ReplicaDescriptor& replica) {
        return segments.at(replica.segment).at((replica.offset - window) / block);
    }
};

struct SignalWaiter final : Waiter {
    std::atomic<int> calls{0};
    void ready() noexcept override { calls.fetch_add(1); }
};

} // namespace

TEST_CASE("master: many threads never share an extent while it is written, read, or quarantined") {
    const auto seed = std::uint64_t{20260101};
    auto f = MasterFixture(blocks, {.segment_ttl = Duration::max(), .skew = 10min});
    auto memory = Memory();
    auto wrong = std::atomic<int>{0};
    auto puts = std::atomic<int>{0}, reads = std::atomic<int>{0}, aborts = std::atomic<int>{0};
    auto done = std::atomic<bool>{false};

    const auto client = [&](std::uint64_t number) {
        auto random = std::mt19937_64(seed + number);
        const auto some_key = [&] { return "key-" + std::to_string(random() % 120); };
        for (int step = 0; step < 10'000; ++step) {
            switch (random() % 8) {
            case 0:
            case 1:
            case 2: {
                auto message = PutStart{.replicas = static_cast<std::uint32_t>(1 + random() % 2)};
                for (int i = 0; i < 4; ++i) message.keys.push_back(some_key());
                message.sizes.assign(4, block);
                const auto reply = f.master.handle(message).value();
                auto ended = PutEnd{.lease = random() % 4 == 0 ? LeaseWish::grant : LeaseWish::none};
                for (std::size_t i = 0; i < 4; ++i) {
                    const auto& space = reply.objects[i];
                    if (space.outcome != Errc::ok) continue;
                    for (const auto& replica : space.replicas) memory.at(replica).store(space.version);
                    if (random() % 16 == 0) { // goes away, and writes late: still before its deadline
                        (void)f.abort(message.keys[i], space.version, WriterState::unknown);
                        if (random() % 2 == 0) std::this_thread::yield();
                        for (const auto& replica : space.replicas)
                            wrong += memory.at(replica).exchange(space.version) != space.version;
                        ++aborts;
                        continue;
                    }
                    ended.objects.push_back(
                        {.key = message.keys[i], .version = space.version, .checksums = {space.version}});
                }
                for (std::size_t i = 0; i < 4; ++i)
                    for (const auto& replica : reply.objects[i].replicas)
                        wrong += memory.at(replica).load() != reply.objects[i].version;
                const auto committed = f.master.handle(ended).value();
                puts += static_cast<int>(ended.objects.size());
                if (committed.lease != 0) wrong += !f.master.handle(store::Release{{committed.lease}}).has_value();
                break;
            }
            case 3:
            case 4:
            case 5: {
                const auto reply = f.master.handle(store::Get{.keys = {some_key(), some_key(), some_key()}}).value();
                for (int times = 0; times < 3; ++times) {
                    if (random() % 4 == 0) std::this_thread::yield();
                    for (const auto& object : reply.objects)
                        for (const auto& replica : object.replicas) {
                            wrong += memory.at(replica).load() != object.version;
                            wrong += object.checksums[0] != object.version;
                            ++reads;
                        }
                }
                if (reply.lease != 0) wrong += !f.master.handle(store::Release{{reply.lease}}).has_value();
                break;
            }
            case 6:
                (void)f.master.handle(
                    {.keys = {some_key()}, .mode = random() % 2 == 0 ? RemoveMode::force : RemoveMode::unless_in_use});
                break;
            case 7: {
                const auto waiter = std::make_shared<SignalWaiter>();
                (void)f.master.wait_for({some_key(), some_key()}, waiter);
                if (random() % 2 == 0) std::this_thread::yield();
                const auto cancelled = f.master.cancel_wait(*waiter);
                wrong += cancelled && waiter->calls.load() != 0;
                break;
            }
            }
        }
    };
    auto nodes = std::thread([&] { // a second node comes and goes
        for (std::uint64_t generation = 1; generation < 400 && !done; ++generation) {
            const auto mounted = f.master.handle(store::SegmentMount{.name = "node-2",
                                                                     .generation = generation,
                                                                     .endpoint = "node-2:1",
                                                                     .host = "node-2",
                                                                     .offset = window,
                                                                     .bytes = blocks * block,
                                                                     .read_key = 1,
                                                                     .write_key = 2});
            std::this_thread::sleep_for(2ms);
            (void)f.master.expire();
            (void)f.master.list({.limit = 10});
            f.clock.advance(1ms);
            wrong += !f.master.handle(store::Unmount{mounted->segment, generation}).has_value();
        }
    });
    auto clients = std::vector<std::thread>();
    for (std::uint64_t i = 0; i < 3; ++i) clients.emplace_back(client, i);
    for (auto& thread : clients) thread.join();
    done = true;
    nodes.join();

    CHECK(wrong == 0);
    CHECK(puts > 0);
    CHECK(reads > 0);
    CHECK(aborts > 0);
    f.clock.advance(24h);
    (void)f.master.expire();
    const auto stats = f.master.stats();
    CHECK(stats.leases == 0);
    CHECK(stats.leased_bytes == 0);
    CHECK(stats.writing_bytes == 0);
    CHECK(stats.quarantined_bytes == 0);
    CHECK(stats.used_bytes == stats.objects * block);
}
