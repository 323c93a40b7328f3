// Replays a workload: on a cluster of processes on this host (`--cluster`), or on a store in this process (`--embedded`).
#include <mooncake/mooncake.hpp>

#include "coordinator.hpp"
#include "daemon.hpp"
#include "replay_options.hpp"
#include "worker.hpp"

#include <boost/asio/signal_set.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using cluster::Options;
using mooncake::Errc, mooncake::Error, mooncake::Result;

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
    const auto status = cluster::print(totals, cluster::to_json(totals), options.json);
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

/// Gives its place to the program that does it, which is not compiled where only clusters are wanted.
int replay_embedded(char** argv) {
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mooncake_replay_embedded";
    execv(program.c_str(), argv);
    return cluster::fail("mooncake_replay",
                         Error(Errc::system, program.string() + ": " + std::strerror(errno) +
                                                 ": --embedded is a program of its own; build it with "
                                                 "cmake --build --preset release --target "
                                                 "mooncake_replay_embedded"));
}

int replay(Options options, char** argv) {
    if (options.embedded) return replay_embedded(argv);
    if (!options.worker.empty()) return serve_as_worker(options);
    const auto trace = cluster::prepare(options);
    if (!trace) return cluster::fail("mooncake_replay", trace.error());
    return replay_on_cluster(options, *trace);
}

} // namespace

int main(int argc, char** argv) {
    auto options = cluster::parse(argc, argv);
    if (!options) return cluster::fail("mooncake_replay", options.error());
    try {
        return replay(std::move(*options), argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mooncake_replay: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
