#pragma once

#include <mooncake/serving/forecast/burst_aware.hpp>
#include <mooncake/serving/forecast/holt_winters.hpp>
#include <mooncake/serving/forecast/simple.hpp>

#include "run.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace serve {

/// What comes in each second: requests, or seconds of prefill. `shift`: where in a second the intervals begin.
inline std::vector<double> loads_of(const Trace& trace, double shift, bool requests) {
    auto loads = std::vector<double>();
    const auto cost = CostModel();
    for (const auto& request : trace) {
        const auto at = static_cast<std::size_t>(static_cast<double>(request.timestamp_ms) / 1000 + shift);
        if (loads.size() <= at && at < 10'000'000) loads.resize(at + 1);
        if (at < loads.size()) loads[at] += requests ? 1 : cost.prefill_seconds(request.input_length, 0);
    }
    return loads;
}

template <LoadPredictor P>
void forecast_row(const std::vector<double>& loads) {
    constexpr std::array<std::size_t, 3> horizons{1, 3, 10};
    auto predictor = P();
    auto errors = std::array<ForecastError, horizons.size()>();
    auto said = std::vector<std::array<double, horizons.size()>>();
    for (std::size_t i = 0; i < loads.size(); ++i) {
        for (std::size_t k = 0; k < horizons.size(); ++k)
            if (const auto ahead = horizons[k]; i >= ahead)
                errors[k].add(loads[i], said[i - ahead][k], loads[i - ahead]);
        predictor.observe(loads[i]);
        auto& row = said.emplace_back();
        for (std::size_t k = 0; k < horizons.size(); ++k) row[k] = predictor.forecast(horizons[k]);
    }
    std::printf("  %-16.*s", static_cast<int>(P::name.size()), P::name.data());
    for (const auto& error : errors) std::printf(" %9.3f %8.3f", error.mean(), error.relative());
    std::printf("\n");
}

/// The error of forecasts one, three and ten seconds ahead, beside that of saying "as now".
inline void forecast_table(const Trace& trace) {
    title("forecast",
          "what comes in a second, 1 / 3 / 10 s ahead: mean absolute error, and by that of the naive forecast");
    std::printf("%-18s %9s %8s %9s %8s %9s %8s\n", "", "1 s", "by naive", "3 s", "by naive", "10 s", "by naive");
    for (const auto requests : {true, false})
        for (const auto shift : {0., .5}) {
            std::printf("%s, intervals from the %s second\n", requests ? "requests" : "seconds of prefill",
                        shift > 0 ? "half" : "whole");
            const auto loads = loads_of(trace, shift, requests);
            forecast_row<LastValue>(loads);
            forecast_row<MovingAverage>(loads);
            forecast_row<HoltWinters>(loads);
            forecast_row<BurstAware>(loads);
        }
}

} // namespace serve
