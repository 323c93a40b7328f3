// labels: unit
#include <mooncake/serving/admission/any.hpp>
#include <mooncake/serving/prefill/any.hpp>
#include <mooncake/serving/simulator/faults.hpp>
#include <mooncake/serving/simulator/simulator.hpp>
#include <mooncake/serving/workload.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

struct Any : DefaultConductorTraits {
    using Prefill = AnyPrefill;
    using Decode = LeastTbt;
    using Admission = AnyAdmission;
};
using Trace = std::vector<TraceRequest>;
using Sim = Simulator<Any>;

/// Ours, but what is learnt of slow instances is kept from it.
struct Unaware : LeastDelay {
    static constexpr std::string_view name = "unaware";
    Unaware() = default; // so that it is no aggregate: the base has an explicit constructor
    PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        auto same = std::vector<PrefillInstance>(instances.begin(), instances.end());
        for (auto& one : same) one.pace = 1;
        return LeastDelay::choose(request, same);
    }
};

const Trace& workload() {
    static const auto trace = generate_workload({.requests = 1'200}).value();
    return trace;
}
double seconds_of(const Trace& trace) { return static_cast<double>(trace.back().timestamp_ms) / 1000; }

SimulatorConfig small(ServingMode mode = ServingMode::disaggregated) {
    auto config = SimulatorConfig();
    config.conductor.mode = mode;
    config.conductor.prefill_instances = config.conductor.decode_instances = 4;
    return config;
}

/// So many requests of eight blocks of their own, one in `every` seconds.
Trace steady(std::size_t requests, double every) {
    auto trace = Trace();
    for (std::uint64_t i = 0; i < requests; ++i) {
        auto& one =
            trace.emplace_back(TraceRequest{.timestamp_ms = static_cast<std::uint64_t>(1000 * every * double(i)),
                                            .input_length = 8 * 512,
                                            .output_length = 100});
        for (std::uint64_t block = 0; block < 8; ++block) one.hash_ids.push_back(1 + i * 8 + block);
    }
    return trace;
}

} // namespace

TEST_CASE("faults: random ones are of their seed, one after the other, and about as often as was asked") {
    const auto rates = FaultRates{.up = 100, .down = 20, .steady = 200, .slow = 50, .slower = 3};
    const auto faults = random_faults(rates, 10, 5, 10'000);
    const auto same = random_faults(rates, 10, 5, 10'000);
    REQUIRE(faults.size() == same.size());
    auto down = 0.0, slow = 0.0;
    for (std::size_t i = 0; i < faults.size(); ++i) {
        CHECK(faults[i].from == same[i].from);
        CHECK(faults[i].until > faults[i].from);
        (faults[i].slower > 0 ? slow : down) += faults[i].until - faults[i].from;
        if (i == 0 || faults[i].instance != faults[i - 1].instance || faults[i].pool != faults[i - 1].pool ||
            faults[i].slower != faults[i - 1].slower)
            continue;
        CHECK(faults[i].from > faults[i - 1].until);
    }
    CHECK(down / (15 * 10'000) == doctest::Approx(20. / 120).epsilon(.1));
    CHECK(slow / (15 * 10'000) == doctest::Approx(50. / 250).epsilon(.15));
    CHECK(random_faults({}, 10, 5, 10'000).empty());
    auto other = rates;
    other.seed = 2;
    CHECK(random_faults(other, 10, 5, 10'000).front().from != faults.front().from);
}

TEST_CASE("faults: no request is lost, whatever goes down, and a seed is a history") {
    for (const auto mode : {ServingMode::disaggregated, ServingMode::coupled})
        for (std::uint64_t seed = 1; seed <= 2; ++seed)
            for (const auto& [policy, admission] :
                 {std::pair(LeastDelay::name, AdmitAll::name), {KvCacheCentric::name, LateCheck::name}}) {
                CAPTURE(seed);
                CAPTURE(policy);
                auto config = small(mode);
                config.retries = static_cast<std::uint32_t>(seed - 1);
                config.staleness = seed == 2 ? 5 : 0;
                config.conductor.remember = seed == 2 ? 5 : 0;
                config.faults = random_faults({.up = 90, .down = 30, .steady = 200, .slow = 60, .seed = seed}, 4, 4,
                                              seconds_of(workload()));
                auto run = [&] {
                    auto sim = Sim(config, *make_prefill_policy(policy), {}, *make_admission_policy(admission));
                    const auto m = sim.run(workload());
                    CHECK(sim.conductor().live() == 0);
                    return m;
                };
                const auto m = run();
                CHECK(m.requests == workload().size());
                CHECK(m.completed + m.rejected() + m.failed == m.requests);
                CHECK(m.completed > m.requests / 4);
                CHECK((m.retried > 0) == (config.retries > 0));
                CHECK((m.failed > 0 || config.retries > 0));
                CHECK(m.wasted_seconds > 0);
                CHECK(m.wasted_seconds < m.prefill_seconds);
                CHECK(to_json(run()) == to_json(m));
            }
}

TEST_CASE("faults: while all are down nobody comes in, and hears that") {
    for (const auto mode : {ServingMode::disaggregated, ServingMode::coupled})
        for (const auto pool : {InstancePool::prefill, InstancePool::decode}) {
            if (mode == ServingMode::coupled && pool == InstancePool::decode) continue;
            auto config = small(mode);
            for (InstanceId i = 0; i < 4; ++i)
                config.faults.push_back({.pool = pool, .instance = i, .from = 20, .until = 40});
            config.retries = 10; // they go down one after the other
            const auto m = Sim(config, LeastDelay(), {}, AdmitAll()).run(steady(240, .25));
            CHECK(m.rejected_at_arrival[static_cast<std::size_t>(Rejection::all_down)] == 80);
            CHECK(m.completed + m.rejected() == 240);
            CHECK(m.rejected_late > 0); // those that ran there, and had nowhere to go
            CHECK(m.rejected_late < 48);
        }
}

TEST_CASE("faults: who decodes in an instance that goes begins again, and who was to go there goes elsewhere") {
    auto config = small();
    config.conductor.prefill_instances = 1, config.conductor.decode_instances = 2;
    config.conductor.cost.decode.load_bandwidth = 0;
    config.faults = {{.pool = InstancePool::decode, .instance = 0, .from = .2, .until = 100}};
    // The first one decodes nowhere yet: its prefill takes half a second.
    const auto one = Sim(config, LeastDelay(), {}, AdmitAll()).run(steady(1, 1));
    CHECK(one.completed == 1);
    CHECK(one.retried == 0);
    CHECK(one.wasted_seconds == 0);
    config.faults[0].from = 1;
    const auto again = Sim(config, LeastDelay(), {}, AdmitAll()).run(steady(1, 1));
    CHECK(again.completed == 1);
    CHECK(again.retried == 1);
    CHECK(again.wasted_seconds == doctest::Approx(config.conductor.cost.prefill_seconds(8 * 512, 0)));
    CHECK(again.ttft.mean() > 1); // its answer has begun anew
}

TEST_CASE("faults: a prefill that is cut short counts as wasted as far as it came, and the cache is gone") {
    auto config = small();
    config.conductor.prefill_instances = 1;
    config.faults = {{.instance = 0, .from = .25, .until = .3}};
    auto trace = steady(1, 1);
    trace.push_back(trace.front());
    trace.back().timestamp_ms = 10'000;
    const auto never = Sim(config, LeastDelay(), {}, AdmitAll()).run(trace); // nobody else is up
    CHECK(never.rejected_late == 1);
    CHECK(never.wasted_seconds == doctest::Approx(.25));
    CHECK(never.completed == 1);
    CHECK(never.reused_blocks == 0);
    config.faults = {{.instance = 0, .from = 5, .until = 6}};
    const auto lost = Sim(config, LeastDelay(), {}, AdmitAll()).run(trace);
    CHECK(lost.completed == 2);
    CHECK(lost.reused_blocks == 0);
    config.faults.clear();
    CHECK(Sim(config, LeastDelay(), {}, AdmitAll()).run(trace).reused_blocks == 8);
}

TEST_CASE("faults: who waits for blocks of an instance that goes computes them") {
    auto config = small();
    config.conductor.prefill_instances = 2;
    config.conductor.cost.transfer.bandwidth = 10e9; // half a second for thirty blocks
    auto trace = Trace();
    for (const auto ms : {0, 10'000, 10'000, 10'000, 10'000, 10'000, 10'000}) {
        auto one =
            TraceRequest{.timestamp_ms = static_cast<std::uint64_t>(ms), .input_length = 40 * 512, .output_length = 1};
        for (std::uint64_t block = 0; block < 40; ++block)
            one.hash_ids.push_back(block < 30 ? block : 100 * trace.size() + block);
        trace.push_back(one);
    }
    const auto usual = Sim(config, FetchOrRecompute(), {}, AdmitAll()).run(trace);
    REQUIRE(usual.fetched_blocks > 0);
    config.faults = {{.instance = 0, .from = 10.2, .until = 11}};
    const auto m = Sim(config, FetchOrRecompute(), {}, AdmitAll()).run(trace);
    CHECK(m.completed == trace.size());
    CHECK(m.retried > 0);
    CHECK(m.prefill_seconds > usual.prefill_seconds);
}

TEST_CASE("faults: the conductor routes round a straggler that nobody told it of, and comes back when it is well") {
    auto config = small();
    config.conductor.prefill_instances = 8;
    const auto until = seconds_of(workload());
    const auto healthy = Sim(config, LeastDelay(), {}, AdmitAll()).run(workload());
    config.faults = {{.instance = 1, .slower = 8}};
    const auto ours = Sim(config, LeastDelay(), {}, AdmitAll()).run(workload());
    const auto unaware = Sim(config, Unaware(), {}, AdmitAll()).run(workload());
    const auto worse = [&](const ServeMetrics& m) { return m.ttft.mean() - healthy.ttft.mean(); };
    CHECK(worse(ours) < .4 * worse(unaware));
    config.faults[0].until = until / 3;
    const auto back = Sim(config, LeastDelay(), {}, AdmitAll()).run(workload());
    CHECK(back.ttft.mean() < ours.ttft.mean());
    CHECK(healthy.ttft.mean() < back.ttft.mean());
    auto decode = config;
    decode.faults = {{.pool = InstancePool::decode, .instance = 1, .slower = 3}};
    CHECK(Sim(decode, LeastDelay(), {}, AdmitAll()).run(workload()).tpot.mean() > 1.2 * healthy.tpot.mean());
}
