#pragma once

#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::test {

/// A master, nodes and a client in one process, over real sockets and shared memory.
struct Cluster {
    explicit Cluster(unsigned count) : master(std::make_unique<MasterServer<>>(runtime, master_config())) {
        master->start();
        for (unsigned i = 0; i < count; ++i) REQUIRE(add("node-" + std::to_string(i)));
        auto config = ClusterStore::Config();
        config.master.rpc.server = master->endpoint();
        store = std::make_unique<ClusterStore>(runtime, std::move(config));
    }
    ~Cluster() {
        runtime.run(store->close());
        for (auto& node : nodes) runtime.run(node->close());
        runtime.run(master->close());
    }

    static MasterServer<>::Config master_config() {
        auto config = MasterServer<>::Config();
        config.master.segment_ttl = std::chrono::milliseconds(400);
        return config;
    }

    Result<void> add(std::string name, std::chrono::milliseconds patience = {}, std::uint64_t bytes = 8 * MiB,
                     std::chrono::milliseconds repair_period = {}) {
        auto config = StoreNode<>::Config();
        config.engine.name = std::move(name);
        config.master.rpc.server = master->endpoint();
        config.memory = {.bytes = bytes};
        config.name_patience = patience;
        config.repair_period = repair_period;
        auto node = std::make_unique<StoreNode<>>(runtime, std::move(config));
        const auto started = runtime.run(node->start());
        if (!started) runtime.run(node->close());
        else nodes.push_back(std::move(node));
        return started;
    }

    Runtime runtime{{.threads = 2}};
    std::unique_ptr<MasterServer<>> master;
    std::vector<std::unique_ptr<StoreNode<>>> nodes;
    std::unique_ptr<ClusterStore> store;
};

} // namespace mooncake::test
