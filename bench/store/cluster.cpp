#include "store/cluster.hpp"

#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>

#include "cluster/daemon.hpp"
#include "support/pairs.hpp"

namespace {

using namespace mooncake;

void master(std::vector<std::string>) {
    auto runtime = Runtime();
    auto server = MasterServer<>(runtime, {.log = cluster::stderr_log("master")});
    server.start();
    cluster::announce(to_string(server.endpoint()));
    cluster::wait_for_stop();
    runtime.run(server.close());
}

struct NetworkOnly : DefaultEngineTraits {
    using Transports = TransportSet<TcpTransport<>>;
};

template <EngineTraits Traits>
void lend(const std::vector<std::string>& arguments) {
    auto runtime = Runtime();
    auto config = StoreNodeConfig<Traits>();
    config.engine.name = "node";
    config.engine.log = config.log = cluster::stderr_log("node");
    config.master.rpc.server = bench::must(parse_endpoint(arguments.at(0)));
    config.memory.bytes = std::stoull(arguments.at(1));
    auto node = StoreNode<Traits>(runtime, std::move(config));
    const auto started = runtime.run(node.start());
    if (started) {
        cluster::announce(node.engine().locator());
        cluster::wait_for_stop();
    }
    runtime.run(node.close());
    bench::must(started);
}

void node(std::vector<std::string> arguments) {
    arguments.at(2) == "tcp" ? lend<NetworkOnly>(arguments) : lend<DefaultEngineTraits>(arguments);
}

const auto roles = std::array{bench::Role("master", &master), bench::Role("node", &node)};

} // namespace
