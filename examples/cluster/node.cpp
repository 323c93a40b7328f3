#include <mooncake/core/spawn.hpp>
#include <mooncake/store/node.hpp>

#include "daemon.hpp"
#include "security.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
    std::string master;
    std::string name;
    std::string host, rack;
    std::string bind = "127.0.0.1", advertise, also_advertise;
    std::uint16_t port = 0;
    std::uint64_t bytes = 1ULL << 30;
    unsigned threads = 1, name_patience_ms = 10'000, drain_ms = 10'000, repair_ms = 10'000;
    std::uint64_t parent = 0;
    bool no_shm = false;
    cluster::Security security;
};

/// Reached over the network only, by processes on the same host too.
struct NetworkOnly : cluster::Secured {
    using Transports = mooncake::TransportSet<mooncake::TcpTransport<cluster::AnyTcp>>;
};

/// Waits for `task`, or for a signal to stop, whichever comes first: then it is cancelled.
template <class T>
mooncake::Result<T> run_unless_stopped(mooncake::Runtime& runtime, mooncake::Task<T> task) {
    auto outcome = mooncake::Result<T>(mooncake::Errc::cancelled);
    auto over = std::atomic<bool>(false);
    auto stop = mooncake::asio::cancellation_signal();
    const auto executor = runtime.executor();
    mooncake::asio::post(executor, [&] {
        auto done = [&](mooncake::Result<T> result) {
            outcome = std::move(result);
            over = true;
        };
        mooncake::spawn(executor, std::move(task), mooncake::asio::bind_cancellation_slot(stop.slot(), done));
    });
    while (!over)
        if (cluster::stop_comes_within(std::chrono::milliseconds(20)))
            mooncake::asio::post(executor, [&stop] { stop.emit(mooncake::asio::cancellation_type::terminal); });
    return outcome;
}

/// What the node has goes to others before it goes itself, as long as it may take and nobody asks a second time.
void drain(mooncake::Runtime& runtime, auto& node, std::chrono::milliseconds most, const mooncake::Log& log) {
    if (most.count() == 0) return;
    const auto drained = run_unless_stopped(runtime, node.drain(mooncake::Deadline(most)));
    if (!drained) return log(mooncake::Severity::warning, "not drained: " + drained.error().message());
    const auto moved = std::to_string(drained->objects) + " objects, " + std::to_string(drained->bytes) +
                       " bytes, went to other nodes";
    if (drained->left == 0) return log(mooncake::Severity::info, "drained: " + moved);
    log(mooncake::Severity::warning, "not drained: " + moved + ", " + std::to_string(drained->left) +
                                         " replicas are left" + (drained->why.empty() ? "" : ": " + drained->why));
}

/// What stands between commas.
std::vector<std::string> listed(std::string_view text) {
    auto all = std::vector<std::string>();
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        all.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return all;
}

