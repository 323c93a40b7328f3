// Replays a workload: on a cluster of processes on this host (`--cluster`), or on a store in this process (`--embedded`).
#include <mooncake/mooncake.hpp>
#include <mooncake/serving/trace_json.hpp>

#include "coordinator.hpp"
#include "daemon.hpp"
#include "embedded.hpp"
#include "worker.hpp"

#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using mooncake::Errc, mooncake::Error, mooncake::Result;

struct Options {
    std::string trace, worker;
    std::uint64_t requests = 0, seed = 1, parent = 0;
    cluster::ClusterConfig cluster;
    bool on_cluster = false, embedded = false, in_order = false, json = false;
};

Result<Options> parse(int argc, char** argv) {
    auto options = Options();
    auto& config = options.cluster;
    auto flags = cluster::Flags("mooncake_replay", "replays a KV-cache workload and checks every byte that is read");
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
    flags.one_of("eviction", config.eviction, {"lru", "sieve"}, "which blocks go when space is wanted");
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
        return Error(Errc::invalid_argument, "--embedded and --cluster exclude each other");
    if (options.embedded && config.replicas != 1)
        return Error(Errc::invalid_argument, "--embedded keeps one replica; --replicas is for a cluster");
    if (options.worker.empty() && config.replicas > config.nodes)
        return Error(Errc::invalid_argument, "--replicas " + std::to_string(config.replicas) + " is above --nodes " +
                                                 std::to_string(config.nodes) + ": each lies on another node");
    if (config.tcp_nodes > config.nodes) return Error(Errc::invalid_argument, "--tcp-nodes is above --nodes");
    if (options.in_order || options.embedded) config.in_flight = 1;
    return options;
}

