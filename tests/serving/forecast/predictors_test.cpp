// labels: conformance
#include <mooncake/serving/forecast/burst_aware.hpp>
#include <mooncake/serving/forecast/holt_winters.hpp>
#include <mooncake/serving/forecast/simple.hpp>
#include <mooncake/testing/forecast_conformance.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

using namespace mooncake;
using testing::forecast_conformance;
using testing::MinimalPredictor;

namespace {

struct WithoutError {
    [[maybe_unused]] static constexpr std::string_view name = "no";
    void observe(double) {}
    double forecast(std::size_t) const { return 0; }
};
struct ForecastChanges : MinimalPredictor { // a forecast is a question
    double forecast(std::size_t) { return 0; }
};
static_assert(!LoadPredictor<WithoutError>);
static_assert(!LoadPredictor<ForecastChanges>);

/// Twelve in every third interval; a beat is missed, and one comes early.
double bursts(std::size_t i) { return (i + i / 50) % 3 == 0 && i % 31 != 0 ? 12 : 0; }

} // namespace

TEST_CASE("forecast: the last value keeps the contract") { forecast_conformance<LastValue>(); }
TEST_CASE("forecast: a moving average keeps the contract") { forecast_conformance<MovingAverage>(); }
TEST_CASE("forecast: Holt-Winters keeps the contract") { forecast_conformance<HoltWinters>(); }
TEST_CASE("forecast: the burst-aware one keeps the contract") { forecast_conformance<BurstAware>(); }

TEST_CASE("forecast: the error is a mean, and a share of the naive one's") {
    auto error = ForecastError();
    CHECK(error.mean() == 0);
    CHECK(error.relative() == 1);
    error.add(10, 8, 6), error.add(10, 11, 14);
    CHECK(error.mean() == doctest::Approx(1.5));
    CHECK(error.relative() == doctest::Approx(3.0 / 8));
    CHECK(error.bias() == doctest::Approx(-.5));
}

TEST_CASE("forecast: a moving average forgets what is beyond its window") {
    auto predictor = MovingAverage(4);
    for (const auto load : {100., 1., 2., 3., 4.}) predictor.observe(load);
    CHECK(predictor.forecast(1) == doctest::Approx(2.5));
    CHECK(MovingAverage(0).forecast(1) == 0);
}

TEST_CASE("forecast: Holt-Winters finds the season, and another when it changes") {
    auto predictor = HoltWinters();
    for (std::size_t i = 1; i <= 400; ++i) predictor.observe(i % 7 < 2 ? 20 : 1);
    CHECK(predictor.season() == 7);
    for (std::size_t ahead = 1; ahead <= 14; ++ahead) {
        CAPTURE(ahead);
        CHECK(predictor.forecast(ahead) == doctest::Approx((400 + ahead) % 7 < 2 ? 20 : 1).epsilon(.1));
    }
    for (std::size_t i = 1; i <= 400; ++i) predictor.observe(i % 3 == 0 ? 20 : 1);
    CHECK(predictor.season() == 3);
    auto none = HoltWinters({.longest = 0});
    for (std::size_t i = 1; i <= 400; ++i) none.observe(i % 7 < 2 ? 20 : 1);
    CHECK(none.season() == 0);
}

TEST_CASE("forecast: Holt-Winters sees a load that grows, where a moving average lags") {
    auto ours = HoltWinters({.level = .3, .trend = .2, .longest = 0});
    auto mean = MovingAverage(30);
    for (int i = 0; i < 300; ++i) ours.observe(i), mean.observe(i);
    CHECK(ours.error().mean() < mean.error().mean() / 2);
    CHECK(ours.forecast(1) > 297);
}

TEST_CASE("forecast: bursts that lose their step are expected all the same by whoever counts from the last one") {
    auto aware = BurstAware();
    auto season = HoltWinters();
    auto mean = MovingAverage();
    for (std::size_t i = 1; i <= 1'000; ++i)
        for (const auto load : {bursts(i)}) aware.observe(load), season.observe(load), mean.observe(load);
    CHECK(aware.burst() == doctest::Approx(12).epsilon(.05));
    CHECK(aware.calm() == doctest::Approx(0));
    CHECK(aware.error().relative() < .35);
    CHECK(aware.error().mean() < .7 * season.error().mean());
    CHECK(season.error().mean() < mean.error().mean());
    // Of the far future the mean alone is known.
    CHECK(aware.forecast(200) == doctest::Approx(12.0 / 3).epsilon(.25));
}

TEST_CASE("forecast: after a silence that is longer than any before, a burst is possible and not certain") {
    auto aware = BurstAware();
    for (std::size_t i = 0; i < 300; ++i) aware.observe(i % 3 == 0 ? 9 : 0);
    for (std::size_t i = 0; i < 500; ++i) aware.observe(0);
    CHECK(aware.forecast(1) < 1);
    for (std::size_t i = 0; i < 90; ++i) aware.observe(i % 3 == 0 ? 9 : 0); // and it comes back
    CHECK(aware.forecast(1) > 6);
}
