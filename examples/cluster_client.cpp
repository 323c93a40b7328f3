// A client of a cluster: put, get and view, and what a node that is gone looks like. The master and the nodes run here as
// well; elsewhere they are mooncake_master and mooncake_node, and only `Config::master.rpc.server` says where.
#include <mooncake/mooncake.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

mooncake::Task<void> use(mooncake::ClusterStore& store) {
    const auto both = co_await store.put("both", mooncake::bytes_of("on two nodes"), {.replicas = 2});
    if (!both) co_return both.error();
    for (int i = 0; i < 8; ++i) {
        const auto once = co_await store.put("once-" + std::to_string(i), mooncake::bytes_of("on one node"));
        if (!once) co_return once.error();
    }
    const auto view = co_await store.view("both", {.deadline = 1s}); // the node's memory, under a lease
    if (!view) co_return view.error();
    std::cout << "viewed: " << view->text() << ", valid: " << view->valid() << '\n';
    co_return mooncake::ok;
}

mooncake::Task<void> look_again(mooncake::ClusterStore& store) {
    const auto both = co_await store.get("both");
    if (!both) co_return both.error();
    std::cout << "still there: " << mooncake::text_of(*both) << '\n';
    for (int i = 0, lost = 0; i < 8; ++i) {
        const auto once = co_await store.get("once-" + std::to_string(i));
        if (once) continue;
        if (++lost == 1) std::cout << "to be computed anew: " << once.error() << '\n';
        if (once.error() != mooncake::Errc::lost) co_return once.error();
    }
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    mooncake::MasterServer<> master{runtime, {}};
    master.start();
    const auto node_config = [&](std::string name) {
        auto config = mooncake::StoreNode<>::Config();
        config.engine.name = std::move(name);
        config.master.rpc.server = master.endpoint();
        config.memory.bytes = 32 * mooncake::MiB;
        return config;
    };
    mooncake::StoreNode<> left{runtime, node_config("node-0")}, right{runtime, node_config("node-1")};
    auto done = runtime.run(left.start()) && runtime.run(right.start());
    mooncake::ClusterStore::Config config;
    config.master.rpc.server = master.endpoint();
    mooncake::ClusterStore store{runtime, config};
    done = done && runtime.run(use(store));
    runtime.run(left.close()); // one that is killed is missed after its time to live
    done = done && runtime.run(look_again(store));
    runtime.run(store.close());
    runtime.run(right.close());
    runtime.run(master.close());
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
