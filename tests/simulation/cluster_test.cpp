// labels: cluster
#include <mooncake/simulation/cluster.hpp>
#include <mooncake/store/eviction/sieve.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <sstream>
#include <string>

using namespace mooncake;
using namespace mooncake::simulation;

/// What processes that were killed had in memory is leaked, as in life.
extern "C" const char* __asan_default_options() { // NOLINT(bugprone-reserved-identifier)
    return "detect_leaks=0";
}

namespace {

struct Outcome {
    std::string fault;
    std::uint64_t hash = 0, operations = 0, successes = 0;
};

/// Little happens in it, so that sanitizers are done with it in time; mooncake_simulate runs the others.
ClusterConfig small() {
    auto config = ClusterConfig();
    config.nodes = 3;
    config.clients = 3;
    config.operations_per_second = 15;
    config.length = std::chrono::seconds(5);
    return config;
}

template <class Traits = DefaultMasterTraits>
Outcome simulate(std::uint64_t seed, const ClusterConfig& config = small()) {
    auto cluster = ClusterSimulation<Traits>(seed, config);
    cluster.run();
    return {cluster.world().fault(), cluster.world().hash(), cluster.operations(), cluster.successes()};
}

struct SieveMaster : DefaultMasterTraits {
    using Eviction = SieveEviction;
};

/// A policy with a fault: it names the same victim for ever, evictable or not.
class StuckEviction {
  public:
    static constexpr std::string_view name = "stuck";
    void insert(Slot slot, const EvictionEntry& entry) { order_.insert(slot, entry); }
    void touch(Slot, TimePoint) noexcept {}
    void remove(Slot slot, Departure why) noexcept { order_.remove(slot, why); }
    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable&) {
        return std::nullopt;
    }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    LruEviction order_;
};
struct StuckMaster : DefaultMasterTraits {
    using Eviction = StuckEviction;
};

} // namespace

TEST_CASE("simulation: a seed is a history, the same whenever it is run") {
    const auto once = simulate(7), again = simulate(7), other = simulate(8);
    CHECK(once.fault == "");
    CHECK(once.hash == again.hash);
    CHECK(once.hash != other.hash);
    CHECK(once.operations > 300);
    CHECK(once.successes > 100);
}

TEST_CASE("simulation: without faults hardly anything fails") {
    auto config = small();
    config.faults = config.vary = false;
    const auto calm = simulate(3, config);
    CHECK(calm.fault == "");
    CHECK(calm.successes > calm.operations / 2); // the rest was not there
}

TEST_CASE("simulation: with a policy of one's own, and one that is wrong is found") {
    CHECK(simulate<SieveMaster>(5).fault == "");
    auto config = small();
    config.faults = config.vary = false;
    config.node_bytes = 64 * KiB; // soon full
    CHECK(simulate<StuckMaster>(1, config).fault.find("no_space") != std::string::npos);
}

TEST_CASE("simulation: the trace tells what happened, and the last line why it was a fault") {
    auto out = std::ostringstream();
    auto cluster = ClusterSimulation<>(1, small());
    cluster.world().trace_to(&out);
    cluster.run();
    cluster.world().trace_to(nullptr);
    CHECK(out.str().find(" connect ") != std::string::npos);
    CHECK(out.str().find(" arrive ") != std::string::npos);
}
