// labels: conformance
#include <mooncake/serving/admission/published.hpp>
#include <mooncake/serving/balance/hot_prefixes.hpp>
#include <mooncake/serving/prefill/published.hpp>
#include <mooncake/serving/simulator/simulator.hpp>
#include <mooncake/testing/balance_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <vector>

using namespace mooncake;
using testing::balance_conformance;

namespace {

struct WithoutName {
    BlockCopy routed(const RoutedRequest&, std::span<const PrefillInstance>) { return {}; }
};
static_assert(!BalancePolicy<WithoutName>);
static_assert(!BalancePolicy<int>);

struct Longest : DefaultConductorTraits {
    using Prefill = LongestPrefix;
    using Admission = AdmitAll;
};
struct Balanced : Longest {
    using Balance = HotPrefixes;
};

struct Hot {
    std::vector<BlockKey> blocks = std::vector<BlockKey>(20);
    std::vector<PrefillInstance> instances = std::vector<PrefillInstance>(3);
    std::vector<std::uint32_t> held{0, 20, 0};
    CostModel cost{};
    Hot() {
        std::iota(blocks.begin(), blocks.end(), 1);
        for (auto& one : instances) one.capacity_blocks = 100;
        instances[1].queued_seconds = 5, instances[0].queued_seconds = 1;
    }
    BlockCopy ask(HotPrefixes& policy, double now) {
        return policy.routed({.now = now, .blocks = blocks, .held = held, .instance = 1, .cost = &cost}, instances);
    }
};

} // namespace

TEST_CASE("balance: none keeps the contract") { balance_conformance<NoBalance>(); }
TEST_CASE("balance: hot prefixes keep the contract") { balance_conformance<HotPrefixes>(); }

TEST_CASE("balance: what many ask for is copied to who has least to do, once its only holder has a backlog") {
    auto hot = Hot();
    auto policy = HotPrefixes();
    CHECK(hot.ask(policy, 0).target == no_instance); // the first is no crowd
    CHECK(hot.ask(policy, 1).target == no_instance);
    CHECK(hot.ask(policy, 2).target == no_instance);
    const auto copy = hot.ask(policy, 3);
    CHECK(copy.source == 1);
    CHECK(copy.target == 2);
    CHECK(copy.blocks == 20);
    CHECK(hot.ask(policy, 300).target == no_instance); // they have not asked for minutes
}

TEST_CASE(
    "balance: nothing is copied without a backlog, without free places, beside another copy, or beyond the bound") {
    const auto after = [](auto change) {
        auto hot = Hot();
        auto policy = HotPrefixes();
        for (int i = 0; i < 5; ++i) static_cast<void>(hot.ask(policy, i));
        change(hot);
        return hot.ask(policy, 5).target;
    };
    CHECK(after([](Hot&) {}) == 2);
    CHECK(after([](Hot& hot) { hot.instances[1].queued_seconds = 0; }) == no_instance);
    CHECK(after([](Hot& hot) { hot.instances[2].up = false; }) == 0);
    CHECK(after([](Hot& hot) {
              for (auto& one : hot.instances) one.cached_blocks = 90;
          }) == no_instance);
    CHECK(after([](Hot& hot) { hot.instances[1].nic.send(5, 1'000'000, hot.cost.transfer); }) == no_instance);
    CHECK(after([](Hot& hot) { hot.held = {20, 20, 20}; }) == no_instance);
    CHECK(after([](Hot& hot) { hot.held = {3, 20, 20}; }) == no_instance); // who holds it already is free
}

TEST_CASE(
    "balance: in a simulation a hot head spreads before it is a bottleneck, and full caches keep what they have") {
    auto trace = std::vector<TraceRequest>();
    for (std::uint64_t i = 0; i < 400; ++i) {
        auto one =
            TraceRequest{.timestamp_ms = i == 0 ? 0 : 10'000 + i * 700, .input_length = 110 * 512, .output_length = 20};
        for (std::uint64_t block = 0; block < 110; ++block)
            one.hash_ids.push_back(block < 90 ? block : 1'000 * (i + 1) + block);
        trace.push_back(one);
    }
    auto config = SimulatorConfig();
    config.conductor.prefill_instances = config.conductor.decode_instances = 4;
    config.conductor.cache_blocks = 100'000;
    const auto none = Simulator<Longest>(config).run(trace), copied = Simulator<Balanced>(config).run(trace);
    CHECK(copied.copied_blocks >= 90);
    CHECK(copied.copied_blocks <= 4 * 110);
    CHECK(copied.ttft.mean() < .5 * none.ttft.mean());
    CHECK(copied.completed == trace.size());
    config.conductor.cache_blocks = 220; // two prompts
    const auto full = Simulator<Balanced>(config).run(trace), base = Simulator<Longest>(config).run(trace);
    CHECK(full.reused_ratio() >= base.reused_ratio() - .01);
}