Result<std::vector<mooncake::TraceRequest>> workload(const Options& options) {
    if (options.trace.empty())
        return mooncake::generate_workload(
            {.requests = options.requests == 0 ? 2'000 : options.requests, .seed = options.seed});
    return mooncake::read_trace_file(options.trace);
}

/// A quarter of the memory that is available, at most 30,000 blocks.
std::uint64_t default_capacity(std::uint64_t block_bytes) {
    return std::clamp<std::uint64_t>(mooncake::Arena::available_memory() / 4 / block_bytes, 1, 30'000);
}

Result<void> fits_in_memory(const cluster::ClusterConfig& config, std::span<const mooncake::TraceRequest> trace) {
    const auto available = mooncake::Arena::available_memory();
    auto largest = std::size_t{0};
    for (const auto& request : trace) largest = std::max(largest, request.hash_ids.size());
    // The blocks of a request that is on its way lie in the memory of its prefill worker, and of its decode worker.
    const auto moving = std::uint64_t{2} * config.in_flight * largest;
    if (config.capacity_blocks <= available / config.block_bytes &&
        moving > available / config.block_bytes - config.capacity_blocks)
        return Error(
            Errc::out_of_memory,
            std::to_string(config.in_flight) + " requests at once, of up to " + std::to_string(largest) +
                " blocks of " + std::to_string(config.block_bytes) + " bytes, do not fit in the " +
                std::to_string(available) +
                " bytes of memory that are available beside the store; give a smaller --in-flight, --block-bytes or "
                "--capacity-blocks");
    if (config.capacity_blocks <= available / config.block_bytes) return mooncake::ok;
    return Error(Errc::out_of_memory, "--capacity-blocks " + std::to_string(config.capacity_blocks) + " of " +
                                          std::to_string(config.block_bytes) + " bytes do not fit in the " +
                                          std::to_string(available) +
                                          " bytes of memory that are available; give at most " +
                                          std::to_string(available / config.block_bytes));
}

int print(cluster::Totals& totals, nlohmann::ordered_json json, bool as_json) {
    if (as_json) std::printf("%s\n", json.dump(2).c_str());
    else cluster::print_table(totals);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        std::fprintf(stderr, "mooncake_replay: the result could not be written: %s\n", std::strerror(errno));
        return EXIT_FAILURE;
    }
    return totals.mismatches == 0 && totals.lost == 0 && totals.failed_requests == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

template <class Policy>
int replay_embedded(const Options& options, std::span<const mooncake::TraceRequest> trace) {
    const auto config = cluster::EmbeddedConfig{.capacity_blocks = options.cluster.capacity_blocks,
                                                .block_bytes = options.cluster.block_bytes};
    auto totals = cluster::Totals();
    auto runtime = mooncake::Runtime({.threads = 1});
    auto replay = cluster::EmbeddedReplay<Policy>(runtime, config);
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
    const auto status = print(totals, std::move(json), options.json);
    if (!options.json)
        std::printf(
            "  processor time       %8.2f s   a plain LRU with generate, copy and XXH3 takes %.2f s: %.2f times\n",
            store_cpu, plain_cpu, store_cpu / plain_cpu);
    return status;
}

mooncake::Task<void> run_until_stopped(cluster::Coordinator& coordinator, std::span<const mooncake::TraceRequest> trace,
                                       cluster::Totals& totals) {
    const auto executor = co_await mooncake::asio::this_coro::executor;
    auto signals = mooncake::asio::signal_set(executor, SIGINT, SIGTERM);
    auto stop = mooncake::asio::cancellation_signal();
    auto over = mooncake::Event();
    auto result = Result<void>(Errc::cancelled);
    auto done = [&](Result<void> value) {
        result = std::move(value);
        signals.cancel();
        over.set();
    };
    mooncake::spawn(executor, coordinator.run(trace, totals),
                    mooncake::asio::bind_cancellation_slot(stop.slot(), done));
    signals.async_wait([&stop](const boost::system::error_code& error, int) {
        if (!error) stop.emit(mooncake::asio::cancellation_type::terminal);
    });
    co_await over.wait();
    co_await coordinator.close();
    co_return result;
}

int replay_on_cluster(const Options& options, std::span<const mooncake::TraceRequest> trace) {
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const auto& config = options.cluster;
    std::fprintf(stderr,
                 "starting 1 master, %u nodes (%u over tcp only), %u prefill and %u decode workers; the store holds "
                 "%lu blocks of %lu bytes\n",
                 config.nodes, config.tcp_nodes, config.prefill_workers, config.decode_workers, config.capacity_blocks,
                 config.block_bytes);
    auto processes = cluster::Processes();
    const auto started = processes.start(folder, config);
    if (!started) return cluster::fail("mooncake_replay", started.error());
    auto totals = cluster::Totals();
    auto runtime = mooncake::Runtime({.threads = 1});
    auto coordinator = cluster::Coordinator(runtime, config, processes);
    const auto done = runtime.run(run_until_stopped(coordinator, trace, totals));
    if (const auto casualties = processes.casualties(); !casualties.empty())
        std::fprintf(stderr, "\nmooncake_replay: ended before their time, and the run went on without them: %s\n",
                     casualties.c_str());
    if (!done && done.error() == Errc::cancelled)
        return cluster::fail("mooncake_replay", Error(Errc::cancelled, "stopped"));
    const auto status = print(totals, cluster::to_json(totals), options.json);
    return done ? status : cluster::fail("mooncake_replay", done.error());
}

int serve_as_worker(const Options& options) {
    cluster::follow(options.parent);
    const auto master = mooncake::parse_endpoint(options.worker);
    if (!master) return cluster::fail("mooncake_replay", master.error());
    cluster::block_stop_signals();
    auto runtime = mooncake::Runtime({.threads = 1});
    auto worker = cluster::Worker(runtime, {.master = *master,
                                            .block_bytes = options.cluster.block_bytes,
                                            .time_scale = options.cluster.time_scale,
                                            .replicas = options.cluster.replicas});
    cluster::announce(mooncake::to_string(worker.endpoint()));
    cluster::wait_for_stop();
    runtime.run(worker.close());
    return EXIT_SUCCESS;
}

int replay(Options options) {
    if (!options.worker.empty()) return serve_as_worker(options);
    auto trace = workload(options);
    if (!trace) return cluster::fail("mooncake_replay", trace.error());
    if (!options.trace.empty() && options.requests != 0 && options.requests < trace->size())
        trace->resize(options.requests);
    if (options.cluster.capacity_blocks == 0)
        options.cluster.capacity_blocks = default_capacity(options.cluster.block_bytes);
    if (const auto fits = fits_in_memory(options.cluster, *trace); !fits)
        return cluster::fail("mooncake_replay", fits.error());
    if (!options.json)
        std::fprintf(stderr, "%s\n",
                     mooncake::compare(options.trace.empty() ? "this workload" : "this trace",
                                       mooncake::statistics_of(*trace), "the real trace",
                                       mooncake::conversation_statistics)
                         .c_str());
    if (!options.embedded) return replay_on_cluster(options, *trace);
    return options.cluster.eviction == "sieve" ? replay_embedded<mooncake::SieveEviction>(options, *trace)
                                               : replay_embedded<mooncake::LruEviction>(options, *trace);
}

} // namespace

int main(int argc, char** argv) {
    auto options = parse(argc, argv);
    if (!options) return cluster::fail("mooncake_replay", options.error());
    try {
        return replay(std::move(*options));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mooncake_replay: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
