// labels: unit
#include <mooncake/serving/admission/any.hpp>
#include <mooncake/serving/prefill/any.hpp>
#include <mooncake/serving/simulator/simulator.hpp>
#include <mooncake/serving/superposition.hpp>
#include <mooncake/serving/workload.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

struct Any : DefaultConductorTraits {
    using Prefill = AnyPrefill;
    using Decode = LeastTbt;
    using Admission = AnyAdmission;
};
using Trace = std::vector<TraceRequest>;

ServeMetrics run(const Trace& trace, const SimulatorConfig& config, std::string_view policy = LeastDelay::name,
                 AnyAdmission admission = AdmitAll()) {
    return Simulator<Any>(config, *make_prefill_policy(policy), {}, std::move(admission)).run(trace);
}

const Trace& workload() {
    static const auto trace = generate_workload({.requests = 3'000}).value();
    return trace;
}

SimulatorConfig small() {
    auto config = SimulatorConfig();
    config.conductor.prefill_instances = config.conductor.decode_instances = 4;
    return config;
}

} // namespace

TEST_CASE("simulator: one request takes what the cost model says") {
    const auto trace = Trace{{.timestamp_ms = 5'000, .input_length = 1024, .output_length = 11, .hash_ids = {1, 2}}};
    auto config = small();
    config.conductor.cost.decode.load_bandwidth = 0;
    const auto m = run(trace, config);
    const auto& cost = config.conductor.cost;
    CHECK(m.completed == 1);
    CHECK(m.ttft.mean() == doctest::Approx(cost.prefill_seconds(1024, 0)));
    CHECK(m.end_to_end.mean() == doctest::Approx(cost.prefill_seconds(1024, 0) + cost.decode.steps(1, 1024, 10)));
    CHECK(m.tpot.mean() == doctest::Approx(cost.decode.steps(1, 1024, 10) / 10));
    CHECK(m.itl.count() == 10);
    CHECK(m.seconds == doctest::Approx(m.end_to_end.mean()));
    CHECK(m.output_tokens == 11);
}

TEST_CASE("simulator: every policy completes every request, in both modes, and a seed is a history") {
    for (const auto mode : {ServingMode::disaggregated, ServingMode::coupled})
        for (const auto name : prefill_policy_names()) {
            CAPTURE(name);
            auto config = small();
            config.conductor.mode = mode;
            config.staleness = name == "e2" ? 10 : 0;
            const auto trace = Trace(workload().begin(), workload().begin() + 600);
            const auto m = run(trace, config, name);
            CHECK(m.completed == 600);
            CHECK(m.reused_ratio() > 0);
            CHECK(m.rejected() + m.failed == 0);
            CHECK(to_json(run(trace, config, name)) == to_json(m));
        }
}

TEST_CASE("simulator: infinite caches reuse what the trace can, and ours is sooner than the published rule") {
    auto config = small();
    config.conductor.cache_blocks = 1'000'000;
    config.conductor.prefill_instances = 8;
    const auto ours = run(workload(), config), published = run(workload(), config, KvCacheCentric::name),
               blind = run(workload(), config, RandomPrefill::name);
    CHECK(ours.reused_ratio() > .3);
    CHECK(ours.ttft.mean() < .97 * published.ttft.mean());
    CHECK(published.ttft.mean() < blind.ttft.mean() / 2);
    CHECK(ours.fetched_blocks > 0);
}

TEST_CASE("simulator: what nobody can serve is rejected, and what comes back is all accounted for") {
    auto config = small();
    config.conductor.prefill_instances = 2, config.conductor.decode_instances = 1;
    config.conductor.tbt_slo = .05;
    config.shares = {.2, .4, .4};
    for (const auto name : admission_policy_names) {
        CAPTURE(name);
        const auto m = run(workload(), config, LeastDelay::name, *make_admission_policy(name));
        CHECK(m.requests == workload().size());
        CHECK(m.completed + m.rejected() + m.failed == m.requests);
        CHECK((m.rejected() == 0) == (name == AdmitAll::name));
        CHECK(m.within_slo <= m.completed);
        CHECK(m.classes[0].requests + m.classes[1].requests + m.classes[2].requests == m.requests);
    }
    config.conductor.ttft_slo = 0; // a promise that nobody keeps
    CHECK(run(workload(), config, LeastDelay::name, LateCheck()).rejected() == workload().size());
}

TEST_CASE("simulator: ours serves more in time than the published rules when both pools are short") {
    auto config = small();
    config.conductor.prefill_instances = 3, config.conductor.decode_instances = 1;
    config.conductor.tbt_slo = .1;
    config.conductor.cost.decode.load_bandwidth = 0;
    config.speed = 2;
    const auto missed = [&](AnyAdmission admission) {
        const auto m = run(workload(), config, LeastDelay::name, std::move(admission));
        return static_cast<double>(m.requests - m.within_slo);
    };
    const auto baseline = missed(LateCheck());
    CHECK(missed(LeastRegret()) < .8 * baseline);
    const auto ours = run(workload(), config, LeastDelay::name, LeastRegret());
    CHECK(ours.wasted_ratio() < .1);
}

TEST_CASE("simulator: hostile requests do no harm") {
    auto trace = Trace{
        {.timestamp_ms = 9'000, .input_length = 512, .output_length = 0, .hash_ids = {1}}, // not in order
        {.timestamp_ms = 1'000, .input_length = 512, .output_length = 50'000'000, .hash_ids = {1}},
        {.timestamp_ms = 0, .input_length = 0, .output_length = 10, .hash_ids = {}},
    };
    auto million = TraceRequest{.timestamp_ms = 0, .input_length = 1'000'000, .output_length = 5};
    for (std::uint64_t i = 0; i < blocks_of(million.input_length); ++i) million.hash_ids.push_back(100 + i);
    trace.push_back(million);
    million.input_length *= 2;
    trace.push_back(million); // more than a decode instance holds
    const auto m = run(trace, small());
    CHECK(m.requests == 5);
    CHECK(m.completed == 3);
    CHECK(m.failed == 1);
    CHECK(m.rejected_at_arrival[static_cast<std::size_t>(Rejection::does_not_fit)] == 1);
    auto coupled = small();
    coupled.conductor.mode = ServingMode::coupled;
    const auto other = run(trace, coupled);
    CHECK(other.completed + other.failed == 5);
    CHECK(other.failed == 3);
    CHECK(run({}, small()).requests == 0);
}

TEST_CASE("simulator: a straggler makes it slower, and a stale index reuses less unless what finished is remembered") {
    auto config = small();
    config.conductor.prefill_instances = 6;
    const auto base = run(workload(), config);
    auto slow = config;
    slow.faults = {{.instance = 0, .slower = 4}};
    CHECK(run(workload(), slow).ttft.mean() > base.ttft.mean());
    auto stale = config;
    stale.staleness = 300;
    const auto without = run(workload(), stale);
    stale.conductor.remember = 300;
    const auto with = run(workload(), stale);
    CHECK(without.reused_ratio() < base.reused_ratio() - .02);
    CHECK(with.reused_ratio() > without.reused_ratio() + .02);
}

TEST_CASE(
    "simulator: the traps of others do not hold ours: a head that all share, a promise to the longest match alone") {
    auto config = small();
    auto apart = workload(); // each has a head of its own
    for (auto& request : apart) request.hash_ids[0] = (std::uint64_t{1} << 40) + request.hash_ids.back();
    CHECK(run(workload(), config).ttft.mean() <= 1.1 * run(apart, config).ttft.mean());
    // A key of one block sends all to two workers: what the trap costs those that are in it.
    const auto trapped = Simulator<Any>(config, DualMap(1), {}, AdmitAll()).run(workload());
    CHECK(trapped.ttft.mean() > 2 * run(workload(), config).ttft.mean());
    config.conductor.prefill_instances = 8;
    const auto fresh = run(workload(), config).ttft.mean();
    config.staleness = 20; // what was routed counts as cached
    config.conductor.remember = 20;
    CHECK(run(workload(), config).ttft.mean() <= 1.1 * fresh);
}

TEST_CASE("simulator: samples of load are taken, and a configuration that makes no sense is refused by its field") {
    auto simulator = Simulator<Any>(small(), LeastDelay(), {}, AdmitAll());
    simulator.sample_load(10);
    auto requests = Superposition(workload(), 1);
    const auto m = simulator.run([&] { return requests(); }, [](const ServeMetrics&) {});
    CHECK(simulator.load_samples().size() > 50);
    CHECK(m.completed == workload().size());
    CHECK(simulator.conductor().live() == 0);
    const auto says = [](auto change, std::string_view field) {
        auto config = SimulatorConfig();
        change(config);
        const auto valid = validate(config);
        REQUIRE(valid.has_error());
        CHECK(valid.error().context().find(field) != std::string_view::npos);
    };
    CHECK(validate(SimulatorConfig{}).has_value());
    says([](auto& c) { c.speed = 0; }, "speed");
    says([](auto& c) { c.staleness = -1; }, "staleness");
    says([](auto& c) { c.answer_room = 1; }, "answer_room");
    says([](auto& c) { c.shares = {0, 0, 0}; }, "shares");
    says([](auto& c) { c.faults = {{.slower = .5}}; }, "faults");
    says([](auto& c) { c.faults = {{.from = 5, .until = 5}}; }, "faults");
    says([](auto& c) { c.coupled.chunk = 0; }, "chunk");
    says([](auto& c) { c.conductor.remember = -1; }, "remember");
    says([](auto& c) { c.conductor.prefill_instances = 0; }, "prefill_instances");
}
