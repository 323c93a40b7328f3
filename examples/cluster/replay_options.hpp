#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/serving/trace_json.hpp>
#include <mooncake/serving/workload.hpp>
#include <mooncake/serving/workload_statistics.hpp>
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/placement/policies.hpp>

#include "flags.hpp"
#include "report.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// What both replays (on a cluster, and on a store in one process) are told, read and print.
namespace cluster {

struct ClusterConfig {
    std::uint32_t nodes = 3, tcp_nodes = 1; ///< of the nodes, how many are reached over tcp only
    std::uint32_t prefill_workers = 2, decode_workers = 2;
    std::uint64_t capacity_blocks = 0; ///< 0: a quarter of the memory that is available, at most 30,000
    std::uint64_t block_bytes = 64 * mooncake::KiB;
    std::uint32_t in_flight = 16;
    std::uint32_t replicas = 1; ///< of each block, on different nodes
    std::uint32_t lease_ms = 5'000;
    double time_scale = 0;
    std::string eviction = "lru", placement{mooncake::PowerOfTwoChoices::name};
};

struct Options {
    std::string trace, worker;
    std::uint64_t requests = 0, seed = 1, parent = 0;
    ClusterConfig cluster;
    bool on_cluster = false, embedded = false, in_order = false, json = false;
};

/// Errors: `invalid_argument`: an option is wrong; `cancelled` after `--help`.
inline mooncake::Result<Options> parse(int argc, char** argv) {
    auto options = Options();
    auto& config = options.cluster;
    auto flags = Flags("mooncake_replay", "replays a KV-cache workload and checks every byte that is read");
    flags.on("cluster", options.on_cluster, "start a cluster of processes on this host and replay on it (the default)");
    flags.on("embedded", options.embedded, "replay on a store in this process instead");
    flags.on("in-order", options.in_order, "one request after the other");
    flags.text("trace", options.trace, "file of JSON lines; without it, a workload is made up");
    flags.number("requests", options.requests,
                 "how many requests to make up, or at most to take of the trace; 0: 2000, or all");
    flags.number("seed", options.seed, "of what is made up");
    flags.number("capacity-blocks", config.capacity_blocks,
                 "blocks that fit in the store; 0: as memory allows, at most 30000", std::uint64_t{0},
                 std::uint64_t{1} << 32);
    flags.number("block-bytes", config.block_bytes, "size of a block", std::uint64_t{64}, 256 * mooncake::MiB);
    flags.one_of("eviction", config.eviction, mooncake::EvictionPolicies::names(),
                 "which blocks go when space is wanted");
    flags.one_of("placement", config.placement, mooncake::PlacementPolicies::names(),
                 "in which nodes blocks are placed");
    flags.number("nodes", config.nodes, "processes that lend memory", 1U, 64U);
    flags.number("tcp-nodes", config.tcp_nodes, "how many of them are reached over tcp only (--no-shm)", 0U, 64U);
    flags.number("prefill", config.prefill_workers, "prefill workers", 1U, 64U);
    flags.number("decode", config.decode_workers, "decode workers", 1U, 64U);
    flags.number("replicas", config.replicas, "of each block, on different nodes: they survive a node", 1U, 16U);
    flags.number("in-flight", config.in_flight, "requests on their way at once", 1U, 4096U);
    flags.number("lease-ms", config.lease_ms, "how long a reader may count on a block", 10U, 3'600'000U);
    flags.decimal("time-scale", config.time_scale,
                  "seconds for a second of the trace and of the cost model; 0: as fast as possible", 0, 1'000);
    flags.on("json", options.json, "print the result as JSON");
    flags.text("worker", options.worker, "be a worker of the cluster with this master (used by --cluster)");
    flags.number("parent", options.parent, "end with this process (used by --cluster)");
    const auto parsed = flags.parse(argc, argv);
    if (!parsed) return parsed.error();
    if (options.embedded && options.on_cluster)
        return mooncake::Error(mooncake::Errc::invalid_argument, "--embedded and --cluster exclude each other");
    if (options.embedded && config.replicas != 1)
        return mooncake::Error(mooncake::Errc::invalid_argument,
                               "--embedded keeps one replica; --replicas is for a cluster");
    if (options.embedded && config.placement != mooncake::PowerOfTwoChoices::name)
        return mooncake::Error(mooncake::Errc::invalid_argument,
                               "--embedded has one segment; --placement is for a cluster");
    if (options.worker.empty() && config.replicas > config.nodes)
        return mooncake::Error(mooncake::Errc::invalid_argument,
                               "--replicas " + std::to_string(config.replicas) + " is above --nodes " +
                                   std::to_string(config.nodes) + ": each lies on another node");
    if (config.tcp_nodes > config.nodes)
        return mooncake::Error(mooncake::Errc::invalid_argument, "--tcp-nodes is above --nodes");
    if (options.in_order || options.embedded) config.in_flight = 1;
    return options;
}

/// What is replayed: of the trace, or made up. Errors: those of `read_trace_file`.
inline mooncake::Result<std::vector<mooncake::TraceRequest>> workload(const Options& options) {
    if (options.trace.empty())
        return mooncake::generate_workload(
            {.requests = options.requests == 0 ? 2'000 : options.requests, .seed = options.seed});
    return mooncake::read_trace_file(options.trace);
}

/// A quarter of the memory that is available, at most 30,000 blocks.
inline std::uint64_t default_capacity(std::uint64_t block_bytes) {
    return std::clamp<std::uint64_t>(mooncake::Arena::available_memory() / 4 / block_bytes, 1, 30'000);
}

/// Errors: `out_of_memory`.
inline mooncake::Result<void> fits_in_memory(const ClusterConfig& config,
                                             std::span<const mooncake::TraceRequest> trace) {
    const auto available = mooncake::Arena::available_memory();
    auto largest = std::size_t{0};
    for (const auto& request : trace) largest = std::max(largest, request.hash_ids.size());
    // The blocks of a request that is on its way lie in the memory of its prefill worker, and of its decode worker.
    const auto moving = std::uint64_t{2} * config.in_flight * largest;
    if (config.capacity_blocks <= available / config.block_bytes &&
        moving > available / config.block_bytes - config.capacity_blocks)
        return mooncake::Error(
            mooncake::Errc::out_of_memory,
            std::to_string(config.in_flight) + " requests at once, of up to " + std::to_string(largest) +
                " blocks of " + std::to_string(config.block_bytes) + " bytes, do not fit in the " +
                std::to_string(available) +
                " bytes of memory that are available beside the store; give a smaller --in-flight, --block-bytes or "
                "--capacity-blocks");
    if (config.capacity_blocks <= available / config.block_bytes) return mooncake::ok;
    return mooncake::Error(mooncake::Errc::out_of_memory,
                           "--capacity-blocks " + std::to_string(config.capacity_blocks) + " of " +
                               std::to_string(config.block_bytes) + " bytes do not fit in the " +
                               std::to_string(available) + " bytes of memory that are available; give at most " +
                               std::to_string(available / config.block_bytes));
}

/// Gives the exit status: bytes that were wrong or lost, or requests that failed, are a failure.
inline int print(Totals& totals, nlohmann::ordered_json json, bool as_json) {
    if (as_json) std::printf("%s\n", json.dump(2).c_str());
    else print_table(totals);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        std::fprintf(stderr, "mooncake_replay: the result could not be written: %s\n", std::strerror(errno));
        return EXIT_FAILURE;
    }
    return totals.mismatches == 0 && totals.lost == 0 && totals.failed_requests == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// The workload, cut to what was asked for, and a capacity that this machine has. Says on stderr what kind of workload it is.
inline mooncake::Result<std::vector<mooncake::TraceRequest>> prepare(Options& options) {
    auto trace = workload(options);
    if (!trace) return trace.error();
    if (!options.trace.empty() && options.requests != 0 && options.requests < trace->size())
        trace->resize(options.requests);
    if (options.cluster.capacity_blocks == 0)
        options.cluster.capacity_blocks = default_capacity(options.cluster.block_bytes);
    if (const auto fits = fits_in_memory(options.cluster, *trace); !fits) return fits.error();
    if (!options.json)
        std::fprintf(stderr, "%s\n",
                     mooncake::compare(options.trace.empty() ? "this workload" : "this trace",
                                       mooncake::statistics_of(*trace), "the real trace",
                                       mooncake::conversation_statistics)
                         .c_str());
    return trace;
}

} // namespace cluster
