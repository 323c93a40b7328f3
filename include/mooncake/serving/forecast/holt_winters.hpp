#pragma once

#include <mooncake/serving/forecast/concept.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

namespace mooncake {

struct HoltWintersConfig {
    double level = .05;             ///< how fast the level follows; above 0, at most 1
    double trend = .01;             ///< the same of the trend, 0 to 1; 0: none
    double season = .1;             ///< the same of each place of a season, 0 to 1
    double damping = .9;            ///< what is left of a trend after an interval, 0 to 1
    std::size_t longest = 24;       ///< intervals of the longest season that is looked for; below 2: none is
    std::size_t window = 192;       ///< intervals that it is looked for in; at least twice `longest`
    double least_correlation = .25; ///< of the load with itself a season before, to be one
};

/// Level, a trend that dies away, and a season whose length is found in the load itself: the one at which the load resembles
/// itself most, looked for again every quarter of the window. Choose this when: the load rises and falls over minutes, or comes
/// in bursts at a steady pace. Source: Holt–Winters, additive, with a damped trend; the length by autocorrelation.
class HoltWinters {
  public:
    static constexpr std::string_view name = "holt-winters";

    explicit HoltWinters(const HoltWintersConfig& config = {}) : config_(config) {
        config_.window = std::max(config_.window, 2 * std::max<std::size_t>(2, config_.longest));
    }

    void observe(double load) {
        const auto first = !kept_.seen();
        load = kept_.observe(load, forecast(1));
        ++count_;
        if (recent_.size() == config_.window) recent_.erase(recent_.begin());
        recent_.push_back(load);
        if (first) level_ = load;
        // Early on what was seen counts fully: the level is the plain mean until as many have come as it remembers.
        const auto follow = std::max(config_.level, 1 / static_cast<double>(count_));
        const auto season = season_.empty() ? 0.0 : season_[count_ % season_.size()];
        const auto before = level_;
        level_ += config_.damping * trend_ + follow * (load - season - level_ - config_.damping * trend_);
        trend_ = config_.damping * trend_ + config_.trend * (level_ - before - config_.damping * trend_);
        if (!season_.empty()) season_[count_ % season_.size()] += config_.season * (load - level_ - season);
        if (count_ % std::max<std::size_t>(1, config_.window / 4) == 0) look_for_season();
    }

    [[nodiscard]] double forecast(std::size_t ahead) const noexcept {
        ahead = std::clamp<std::size_t>(ahead, 1, furthest_forecast);
        auto load = level_;
        auto step = trend_;
        for (std::size_t i = 0; i < ahead; ++i) load += step *= config_.damping;
        if (!season_.empty()) load += season_[(count_ + ahead) % season_.size()];
        return std::clamp(load, 0.0, std::numeric_limits<double>::max());
    }

    [[nodiscard]] const ForecastError& error() const noexcept { return kept_.error(); }
    /// Intervals of the season that was found; 0: none.
    [[nodiscard]] std::size_t season() const noexcept { return season_.size(); }

  private:
    void look_for_season() {
        const auto n = recent_.size();
        auto mean = 0.0, variance = 0.0;
        for (const auto load : recent_) mean += load / static_cast<double>(n);
        for (const auto load : recent_) variance += (load - mean) * (load - mean);
        auto best = std::size_t{0};
        auto most = config_.least_correlation;
        for (std::size_t lag = 2; lag <= config_.longest && 3 * lag <= n && variance > 0; ++lag) {
            auto sum = 0.0;
            for (std::size_t i = lag; i < n; ++i) sum += (recent_[i] - mean) * (recent_[i - lag] - mean);
            const auto correlation = sum / variance * static_cast<double>(n) / static_cast<double>(n - lag);
            if (!(correlation > most + (best == 0 ? 0.0 : .05)))
                continue; // twice a season is one, too, but a longer one
            best = lag, most = correlation;
        }
        if (best == season_.size()) return;
        season_.assign(best, 0);
        auto times = std::vector<double>(best);
        for (std::size_t i = 0; i < n && best != 0; ++i) { // the last one is the interval `count_`
            const auto place = (count_ + best * n - (n - 1 - i)) % best;
            season_[place] += recent_[i] - mean, times[place] += 1;
        }
        for (std::size_t i = 0; i < best; ++i) season_[i] /= std::max(1.0, times[i]);
        level_ = mean, trend_ = 0;
    }

    HoltWintersConfig config_;
    double level_ = 0, trend_ = 0;
    std::vector<double> season_; // what is above the level, by the number of the interval
    std::vector<double> recent_;
    std::size_t count_ = 0; // of intervals observed
    serving::detail::Forecasts kept_;
};

static_assert(LoadPredictor<HoltWinters>);

} // namespace mooncake