template <mooncake::EngineTraits Traits>
mooncake::Result<void> lend(const Options& options) {
    const auto master = mooncake::parse_endpoint(options.master);
    if (!master) return master.error();
    const auto stream = options.security.policy();
    if (!stream) return stream.error();
    cluster::block_stop_signals();
    auto runtime = mooncake::Runtime({.threads = options.threads});
    auto log = cluster::stderr_log("mooncake_node " + options.name);
    auto config = mooncake::StoreNodeConfig<Traits, cluster::AnyTcp>();
    auto listen = mooncake::ListenConfig{.bind = {options.bind, options.port}, .advertise = {options.advertise, 0}};
    config.engine.name = options.name;
    config.engine.log = log;
    config.engine.metadata = std::make_shared<typename Traits::Metadata>(
        runtime, mooncake::PeerMetadataConfig{.listen = listen, .log = log}, *stream);
    if (options.port != 0) ++listen.bind.port;
    auto& tcp = config.engine.template transport<mooncake::TcpTransport<cluster::AnyTcp>>();
    tcp.listen = listen;
    tcp.stream = *stream;
    tcp.other_hosts = listed(options.also_advertise);
    config.master.rpc.server = *master;
    config.master.stream = *stream;
    const auto sharing =
        std::same_as<Traits, NetworkOnly> ? mooncake::ArenaSharing::process : mooncake::ArenaSharing::host;
    config.memory = {.bytes = options.bytes, .sharing = sharing, .name = "mooncake-node"};
    config.memory.progress = [log, tenths = std::uint64_t{0}](std::uint64_t done, std::uint64_t all) mutable {
        if (all < 16 * mooncake::GiB || 10 * (done / mooncake::MiB) / (all / mooncake::MiB) == tenths) return;
        tenths = 10 * (done / mooncake::MiB) / (all / mooncake::MiB);
        log(mooncake::Severity::info,
            "touched " + std::to_string(10 * tenths) + " % of " + std::to_string(all) + " bytes");
    };
    config.host = options.host;
    config.rack = options.rack;
    config.name_patience = std::chrono::milliseconds{options.name_patience_ms};
    config.repair_period = std::chrono::milliseconds{options.repair_ms};
    config.log = log;
    auto metadata = config.engine.metadata;
    auto node =
        mooncake::StoreNode<Traits, cluster::AnyTcp>(runtime, std::move(config)); // throws, when nothing has begun
    metadata->start();
    auto result = run_unless_stopped(runtime, node.start());
    if (result) {
        cluster::announce(node.engine().locator());
        cluster::wait_for_stop();
        drain(runtime, node, std::chrono::milliseconds{options.drain_ms}, log);
    }
    runtime.run(node.close());
    runtime.run(metadata->close());
    return result;
}

} // namespace

int main(int argc, char** argv) {
    auto options = Options();
    auto flags = cluster::Flags("mooncake_node", "lends memory to a cluster");
    flags.text("master", options.master, "address of the master, host:port");
    flags.text("name", options.name, "name of the segment; no other node that is alive has it");
    flags.text("host", options.host, "failure domain; replicas avoid sharing one");
    flags.text("rack", options.rack, "the next larger failure domain; replicas avoid sharing one");
    flags.text("bind", options.bind, "IP address to listen on");
    flags.text("advertise", options.advertise, "host name or IP address to tell others, if it is another one");
    flags.text("also-advertise", options.also_advertise,
               "further addresses of this host, in other networks, with commas between them: each is a path to it");
    flags.number("port", options.port, "first of two ports to listen on; 0 is any free ones", std::uint16_t{0},
                 std::uint16_t{65'534});
    flags.number("bytes", options.bytes, "memory to lend", std::uint64_t{4096}, std::uint64_t{1} << 46);
    flags.number("threads", options.threads, "threads", 1U, 1024U);
    flags.number("name-patience-ms", options.name_patience_ms, "how long to wait for a name that is taken");
    flags.number("drain-ms", options.drain_ms,
                 "how long to copy what it has to other nodes when it is told to stop; told again, it stops at once");
    flags.number("repair-ms", options.repair_ms,
                 "how often to look for objects that lost a replica, and to copy them; 0 is never", 0U, 86'400'000U);
    options.security.add_to(flags);
    flags.number("parent", options.parent, "end with this process");
    flags.on("no-shm", options.no_shm, "never share memory with processes on this host: they use the network");
    auto parsed = flags.parse(argc, argv);
    if (parsed && (options.master.empty() || options.name.empty()))
        parsed = mooncake::Error(mooncake::Errc::invalid_argument, "--master and --name are needed");
    if (!parsed) return cluster::fail("mooncake_node", parsed.error());
    cluster::follow(options.parent);
    try {
        const auto lent = options.no_shm ? lend<NetworkOnly>(options) : lend<cluster::Secured>(options);
        if (!lent) return cluster::fail("mooncake_node", lent.error());
    } catch (const boost::system::system_error& error) {
        std::cerr << "mooncake_node: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
