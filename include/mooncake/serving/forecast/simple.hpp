#pragma once

#include <mooncake/serving/forecast/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace mooncake {

/// As now. What others are measured by. Choose this when: the load changes slowly by one interval's measure.
class LastValue {
  public:
    static constexpr std::string_view name = "last";

    void observe(double load) { kept_.observe(load, forecast(1)); }
    [[nodiscard]] double forecast(std::size_t) const noexcept { return kept_.last(); }
    [[nodiscard]] const ForecastError& error() const noexcept { return kept_.error(); }

  private:
    serving::detail::Forecasts kept_;
};

/// The mean of the last intervals. Choose this when: the load has no shape that one could use.
class MovingAverage {
  public:
    static constexpr std::string_view name = "moving-average";

    /// `window`: intervals, at least 1.
    explicit MovingAverage(std::size_t window = 30) : window_(std::max<std::size_t>(1, window)) {}

    void observe(double load) {
        load = kept_.observe(load, forecast(1));
        if (loads_.size() < window_) loads_.push_back(load);
        else loads_[next_] = load;
        next_ = (next_ + 1) % window_;
    }
    [[nodiscard]] double forecast(std::size_t) const noexcept {
        auto sum = 0.0; // not kept: what is added and taken away for days leaves an error
        for (const auto load : loads_) sum += load / static_cast<double>(loads_.size());
        return sum;
    }
    [[nodiscard]] const ForecastError& error() const noexcept { return kept_.error(); }

  private:
    std::size_t window_, next_ = 0;
    std::vector<double> loads_;
    serving::detail::Forecasts kept_;
};

static_assert(LoadPredictor<LastValue> && LoadPredictor<MovingAverage>);

} // namespace mooncake
