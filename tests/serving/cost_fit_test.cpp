// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/cost_fit.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

namespace {

std::vector<PrefillSample> measured(const PrefillCost& truth, double noise, int count, std::uint64_t seed) {
    auto random = SplitMix64(seed);
    auto samples = std::vector<PrefillSample>();
    for (int i = 0; i < count; ++i) {
        const auto tokens = 512 + random() % 120'000, cached = random() % 2 == 0 ? 0 : random() % tokens;
        samples.push_back({.tokens = tokens,
                           .cached = cached,
                           .seconds = truth.seconds(tokens, cached) * (1 + noise * (2 * random.uniform() - 1))});
    }
    return samples;
}

} // namespace

TEST_CASE("fit: exact samples give the coefficients back") {
    constexpr auto truth = PrefillCost{.linear = .2, .quadratic = 3e-3};
    auto fit = PrefillFit();
    const auto samples = measured(truth, 0, 50, 1);
    for (const auto& sample : samples) CHECK(fit.add(sample));
    const auto cost = fit.cost().value();
    CHECK(cost.linear == doctest::Approx(truth.linear));
    CHECK(cost.quadratic == doctest::Approx(truth.quadratic));
    CHECK(report_fit(cost, samples).max_error < 1e-6);
}

TEST_CASE("fit: noise of ten per cent leaves the coefficients within three, and the report says how far samples are") {
    constexpr auto truth = PrefillCost{};
    auto fit = PrefillFit();
    const auto samples = measured(truth, .1, 2'000, 2);
    for (const auto& sample : samples) CHECK(fit.add(sample));
    const auto cost = fit.cost().value();
    CHECK(cost.linear == doctest::Approx(truth.linear).epsilon(.03));
    CHECK(cost.quadratic == doctest::Approx(truth.quadratic).epsilon(.03));
    const auto report = report_fit(cost, samples);
    CHECK(report.samples == 2'000);
    CHECK(report.mean_error == doctest::Approx(.05).epsilon(.1)); // of uniform noise
    CHECK(report.max_error > report.p95_error);
    CHECK(report.max_error < .15);
    CHECK(std::abs(report.bias) < .02);
}

TEST_CASE("fit: what fades follows a machine that became slower") {
    auto fit = PrefillFit(.99);
    for (const auto& sample : measured({}, .02, 1'000, 3)) CHECK(fit.add(sample));
    constexpr auto slower = PrefillCost{.linear = .25, .quadratic = 2e-3};
    for (const auto& sample : measured(slower, .02, 1'000, 4)) CHECK(fit.add(sample));
    CHECK(fit.cost().value().linear == doctest::Approx(slower.linear).epsilon(.03));
}

TEST_CASE("fit: samples that say nothing are passed over, and too few are no fit") {
    auto fit = PrefillFit();
    CHECK(fit.cost().has_error());
    CHECK_FALSE(fit.add({.tokens = 10, .cached = 10, .seconds = 1}));
    CHECK_FALSE(fit.add({.tokens = 10, .cached = 0, .seconds = 0}));
    CHECK(fit.add({.tokens = 1024, .cached = 0, .seconds = 1}));
    CHECK(fit.add({.tokens = 1024, .cached = 0, .seconds = 1}));
    CHECK(fit.cost().error() == Errc::invalid_argument);
    CHECK(report_fit({}, {}).samples == 0);
}
