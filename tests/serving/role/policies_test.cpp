// labels: conformance
#include <mooncake/serving/admission/published.hpp>
#include <mooncake/serving/forecast/simple.hpp>
#include <mooncake/serving/phases.hpp>
#include <mooncake/serving/role/even_load.hpp>
#include <mooncake/serving/role/role_book.hpp>
#include <mooncake/serving/simulator/simulator.hpp>
#include <mooncake/testing/role_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

using namespace mooncake;
using testing::role_conformance;

namespace {

struct WithoutChange {
    [[maybe_unused]] static constexpr std::string_view name = "no";
    void routed(double, double, double) {}
};
static_assert(!RolePolicy<WithoutChange>);

template <RolePolicy R>
struct With : DefaultConductorTraits {
    using Admission = AdmitAll;
    using Role = R;
};

SimulatorConfig machines(std::size_t prefill) {
    auto config = SimulatorConfig();
    config.conductor.prefill_instances = config.conductor.decode_instances = 8;
    config.conductor.role_prefill = prefill;
    config.conductor.ttft_slo = 10, config.conductor.tbt_slo = .1;
    config.conductor.cost.decode.load_bandwidth = 0;
    config.switch_seconds = 5;
    return config;
}
struct First { // asks for machine 0 at once
    static constexpr std::string_view name = "first";
    void routed(double, double, double) {}
    InstanceId change(const RoleView& view) { return view.now >= 2 && done_++ == 0 ? InstanceId{0} : no_instance; }
    int done_ = 0;
};

/// Long prompts, long answers, long prompts.
std::vector<TraceRequest> turning() {
    const auto prompts = LoadPhase{.seconds = 90, .requests = 2.9, .input_tokens = 16'000, .output_tokens = 150};
    const auto answers = LoadPhase{.seconds = 90, .requests = 19, .input_tokens = 512, .output_tokens = 1'000};
    const LoadPhase phases[] = {prompts, answers, prompts};
    return generate_phases(phases);
}
double in_time(const ServeMetrics& m) { return static_cast<double>(m.within_slo) / static_cast<double>(m.requests); }

} // namespace

TEST_CASE("role: fixed ones keep the contract") { role_conformance<FixedRoles>(); }
TEST_CASE("role: even load keeps the contract") { role_conformance<EvenLoad<>>(); }
TEST_CASE("role: even load keeps the contract with any predictor") { role_conformance<EvenLoad<MovingAverage>>(); }

TEST_CASE("role: a machine leaves once, arrives when it has finished, and not before") {
    auto book = serving::detail::RoleBook();
    book.add(ServingRole::prefill), book.add(ServingRole::decode);
    CHECK(book.leave(0));
    CHECK(!book.leave(0));
    CHECK(!book.leave(9));
    CHECK(book.roles()[0] == ServingRole::to_decode);
    CHECK(book.left([](InstanceId) { return false; }) == no_instance);
    CHECK(!book.arrive(0));
    CHECK(book.left([](InstanceId) { return true; }) == 0);
    CHECK(book.left([](InstanceId) { return true; }) == no_instance);
    CHECK(book.arrive(0) == ServingRole::decode);
    CHECK(!book.arrive(0));
    CHECK(!book.arrive(9));
}

TEST_CASE("role: in a calm cluster nobody changes, and neither for one request that is large") {
    auto config = machines(4);
    const LoadPhase calm[] = {{.seconds = 300, .requests = 1, .input_tokens = 2'000, .output_tokens = 100}};
    auto trace = generate_phases(calm);
    auto large = TraceRequest{.timestamp_ms = 100'000, .input_length = 40'000, .output_length = 10};
    for (std::uint64_t i = 0; i < blocks_of(large.input_length); ++i) large.hash_ids.push_back((1ULL << 40) + i);
    trace.push_back(large);
    CHECK(Simulator<With<EvenLoad<>>>(config).run(trace).role_changes == 0);
}

TEST_CASE("role: with a load that turns, roles that change keep more promises than the best split that stays") {
    const auto trace = turning();
    auto best = 0.0;
    for (std::size_t p = 1; p < 8; ++p)
        best = std::max(best, in_time(Simulator<With<FixedRoles>>(machines(p)).run(trace)));
    for (const std::size_t p : {3, 6}) {
        CAPTURE(p);
        auto simulation = Simulator<With<EvenLoad<>>>(machines(p));
        const auto m = simulation.run(trace);
        CHECK(m.completed == trace.size());
        CHECK(m.role_changes >= 2);
        CHECK(m.role_changes < 25);
        CHECK(in_time(m) >= best - .02);
        CHECK(simulation.conductor().live() == 0);
        if (p == 3) CHECK(to_json(Simulator<With<EvenLoad<>>>(machines(p)).run(trace)) == to_json(m));
    }
}

TEST_CASE("role: what a machine has begun it finishes, its cache is gone, and who was to decode there goes elsewhere") {
    auto config = machines(2).conductor;
    auto conductor = Conductor<With<First>>(config);
    const auto blocks = std::vector<BlockKey>{1, 2, 3};
    const auto first = conductor.route({.id = 1, .now = 1, .tokens = 1'536, .blocks = blocks});
    REQUIRE(first.prefill.instance == 0);
    conductor.event({.instance = 0, .sequence = 1, .kind = IndexEvent::Kind::stored, .blocks = blocks});
    CHECK(conductor.change_role(2) == no_instance); // it is not finished
    CHECK(conductor.roles()[0] == ServingRole::to_decode);
    CHECK(conductor.route({.id = 2, .now = 2, .tokens = 1'536, .blocks = blocks}).prefill.instance == 1);
    conductor.prefill_started(1, 2, .2);
    CHECK(conductor.prefill_finished(1, 2.2));
    CHECK(conductor.index().holds(0, 1));
    CHECK(conductor.change_role(3) == 0);
    CHECK(!conductor.index().holds(0, 1));
    CHECK(!conductor.view().decode[0].up);
    conductor.role_changed(1); // it was never to change
    conductor.role_changed(0);
    CHECK(conductor.view().decode[0].up);
    CHECK(conductor.roles()[0] == ServingRole::decode);
    CHECK(conductor.change_role(4) == no_instance);
}

TEST_CASE("role: a configuration that makes no sense is refused by its field") {
    auto config = machines(4);
    CHECK(validate(config).has_value());
    config.conductor.role_prefill = 8;
    CHECK(validate(config).has_error());
    config = machines(4);
    config.conductor.decode_instances = 7;
    CHECK(validate(config).error().context().find("role_prefill") != std::string_view::npos);
    config = machines(4);
    config.faults = {{.instance = 0, .until = 5}};
    CHECK(validate(config).error().context().find("faults") != std::string_view::npos);
    config = machines(4);
    config.switch_seconds = -1;
    CHECK(validate(config).error().context().find("switch_seconds") != std::string_view::npos);
}

TEST_CASE("phases: requests come in their phase, as many and as long as was asked") {
    const LoadPhase phases[] = {{.seconds = 200, .requests = 5, .input_tokens = 4'000, .output_tokens = 100},
                                {.seconds = 100, .requests = 20, .input_tokens = 1, .output_tokens = 0}};
    const auto trace = generate_phases(phases);
    auto first = std::size_t{0}, tokens = std::size_t{0};
    for (const auto& one : trace) {
        REQUIRE(validate(one).has_value());
        if (one.timestamp_ms >= 200'000) continue;
        ++first, tokens += one.input_length;
    }
    CHECK(double(first) == doctest::Approx(1'000).epsilon(.1));
    CHECK(double(trace.size() - first) == doctest::Approx(2'000).epsilon(.1));
    CHECK(double(tokens) / double(first) == doctest::Approx(4'000).epsilon(.05));
    CHECK(std::is_sorted(trace.begin(), trace.end(),
                         [](const auto& a, const auto& b) { return a.timestamp_ms < b.timestamp_ms; }));
}
