#include "store/cluster.hpp"
#include "store/objects.hpp"

/// Objects of 1 MiB in a cluster of one master and one node, four at a time.
namespace {

using namespace mooncake;

constexpr std::uint64_t block = 1 * MiB, lent_bytes = 1 * GiB, own_bytes = 256 * MiB, count = 960, in_flight = 4;

void get(benchmark::State& state, const std::string& way) {
    const auto cluster = bench::Cluster(lent_bytes, way);
    auto runtime = Runtime();
    auto config = ClusterStore::Config();
    config.master.rpc.server = bench::must(parse_endpoint(cluster.master.address()));
    auto store = ClusterStore(runtime, std::move(config));
    const auto own = bench::cold_arena(own_bytes);
    auto objects =
        bench::Objects<ClusterStore>{.store = &store, .memory = own->bytes(), .count = count, .in_flight = in_flight};
    (void)objects.put(runtime);
    bench::run(state, {.work_per_operation = block, .ours = [&] { return objects.get(runtime); }});
}

const auto rows = std::array{
    bench::Row("store/get/cluster_shm/1048576", [](benchmark::State& state) { get(state, "shm"); }),
    bench::Row("store/get/cluster_tcp/1048576", [](benchmark::State& state) { get(state, "tcp"); }),
};

} // namespace
