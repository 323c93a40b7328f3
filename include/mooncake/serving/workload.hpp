#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mooncake {

struct WorkloadConfig {
    std::uint64_t requests = 2'000; ///< at least 1
    std::uint64_t seed = 1;
    double requests_per_burst = 10.2;   ///< mean; above 0
    std::uint64_t burst_gap_ms = 3'000; ///< above 0
    double continued = .39;             ///< share of requests that continue a conversation; 0 to below 1
};

/// Errors: `invalid_argument`, naming the field.
[[nodiscard]] inline Result<void> validate(const WorkloadConfig& config) {
    if (config.requests == 0) return Error(Errc::invalid_argument, "WorkloadConfig::requests must be at least 1");
    if (!(config.requests_per_burst > 0 && config.requests_per_burst < 1e6))
        return Error(Errc::invalid_argument, "WorkloadConfig::requests_per_burst must be above 0 and below a million");
    if (config.burst_gap_ms == 0) return Error(Errc::invalid_argument, "WorkloadConfig::burst_gap_ms must be above 0");
    if (!(config.continued >= 0 && config.continued < 1))
        return Error(Errc::invalid_argument, "WorkloadConfig::continued must be at least 0 and below 1");
    return ok;
}

namespace serving::detail {

/// A distribution by its quantiles, straight lines between them.
struct Quantiles {
    static constexpr std::array<double, 13> at{0, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99, 1};
    std::array<double, 13> value;

    [[nodiscard]] constexpr double operator()(double p) const noexcept {
        auto i = std::size_t{1};
        while (i + 1 < at.size() && at[i] < p) ++i;
        return value[i - 1] + (value[i] - value[i - 1]) * (p - at[i - 1]) / (at[i] - at[i - 1]);
    }
};

// Measured on the conversation trace.
inline constexpr auto first_blocks = Quantiles{{1, 1, 2, 3, 7, 10, 14, 21, 30, 49, 75, 175, 246}};
inline constexpr auto added_blocks = Quantiles{{1, 1, 1, 2, 2, 2, 2, 4, 10, 20, 29, 53, 186}};
inline constexpr auto output_tokens = Quantiles{{1, 24, 100, 213, 291, 350, 399, 447, 504, 597, 698, 1120, 2000}};
inline constexpr auto return_seconds = Quantiles{{3, 42, 60, 75, 96, 123, 162, 222, 318, 483, 618, 1482, 3030}};

/// Makes the requests of a workload, one after the other.
class WorkloadGenerator {
  public:
    explicit WorkloadGenerator(const WorkloadConfig& config) : config_(config), random_(config.seed) {}

    [[nodiscard]] std::vector<TraceRequest> generate() {
        auto trace = std::vector<TraceRequest>();
        trace.reserve(config_.requests);
        for (std::uint64_t now = 0; trace.size() < config_.requests; now += config_.burst_gap_ms)
            for (auto left = burst_size(); left != 0 && trace.size() < config_.requests; --left)
                trace.push_back(next(now));
        return trace;
    }

  private:
    struct Conversation {
        std::uint64_t last_ms = 0;
        std::uint64_t turns = 0, added = 0;
        std::vector<std::uint64_t> ids;
    };

    [[nodiscard]] double uniform() noexcept { return random_.uniform(); }
    [[nodiscard]] std::uint64_t draw(const Quantiles& quantiles) noexcept {
        return static_cast<std::uint64_t>(std::llround(quantiles(uniform())));
    }

    /// Poisson, and at least one. By multiplication, in steps that do not underflow.
    [[nodiscard]] std::uint64_t burst_size() noexcept {
        auto size = std::uint64_t{0};
        for (auto mean = config_.requests_per_burst; mean > 0; mean -= 500) {
            const auto bound = std::exp(-std::min(mean, 500.0));
            for (auto product = uniform(); product > bound; product *= uniform()) ++size;
        }
        return std::max<std::uint64_t>(1, size);
    }

    [[nodiscard]] TraceRequest next(std::uint64_t now) {
        auto* conversation = uniform() < config_.continued ? returning(now) : nullptr;
        if (conversation == nullptr) {
            conversation = &conversations_.emplace_back();
            conversation->ids.push_back(0); // the head that all share
            conversation->added = draw(first_blocks);
        } else {
            ++conversation->turns;
            conversation->added = draw(added_blocks);
            if (conversation->ids.size() > 2) conversation->ids.pop_back(); // the last block was not full
        }
        for (std::uint64_t i = 0; i < conversation->added; ++i) conversation->ids.push_back(++last_id_);
        conversation->last_ms = now;
        pauses_.push_back({now, static_cast<std::size_t>(conversation - conversations_.data())});
        const auto blocks = conversation->ids.size();
        return {.timestamp_ms = now,
                .input_length = (blocks - 1) * trace_block_tokens + 1 + random_() % trace_block_tokens,
                .output_length = draw(output_tokens),
                .hash_ids = conversation->ids};
    }

    /// A conversation whose user has been away for about as long as users are, out of those that paused together.
    /// The chance grows with the turns it has had and falls with how much its last turn added.
    [[nodiscard]] Conversation* returning(std::uint64_t now) {
        constexpr int tries = 16;
        auto away = now + 1;
        for (int i = 0; i < tries && away > now; ++i)
            away = static_cast<std::uint64_t>(return_seconds(uniform()) * 1000);
        if (away > now) return nullptr;
        const auto paused_at = [](std::uint64_t time, const Pause& pause) { return time < pause.at_ms; };
        auto pause = std::upper_bound(pauses_.begin(), pauses_.end(), now - away, paused_at);
        auto* chosen = static_cast<Conversation*>(nullptr);
        auto weights = 0.0;
        for (std::size_t seen = 0; pause != pauses_.begin() && seen < considered;) {
            --pause;
            auto& candidate = conversations_[pause->conversation];
            if (candidate.last_ms != pause->at_ms) continue; // it went on since
            ++seen;
            const auto by_turns = std::min(.9, .31 + .1 * static_cast<double>(candidate.turns));
            const auto by_added = std::max(.22, .6 - .025 * static_cast<double>(candidate.added));
            const auto weight = by_turns * by_added;
            weights += weight;
            if (uniform() * weights <= weight) chosen = &candidate;
        }
        return chosen;
    }

    static constexpr std::size_t considered = 12;
    struct Pause {
        std::uint64_t at_ms;
        std::size_t conversation;
    };

    WorkloadConfig config_;
    SplitMix64 random_;
    std::vector<Conversation> conversations_;
    std::vector<Pause> pauses_; // by time; one is over when its conversation went on
    std::uint64_t last_id_ = 0;
};

} // namespace serving::detail

/// Requests whose lengths, bursts and reuse follow the real conversation trace: bursts every three seconds, one shared
/// head block, conversations that come back after minutes with a little more. The same configuration gives the same
/// requests. Errors: `invalid_argument`.
[[nodiscard]] inline Result<std::vector<TraceRequest>> generate_workload(const WorkloadConfig& config = {}) {
    if (auto valid = validate(config); !valid) return valid.error();
    return serving::detail::WorkloadGenerator(config).generate();
}

} // namespace mooncake
