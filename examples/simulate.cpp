// A cluster of real masters, nodes and clients with an eviction policy of ours, in one deterministic thread, under load and
// faults: pauses, crashes, partitions, clocks that jump. A seed is a history; the same seed is the same history.
#include <mooncake/simulation/cluster.hpp>
#include <mooncake/store/eviction/sieve.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>

// [readme
struct Mine : mooncake::DefaultMasterTraits {
    using Eviction = mooncake::SieveEviction; // or one of your own
};

bool survives(std::uint64_t seed) {
    auto config = mooncake::simulation::ClusterConfig();
    config.nodes = 3;
    config.clients = 2;
    config.operations_per_second = 20;
    config.length = std::chrono::seconds(5); // of load; then the faults end, and everything must work again
    auto cluster = mooncake::simulation::ClusterSimulation<Mine>(seed, config);
    cluster.run();
    const auto& fault = cluster.world().fault(); // the first promise that was broken: which, where, when
    std::cout << "seed " << seed << ": " << (fault.empty() ? "ok" : fault) << ", " << cluster.operations()
              << " operations, history " << std::hex << cluster.world().hash() << std::dec << '\n';
    return fault.empty();
}
// readme]

int main() {
    auto all = true;
    for (std::uint64_t seed = 1; seed <= 2; ++seed) all &= survives(seed);
    return all && survives(1) ? EXIT_SUCCESS : EXIT_FAILURE; // the same history again
}
