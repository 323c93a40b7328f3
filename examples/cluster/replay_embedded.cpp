// Replays a workload on a store in this process, and says what that costs beside a plain LRU: `mooncake_replay --embedded`.
#include <mooncake/mooncake.hpp>

#include "daemon.hpp"
#include "embedded.hpp"
#include "replay_options.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <utility>

namespace {

int replay_embedded(const cluster::Options& options, std::span<const mooncake::TraceRequest> trace) {
    auto eviction = mooncake::EvictionPolicies::named(options.cluster.eviction);
    if (!eviction) return cluster::fail("mooncake_replay", eviction.error());
    const auto config = cluster::EmbeddedConfig{.capacity_blocks = options.cluster.capacity_blocks,
                                                .block_bytes = options.cluster.block_bytes,
                                                .one_by_one = options.in_order};
    auto totals = cluster::Totals();
    auto runtime = mooncake::Runtime({.threads = 1});
    auto replay = cluster::EmbeddedReplay(runtime, config, *std::move(eviction));
    const auto before = cluster::cpu_seconds();
    const auto done = runtime.run(replay.run(trace, totals));
    const auto store_cpu = cluster::cpu_seconds() - before;
    if (!done) return cluster::fail("mooncake_replay", done.error());
    auto plain = cluster::PlainLru(config);
    const auto plain_before = cluster::cpu_seconds();
    plain.run(trace);
    const auto plain_cpu = cluster::cpu_seconds() - plain_before;
    auto json = cluster::to_json(totals);
    json["cpu_seconds"] = store_cpu;
    json["plain_lru_cpu_seconds"] = plain_cpu;
    json["vs_plain_lru"] = store_cpu / plain_cpu;
    json["plain_lru_checksum"] = plain.checksum();
    const auto status = cluster::print(totals, std::move(json), options.json);
    if (!options.json)
        std::printf(
            "  processor time       %8.2f s   a plain LRU with generate, copy and XXH3 takes %.2f s: %.2f times\n",
            store_cpu, plain_cpu, store_cpu / plain_cpu);
    return status;
}

int replay(cluster::Options options) {
    const auto trace = cluster::prepare(options);
    if (!trace) return cluster::fail("mooncake_replay", trace.error());
    return replay_embedded(options, *trace);
}

} // namespace

int main(int argc, char** argv) {
    auto options = cluster::parse(argc, argv);
    if (!options) return cluster::fail("mooncake_replay", options.error());
    try {
        return replay(std::move(*options));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mooncake_replay: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
