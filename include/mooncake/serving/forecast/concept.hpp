#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mooncake {

/// How far forecasts were from what came, and how far the naive one was that says "as now".
class ForecastError {
  public:
    /// `forecast` was said of an interval whose load turned out to be `value`; `naive`: the last load known when it was said.
    void add(double value, double forecast, double naive) noexcept {
        ++count_;
        sum_ += std::abs(value - forecast), naive_sum_ += std::abs(value - naive);
        bias_ += forecast - value;
    }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// The mean absolute error, in the unit of the load; 0 for none.
    [[nodiscard]] double mean() const noexcept { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
    /// The same by that of the naive forecast: below 1 is better than it. 1 for none.
    [[nodiscard]] double relative() const noexcept {
        if (naive_sum_ > 0) return sum_ / naive_sum_;
        return sum_ > 0 ? sum_ : 1;
    }
    /// Mean of forecast - value: above 0, it says too much.
    [[nodiscard]] double bias() const noexcept { return count_ == 0 ? 0 : bias_ / static_cast<double>(count_); }

  private:
    std::uint64_t count_ = 0;
    double sum_ = 0, naive_sum_ = 0, bias_ = 0;
};

/// The furthest that is forecast, in intervals; beyond it the forecast is that of this one.
inline constexpr std::size_t furthest_forecast = 256;

inline constexpr double largest_load = 1e15;

/// Forecasts a load that is counted in intervals of one length: requests, seconds of prefill, or tokens in each second.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.observe(load)` | an interval ended that had this load; below 0 or not a number counts as 0, and more than `largest_load` as that | none | one at a time | O(1) most times |
/// | `p.forecast(ahead)` | of the interval that ends `ahead` (at least 1) intervals after the last one that was observed: its expected load, finite and 0 or more; 0 where nothing was observed | none | one at a time | O(`ahead`²) at most |
/// | `p.error()` | of its forecasts for the next interval so far | none | one at a time | O(1) |
/// | `P::name` | what it is called in tables and options | | | |
template <class P>
concept LoadPredictor =
    std::default_initializable<P> && std::movable<P> && requires(P& predictor, const P& fixed, double load) {
        { predictor.observe(load) } -> std::same_as<void>;
        { fixed.forecast(std::size_t{}) } -> std::same_as<double>;
        { fixed.error() } noexcept -> std::same_as<const ForecastError&>;
        { P::name } -> std::convertible_to<std::string_view>;
    };

namespace serving::detail {

/// What all predictors keep: the last load, and the error of what they said of it.
class Forecasts {
  public:
    /// The load as it counts. `forecast`: what was said of it.
    double observe(double load, double forecast) noexcept {
        load = load > 0 ? std::min(load, largest_load) : 0;
        if (seen_) error_.add(load, forecast, last_);
        seen_ = true;
        return last_ = load;
    }
    [[nodiscard]] double last() const noexcept { return last_; }
    [[nodiscard]] bool seen() const noexcept { return seen_; }
    [[nodiscard]] const ForecastError& error() const noexcept { return error_; }

  private:
    double last_ = 0;
    bool seen_ = false;
    ForecastError error_;
};

} // namespace serving::detail
} // namespace mooncake
