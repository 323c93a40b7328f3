#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/forecast/concept.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace mooncake::testing {

/// The least a `LoadPredictor` has: it expects nothing. For instantiating templates.
struct MinimalPredictor {
    static constexpr std::string_view name = "minimal";
    void observe(double load) { kept.observe(load, 0); }
    double forecast(std::size_t) const { return 0; }
    const ForecastError& error() const noexcept { return kept.error(); }
    serving::detail::Forecasts kept{};
};

static_assert(LoadPredictor<MinimalPredictor>);

/// What every `LoadPredictor` must do, whatever it expects. Call it from a `TEST_CASE`; failures name the seed.
template <LoadPredictor P>
void forecast_conformance() {
    SUBCASE("nothing is expected of nothing, and a steady load is expected to stay") {
        auto predictor = P();
        CHECK(predictor.forecast(1) == 0);
        CHECK(predictor.error().count() == 0);
        for (int i = 0; i < 400; ++i) predictor.observe(7);
        for (const std::size_t ahead : {1, 5, 60}) CHECK(predictor.forecast(ahead) == doctest::Approx(7).epsilon(.02));
        CHECK(predictor.error().count() == 399);
        CHECK(predictor.error().mean() < .1);
    }
    SUBCASE("it follows: after a change for good it expects what there is now") {
        auto predictor = P();
        for (int i = 0; i < 300; ++i) predictor.observe(10);
        for (int i = 0; i < 600; ++i) predictor.observe(2);
        CHECK(predictor.forecast(1) == doctest::Approx(2).epsilon(.25));
    }
    SUBCASE("its error is that of what it said") {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            CAPTURE(seed);
            auto random = SplitMix64(seed);
            auto predictor = P();
            auto expected = ForecastError();
            auto last = 0.0;
            for (int i = 0; i < 500; ++i) {
                const auto load = 10 * random.uniform() * static_cast<double>(i % 4 == 0);
                if (i != 0) expected.add(load, predictor.forecast(1), last);
                predictor.observe(last = load);
            }
            CHECK(predictor.error().mean() == doctest::Approx(expected.mean()));
            CHECK(predictor.error().relative() == doctest::Approx(expected.relative()));
            CHECK(predictor.error().bias() == doctest::Approx(expected.bias()));
        }
    }
    SUBCASE("whatever comes, forecasts are finite and never below 0, however far ahead") {
        constexpr double hostile[] = {0,   -1,    std::numeric_limits<double>::quiet_NaN(),
                                      1e9, 1e308, std::numeric_limits<double>::infinity(),
                                      1,   1e-300};
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = SplitMix64(seed);
            auto predictor = P();
            for (int i = 0; i < 1'500; ++i) {
                predictor.observe(random() % 4 == 0 ? hostile[random() % 8] : 5 * random.uniform());
                const auto said = predictor.forecast(random() % 3 == 0 ? std::size_t(-1) : random() % 40);
                REQUIRE(std::isfinite(said));
                REQUIRE(said >= 0);
                REQUIRE(std::isfinite(predictor.error().mean()));
            }
        }
    }
}

} // namespace mooncake::testing
