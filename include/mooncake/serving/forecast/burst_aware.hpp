#pragma once

#include <mooncake/serving/forecast/concept.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace mooncake {

struct BurstAwareConfig {
    double follow = .05;    ///< how fast sizes and gaps are learnt, above 0, at most 1
    double threshold = 1.5; ///< a burst has this many times the mean load; above 1
};

/// Load that comes in bursts: how large they are, how far apart, and what comes between them. The next burst is expected by
/// what is left of the distribution of gaps after so long without one, those after it by the same distribution over and over:
/// bursts that miss a beat, or come a little early, do not put it out of step as they do a season. Choose this when: requests
/// are released together, as batches, or by clients that wake up on a timer.
class BurstAware {
  public:
    static constexpr std::string_view name = "burst-aware";

    explicit BurstAware(const BurstAwareConfig& config = {}) noexcept : config_(config) {}

    void observe(double load) {
        load = kept_.observe(load, forecast(1));
        ++count_;
        mean_ += std::max(config_.follow / 5, 1 / static_cast<double>(count_)) * (load - mean_);
        if (load <= config_.threshold * mean_) {
            ++since_;
            calm_ += std::max(config_.follow, 1 / static_cast<double>(++calms_)) * (load - calm_);
            return;
        }
        const auto gap = std::min(since_ + 1, gaps_.size()) - 1; // a gap of 1 is the next interval
        if (bursts_++ != 0) {
            const auto follow = std::max(config_.follow, 1 / static_cast<double>(bursts_ - 1));
            for (auto& share : gaps_) share -= follow * share;
            gaps_[gap] += follow;
        }
        size_ += std::max(config_.follow, 1 / static_cast<double>(bursts_)) * (load - size_);
        since_ = 0;
    }

    [[nodiscard]] double forecast(std::size_t ahead) const noexcept {
        if (bursts_ < 3) return mean_;
        const auto chance = chance_of_burst(std::clamp<std::size_t>(ahead, 1, furthest_forecast));
        return calm_ + chance * (size_ - calm_);
    }

    [[nodiscard]] const ForecastError& error() const noexcept { return kept_.error(); }
    /// Mean load of an interval with a burst, and of one without.
    [[nodiscard]] double burst() const noexcept { return size_; }
    [[nodiscard]] double calm() const noexcept { return calm_; }

  private:
    static constexpr std::size_t longest = 64; // intervals: who is longer without a burst counts as this long

    /// Of a burst in that interval: the first one from now, or any after another.
    [[nodiscard]] double chance_of_burst(std::size_t ahead) const noexcept {
        auto left = 0.0; // share of gaps that are longer than what has passed
        for (auto gap = since_; gap < longest; ++gap) left += gaps_[gap];
        auto chances = std::array<double, furthest_forecast>();
        for (std::size_t i = 0; i < ahead; ++i) {
            const auto gap = since_ + i;
            if (left > 1e-9) chances[i] = gap < longest ? gaps_[gap] / left : 0;
            else chances[i] = i == 0 ? gaps_[longest - 1] : 0; // longer than ever: any moment, or never again
            for (auto j = i - std::min(i, longest); j < i; ++j) chances[i] += chances[j] * gaps_[i - j - 1];
        }
        return std::min(1.0, chances[ahead - 1]);
    }

    BurstAwareConfig config_;
    std::array<double, longest> gaps_{}; // shares: gaps_[g - 1] are g intervals from burst to burst
    double mean_ = 0, calm_ = 0, size_ = 0;
    std::size_t count_ = 0, calms_ = 0, bursts_ = 0;
    std::size_t since_ = 0; // intervals without a burst, since the last one
    serving::detail::Forecasts kept_;
};

static_assert(LoadPredictor<BurstAware>);

} // namespace mooncake
