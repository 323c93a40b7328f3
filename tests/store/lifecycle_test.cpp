// labels: io coroutine
// Stores, engines and nodes that begin and end while operations of them run. MOONCAKE_CYCLES: how often; 60.
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

namespace {

int cycles() {
    const auto* const number = std::getenv("MOONCAKE_CYCLES");
    return number != nullptr ? std::atoi(number) : 60;
}

/// Operations under way on all threads of a runtime, one after another in each of a few coroutines.
class Busy {
  public:
    static constexpr unsigned number = 6;

    /// `operate(which, seed)`: by which of them, and something new each time.
    template <class Operate>
    void start(Runtime& runtime, const Operate& operate) {
        for (unsigned i = 0; i < number; ++i) {
            ++running_;
            asio::co_spawn(runtime.executor(i), loop(operate, i),
                           [this](const std::exception_ptr&, const Result<void>&) { --running_; });
        }
    }
    /// Waits until each has noticed the end of what it uses.
    [[nodiscard]] bool over() const {
        for (const auto until = Deadline(30s); running_ != 0 && !until.passed();) std::this_thread::yield();
        return running_ == 0;
    }

  private:
    template <class Operate>
    static Task<void> loop(Operate operate, unsigned which) {
        for (auto seed = which;; ++seed) {
            const auto outcome = co_await operate(which, seed);
            if (outcome == Errc::closed) co_return ok;
            auto pause = Event();
            co_await pause.wait(Deadline(std::chrono::microseconds(seed % 7 * 50)));
        }
    }
    std::atomic<int> running_ = 0;
};

std::chrono::microseconds some_time(int cycle) { return std::chrono::microseconds(cycle * 37 % 3'000); }

template <class S>
asio::awaitable<Error> use(S* store, unsigned seed) {
    const auto key = "key-" + std::to_string(seed % 5);
    const auto value = std::vector<std::byte>(seed % 3 == 0 ? 600'000 : 3'000, std::byte{1});
    switch (seed % 4) {
    case 0: {
        const auto put = co_await store->put(key, value);
        co_return put.error();
    }
    case 1: {
        const auto got = co_await store->get(key);
        co_return got.error();
    }
    case 2: {
        const auto view = co_await store->view(key);
        co_return view.error();
    }
    default: {
        const auto gone = co_await store->remove(key, store::RemoveMode::force);
        co_return gone.error();
    }
    }
}

/// To and from bytes of its own.
asio::awaitable<Error> transfer(TransferEngine<>* engine, TransferEngine<>::Segment segment, std::uint64_t offset,
                                unsigned seed) {
    auto memory = std::vector<std::byte>(seed % 3 == 0 ? 700'000 : 5'000);
    const auto options = TransferOptions{.deadline = 1s};
    if (seed % 2 == 0) {
        const auto read = co_await engine->read(memory, segment, offset + seed % 1'000, options);
        co_return read.error();
    }
    const auto written = co_await engine->write(memory, segment, offset + seed % 1'000, options);
    co_return written.error();
}

} // namespace

TEST_CASE("lifecycle: an embedded store ends at any moment, whatever runs on it") {
    auto runtime = Runtime({.threads = 2});
    for (auto cycle = 0; cycle < cycles(); ++cycle) {
        auto config = EmbeddedStore<>::Config();
        config.master.capacity = 4 * MiB;
        auto busy = Busy();
        auto store = std::make_unique<EmbeddedStore<>>(runtime, std::move(config));
        busy.start(runtime, [s = store.get()](unsigned, unsigned seed) { return use(s, seed); });
        std::this_thread::sleep_for(some_time(cycle));
        runtime.run(store->close());
        REQUIRE(busy.over());
        store.reset();
    }
}

TEST_CASE("lifecycle: a store that several close at once is closed when each of them has returned") {
    auto runtime = Runtime({.threads = 2});
    for (auto cycle = 0; cycle < cycles(); ++cycle) {
        auto config = EmbeddedStore<>::Config();
        config.master.capacity = 1 * MiB;
        auto store = std::make_unique<EmbeddedStore<>>(runtime, std::move(config));
        auto busy = Busy();
        busy.start(runtime, [s = store.get()](unsigned, unsigned seed) { return use(s, seed); });
        auto early = std::atomic<int>{0};
        auto closers = std::vector<std::thread>();
        for (std::size_t i = 0; i < 3; ++i)
            closers.emplace_back([&, i] {
                sync_wait(runtime.executor(i), store->close());
                early += sync_wait(runtime.executor(i), store->exists("key")).error() != Errc::closed;
            });
        for (auto& closer : closers) closer.join();
        CHECK(early == 0);
        REQUIRE(busy.over());
        store.reset();
    }
}

TEST_CASE("lifecycle: a client of a cluster, and then the cluster, end at any moment") {
    auto runtime = Runtime({.threads = 2});
    for (auto cycle = 0; cycle < cycles() / 4; ++cycle) {
        auto master = std::make_unique<MasterServer<>>(runtime, MasterServer<>::Config());
        master->start();
        auto node_config = StoreNode<>::Config();
        node_config.engine.name = "node";
        node_config.master.rpc.server = master->endpoint();
        node_config.memory = {.bytes = 4 * MiB, .pages = PageKind::plain, .prefault_threads = 1};
        auto node = std::make_unique<StoreNode<>>(runtime, std::move(node_config));
        REQUIRE(runtime.run(node->start()).has_value());
        auto config = ClusterStore::Config();
        config.master.rpc.server = master->endpoint();
        auto busy = Busy();
        auto store = std::make_unique<ClusterStore>(runtime, std::move(config));
        busy.start(runtime, [s = store.get()](unsigned, unsigned seed) { return use(s, seed); });
        std::this_thread::sleep_for(some_time(cycle * 5));
        // In every order: what is gone first is missed by what goes later.
        if (cycle % 3 == 1) runtime.run(node->close());
        if (cycle % 3 == 2) runtime.run(master->close());
        runtime.run(store->close());
        REQUIRE(busy.over());
        if (cycle % 3 != 1) runtime.run(node->close());
        if (cycle % 3 != 2) runtime.run(master->close());
        store.reset();
        node.reset();
        master.reset();
    }
}

TEST_CASE("lifecycle: an engine ends at any moment, at either end of a transfer") {
    auto runtime = Runtime({.threads = 2});
    for (auto cycle = 0; cycle < cycles() / 2; ++cycle) {
        auto owner = std::make_unique<TransferEngine<>>(runtime, TransferEngine<>::Config{.name = "owner"});
        auto arena =
            Arena::create({.bytes = Busy::number * MiB, .pages = PageKind::plain, .prefault_threads = 1}).value();
        REQUIRE(runtime.run(owner->register_arena(std::move(arena), Rights::read_write)).has_value());
        auto user = std::make_unique<TransferEngine<>>(runtime, TransferEngine<>::Config{.name = "user"});
        const auto segment = runtime.run(user->open(owner->locator(), 10s)).value();
        auto busy = Busy();
        busy.start(runtime, [engine = user.get(), segment](unsigned which, unsigned seed) {
            return transfer(engine, segment, which * 1 * MiB, seed);
        });
        std::this_thread::sleep_for(some_time(cycle));
        if (cycle % 2 == 0) runtime.run(owner->close());
        runtime.run(user->close());
        REQUIRE(busy.over());
        if (cycle % 2 != 0) runtime.run(owner->close());
        user.reset();
        owner.reset();
    }
}
