// labels: io coroutine
// With `PeerMetadata` a segment's record is made when a peer asks for it.
#include <mooncake/core/combine.hpp>
#include <mooncake/engine/transfer_engine.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

using Engine = TransferEngine<>;

Engine::Config sharing(const std::shared_ptr<PeerMetadata<>>& metadata, std::string name) {
    auto config = Engine::Config();
    config.name = std::move(name);
    config.metadata = metadata;
    return config;
}

} // namespace

TEST_CASE("on demand record: it shows what is registered at the time, and nothing of what is not any more") {
    auto runtime = Runtime({.threads = 2});
    Engine owner{runtime}, peer{runtime};
    auto memory = std::vector<std::vector<std::byte>>(200, std::vector<std::byte>(64, std::byte{7}));
    auto regions = std::vector<RegionPin>();
    for (auto& one : memory) regions.push_back(runtime.run(owner.register_memory(one, Rights::read)).value());
    const auto segment = runtime.run(peer.open(owner.locator(), 5s)).value();
    CHECK(segment.record().buffers.size() == 200);
    auto back = std::vector<std::byte>(64);
    CHECK(runtime.run(peer.read(back, segment, regions[150]->offset, {.deadline = 5s})).has_value());
    CHECK(back == memory[150]);
    for (auto& region : regions) CHECK(runtime.run(owner.unregister(std::move(region), 5s)).has_value());
    CHECK(runtime.run(peer.open(owner.locator(), 5s)).value().record().buffers.empty());
}

TEST_CASE(
    "on demand record: who asks while an engine of a shared backend goes is told a record, or that there is none") {
    auto runtime = Runtime({.threads = 2});
    auto shared = std::make_shared<PeerMetadata<>>(runtime), asking = std::make_shared<PeerMetadata<>>(runtime);
    shared->start();
    asking->start();
    auto stop = std::atomic<bool>(false);
    auto told = std::atomic<int>(0);
    {
        auto asker = std::jthread([&] {
            while (!stop) {
                const auto got = runtime.run(asking->get(shared->locator("short-lived"), 5s));
                if (got) ++told;
                else CHECK(got.error() == Errc::not_found);
            }
        });
        for (auto i = 0; i < 50; ++i) {
            auto memory = std::vector<std::byte>(4096);
            Engine engine{runtime, sharing(shared, "short-lived")};
            auto adding = std::vector<Task<RegionPin>>();
            for (auto k = 0; k < 4; ++k) adding.push_back(engine.register_memory(memory, Rights::read));
            auto all = [](std::vector<Task<RegionPin>> of) -> Task<void> {
                (void)co_await all_settled(std::move(of));
                co_return ok;
            };
            // It is closed while registrations may be under way.
            auto added = std::jthread([&] { (void)runtime.run(all(std::move(adding))); });
            if (i % 2 == 0) added.join();
            runtime.run(engine.close());
        }
        stop = true;
    }
    CHECK(told > 0);
    CHECK(runtime.run(asking->get(shared->locator("short-lived"), 5s)).error() == Errc::not_found);
    runtime.run(asking->close());
    runtime.run(shared->close());
}
