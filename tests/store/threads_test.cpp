// labels: io concurrent
// Stores that are used from threads of the application's own.
#include <mooncake/core/spawn.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include "support/application.hpp"

#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using test::Application;

namespace {

std::vector<std::byte> content(unsigned which, std::size_t size) {
    return std::vector<std::byte>(size, static_cast<std::byte>(which * 7 + 1));
}

/// Some calls of each kind, with keys of its own and one that all share; what it gets is what it put.
template <class S>
Task<void> use(S* store, unsigned which) {
    for (unsigned round = 0; round < 6; ++round) {
        const auto size = round % 3 == 0 ? std::size_t{1'200'000} : std::size_t{3'000 + which};
        const auto value = content(which, size);
        auto first = std::to_string(which) + "/a", second = std::to_string(which) + "/b";
        const auto items = std::vector<PutItem>{{first, value}, {second, value}, {"shared", value}};
        const auto put = co_await store->put_batch(items, {.deadline = 20s});
        if (!put) co_return put.error();
        const auto got = co_await store->get(first, {.deadline = 20s});
        if (!got) co_return got.error();
        if (*got != value) co_return Error(Errc::corrupt, "got what was not put");
        auto into = std::vector<std::byte>(size);
        const auto wants = std::vector<GetItem>{{first, into}};
        const auto read = co_await store->get_batch(wants, {.deadline = 20s});
        if (!read) co_return read.error();
        if (into != value) co_return Error(Errc::corrupt, "read what was not put");
        {
            const auto view = co_await store->view(second, {.deadline = 20s});
            if (!view) co_return view.error();
            const auto same = std::ranges::equal(view->bytes(), value);
            if (!same && view->valid()) co_return Error(Errc::corrupt, "saw what was not put");
        }
        const auto shared = co_await store->get("shared", {.deadline = 20s});
        if (!shared && shared.error() != Errc::not_found) co_return shared.error();
        const auto keys = std::vector<std::string_view>{first, second};
        const auto gone = co_await store->remove_batch(keys, store::RemoveMode::force);
        if (!gone) co_return gone.error();
    }
    co_return ok;
}

template <class S>
void use_from_everywhere(S& store) {
    auto application = Application(8);
    const auto executor = Executor(application.context.get_executor());
    auto users = std::vector<std::future<Result<void>>>();
    for (unsigned i = 0; i < 12; ++i) users.push_back(spawn(executor, use(&store, i), asio::use_future));
    // And as one would who knows Asio, without a strand.
    for (unsigned i = 12; i < 24; ++i) users.push_back(asio::co_spawn(executor, use(&store, i), asio::use_future));
    for (auto& user : users) {
        const auto done = user.get();
        CHECK_MESSAGE(done.has_value(), done.error().message());
    }
}

} // namespace

TEST_CASE("threads: an embedded store is used from a context that eight threads turn") {
    auto runtime = Runtime({.threads = 2});
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = 128 * MiB;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    use_from_everywhere(store);
}

TEST_CASE("threads: a cluster's client is used from a context that eight threads turn") {
    auto runtime = Runtime({.threads = 2});
    auto master = MasterServer<>(runtime, MasterServer<>::Config());
    master.start();
    auto node_config = StoreNode<>::Config();
    node_config.engine.name = "node";
    node_config.master.rpc.server = master.endpoint();
    node_config.memory = {.bytes = 128 * MiB, .pages = PageKind::plain, .prefault_threads = 1};
    auto node = StoreNode<>(runtime, std::move(node_config));
    REQUIRE(runtime.run(node.start()).has_value());
    auto config = ClusterStore::Config();
    config.master.rpc.server = master.endpoint();
    auto store = ClusterStore(runtime, std::move(config));
    use_from_everywhere(store);
    runtime.run(store.close());
    runtime.run(node.close());
    runtime.run(master.close());
}
