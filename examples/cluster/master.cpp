#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/journal/event_ring.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/placement/policies.hpp>

#include "daemon.hpp"
#include "security.hpp"

#include <boost/system/system_error.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace {

struct Options {
    std::string listen = "127.0.0.1:0";
    std::string advertise;
    std::string eviction = "lru", placement{mooncake::PowerOfTwoChoices::name};
    unsigned lease_ms = 5'000, segment_ttl_ms = 3'000, threads = 1;
    std::uint64_t parent = 0;
    cluster::Security security;
};

struct Traits : mooncake::DefaultMasterTraits {
    using Eviction = mooncake::AnyEviction;
    using Journal = mooncake::EventRing;
    using Placement = mooncake::AnyPlacement;
};

mooncake::Result<void> serve(const Options& options) {
    const auto bind = mooncake::parse_endpoint(options.listen);
    if (!bind) return bind.error();
    auto advertise = mooncake::Endpoint();
    if (!options.advertise.empty()) {
        const auto given = mooncake::parse_endpoint(options.advertise);
        if (!given) return given.error();
        advertise = *given;
    }
    const auto stream = options.security.policy();
    if (!stream) return stream.error();
    cluster::block_stop_signals();
    auto runtime = mooncake::Runtime({.threads = options.threads});
    auto eviction = mooncake::EvictionPolicies::named(options.eviction);
    if (!eviction) return eviction.error();
    auto placement = mooncake::PlacementPolicies::named(options.placement);
    if (!placement) return placement.error();
    using Server = mooncake::MasterServer<Traits, cluster::AnyTcp>;
    auto config = Server::Config{.listen = {.bind = *bind, .advertise = advertise}};
    config.master.segment_ttl = std::chrono::milliseconds{options.segment_ttl_ms};
    config.parts.eviction = *std::move(eviction);
    config.parts.placement = *std::move(placement);
    config.parts.lease.ttl = std::chrono::milliseconds{options.lease_ms};
    config.log = cluster::stderr_log("mooncake_master");
    config.stream = *stream;
    auto server = Server(runtime, std::move(config));
    server.start();
    cluster::announce(mooncake::to_string(server.endpoint()));
    cluster::wait_for_stop();
    runtime.run(server.close());
    return mooncake::ok;
}

} // namespace

int main(int argc, char** argv) {
    auto options = Options();
    auto flags = cluster::Flags("mooncake_master", "knows where every object of a cluster is, and evicts");
    flags.text("listen", options.listen, "address to listen on; port 0 is any free one");
    flags.text("advertise", options.advertise, "address to tell others, if it is another one");
    flags.one_of("eviction", options.eviction, mooncake::EvictionPolicies::names(),
                 "which objects go when space is wanted");
    flags.one_of("placement", options.placement, mooncake::PlacementPolicies::names(),
                 "where the replicas of an object go");
    flags.number("lease-ms", options.lease_ms, "how long a reader may count on an object", 10U, 3'600'000U);
    flags.number("segment-ttl-ms", options.segment_ttl_ms, "a node that is silent for longer is dropped", 100U,
                 3'600'000U);
    flags.number("threads", options.threads, "threads", 1U, 1024U);
    options.security.add_to(flags);
    flags.number("parent", options.parent, "end with this process");
    if (const auto parsed = flags.parse(argc, argv); !parsed) return cluster::fail("mooncake_master", parsed.error());
    cluster::follow(options.parent);
    try {
        const auto served = serve(options);
        if (!served) return cluster::fail("mooncake_master", served.error());
    } catch (const boost::system::system_error& error) {
        std::cerr << "mooncake_master: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
