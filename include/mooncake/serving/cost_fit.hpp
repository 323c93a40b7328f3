#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/serving/cost_model.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mooncake {

/// One prefill that was measured.
struct PrefillSample {
    std::uint64_t tokens = 0; ///< of the prompt
    std::uint64_t cached = 0; ///< of them were there
    double seconds = 0;       ///< above 0
};

/// How far a fit is from what it was made of: errors are shares of the measured time.
struct FitReport {
    std::size_t samples = 0;
    double mean_error = 0, p95_error = 0, max_error = 0;
    double bias = 0; ///< mean of signed errors: above 0, it predicts too much
};

/// Learns a `PrefillCost` from samples as they come. Least squares of relative errors, so that short prompts count as
/// much as long ones; old samples fade. Complexity: O(1) a sample, no memory.
class PrefillFit {
  public:
    /// `fade`: how much of the weight is left after each sample; 1 keeps all, .999 remembers about the last thousand.
    explicit PrefillFit(double fade = 1) noexcept : fade_(fade) {}

    /// Samples with no time or nothing computed are passed over. Whether it counted.
    bool add(const PrefillSample& sample) noexcept {
        if (sample.cached >= sample.tokens || !(sample.seconds > 0) || !std::isfinite(sample.seconds)) return false;
        const auto n = static_cast<double>(sample.tokens) / 1024, p = static_cast<double>(sample.cached) / 1024;
        const auto x = (n - p) / sample.seconds, y = (n * n - p * p) / sample.seconds;
        for (auto* sum : {&xx_, &xy_, &yy_, &x_, &y_}) *sum *= fade_;
        xx_ += x * x, xy_ += x * y, yy_ += y * y, x_ += x, y_ += y;
        ++samples_;
        return true;
    }

    /// The coefficients, both 0 or more. Errors: `invalid_argument` when there are too few samples that differ.
    [[nodiscard]] Result<PrefillCost> cost() const {
        if (samples_ == 0) return Error(Errc::invalid_argument, "no sample to fit prefill to; give at least two");
        const auto determinant = xx_ * yy_ - xy_ * xy_;
        if (samples_ > 1 && determinant > 1e-9 * xx_ * yy_) {
            const auto linear = (x_ * yy_ - y_ * xy_) / determinant, quadratic = (xx_ * y_ - xy_ * x_) / determinant;
            if (linear >= 0 && quadratic >= 0) return PrefillCost{.linear = linear, .quadratic = quadratic};
            if (linear < 0) return PrefillCost{.linear = 0, .quadratic = y_ / yy_};
            return PrefillCost{.linear = x_ / xx_, .quadratic = 0};
        }
        return Error(Errc::invalid_argument, "all samples of prefill have the same shape; give prompts of two lengths");
    }
    [[nodiscard]] std::size_t samples() const noexcept { return samples_; }

  private:
    double fade_;
    double xx_ = 0, xy_ = 0, yy_ = 0, x_ = 0, y_ = 0; // of what would be 1 if the fit were exact
    std::size_t samples_ = 0;
};

/// What `cost` makes of `samples`. Samples that a fit passes over are passed over.
[[nodiscard]] inline FitReport report_fit(const PrefillCost& cost, std::span<const PrefillSample> samples) {
    auto errors = std::vector<double>();
    auto report = FitReport{};
    for (const auto& sample : samples) {
        if (sample.cached >= sample.tokens || !(sample.seconds > 0) || !std::isfinite(sample.seconds)) continue;
        const auto error = cost.seconds(sample.tokens, sample.cached) / sample.seconds - 1;
        report.bias += error;
        errors.push_back(std::abs(error));
    }
    if (errors.empty()) return report;
    std::sort(errors.begin(), errors.end());
    const auto count = static_cast<double>(errors.size());
    for (const auto error : errors) report.mean_error += error / count;
    report.samples = errors.size();
    report.bias /= count;
    report.p95_error = errors[std::min(errors.size() - 1, static_cast<std::size_t>(count * .95))];
    report.max_error = errors.back();
    return report;
}

} // namespace mooncake
