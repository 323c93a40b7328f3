#pragma once

#include <mooncake/serving/admission/concept.hpp>
#include <mooncake/serving/output_lengths.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace mooncake {

struct LeastRegretConfig {
    double calm = 0;           ///< pressure up to which nobody is turned away for what it costs; below 1
    double harshest = .6;      ///< share of the costliest that are turned away at a pressure of 1
    double normal_limit = .95; ///< pressure beyond which no normal request comes in
    double low_limit = .6;     ///< the same of low ones; top ones have no limit but the promise itself
    double low_every = 15;     ///< seconds within which a low request comes in whatever the pressure is
};

/// Choose this when: in doubt. Predicts for each request: when it would join, who will still decode there then, by what is
/// learnt of the lengths of answers and of how long each has decoded already, and how long an iteration will be. Under
/// pressure those are turned away first that cost most: one prompt of a hundred thousand tokens is worth many of a thousand.
///
/// Pressure is the higher of both pools: the wait for a first token as a share of the SLO, and the predicted iteration as a
/// share of the SLO between tokens. Classes: the lower one is, the sooner the pressure is too high for it; one low request in
/// `low_every` seconds comes in all the same.
class LeastRegret {
  public:
    static constexpr std::string_view name = "least-regret";

    explicit LeastRegret(const LeastRegretConfig& config = {}) : config_(config) {}

    [[nodiscard]] Verdict admit(const AdmissionRequest& request, const ClusterView& cluster) {
        using serving::detail::rejected;
        const auto cost = Cost{.prefill = request.prefill_seconds,
                               .decode = static_cast<double>(request.tokens + 1'000) * lengths_.mean(request.tokens)};
        remember(cost);
        if (request.ttft > request.ttft_slo) return rejected(Rejection::first_token, request.ttft - request.ttft_slo);
        const auto wait = std::max(0.0, request.ttft - request.prefill_seconds) / request.ttft_slo;
        const auto decode =
            request.decode == no_instance ? 0.0 : load_then(request, cluster.decode[request.decode], *cluster.cost);
        if (decode > 1) return rejected(Rejection::decode_load, request.ttft);
        // An empty decode instance has a load, too: what counts is how far it is from there to the promise.
        const auto empty = cluster.cost->decode.step(1, request.tokens) / request.tbt_slo;
        const auto decode_pressure = empty >= 1 ? 0.0 : std::max(0.0, (decode - empty) / (1 - empty));
        const auto pressure = std::max(wait, decode_pressure);
        const auto favoured = request.priority == ServeClass::low && request.now - low_at_ >= config_.low_every;
        if (!favoured && pressure > limit(request.priority)) return rejected(Rejection::overload, request.ttft);
        const auto above = std::clamp((pressure - config_.calm) / (1 - config_.calm), 0.0, 1.0);
        const auto share = config_.harshest * above * above; // a little pressure is no reason
        if (!favoured && request.priority != ServeClass::top && share > 0 &&
            rank_of(cost, wait, decode_pressure) > 1 - share)
            return rejected(Rejection::overload, request.ttft);
        if (request.priority == ServeClass::low) low_at_ = request.now;
        return {};
    }

    /// Prefill is paid: it is thrown away only where the promise to those who decode would be broken.
    [[nodiscard]] bool joins(const AdmissionRequest& request, const ClusterView& cluster) {
        return serving::detail::keeps_tbt(request, cluster);
    }
    void finished(std::uint64_t prompt_tokens, std::uint64_t output_tokens) {
        lengths_.add(prompt_tokens, output_tokens);
    }

    [[nodiscard]] const OutputLengths& lengths() const noexcept { return lengths_; }

  private:
    static constexpr std::size_t remembered = 512;
    struct Cost {
        double prefill = 0; // seconds of an instance
        double decode = 0;  // tokens of memory, and what a sequence costs beside, times iterations
    };

    [[nodiscard]] double limit(ServeClass priority) const noexcept {
        return priority == ServeClass::top      ? std::numeric_limits<double>::infinity()
               : priority == ServeClass::normal ? config_.normal_limit
                                                : config_.low_limit;
    }

    /// The load of `instance` when the request would join, with it, by time between tokens or by memory: each sequence counts
    /// by the chance that it is still there.
    [[nodiscard]] double load_then(const AdmissionRequest& request, const DecodeInstance& instance,
                                   const CostModel& cost) const noexcept {
        const auto then = request.now + request.ttft;
        const auto pace = cost.decode.step(instance.sequences, instance.tokens); // how fast those there go
        auto sequences = 1.0, tokens = static_cast<double>(request.tokens);
        for (const auto& work : instance.work) {
            if (!work.joined && work.joins_at > then) continue;
            const auto produced = work.joined ? std::max(0.0, request.now - work.joins_at) / pace : 0.0;
            const auto more = (then - std::max(request.now, work.joins_at)) / pace;
            const auto there = lengths_.survives(work.tokens, produced, more);
            sequences += there, tokens += there * static_cast<double>(work.tokens);
        }
        const auto step = cost.decode.constant + cost.decode.context * tokens / 1024 + cost.decode.sequence * sequences;
        return std::max(step / request.tbt_slo,
                        tokens / static_cast<double>(std::max<std::uint64_t>(1, instance.capacity_tokens)));
    }

    /// The share of recent requests that cost less, where each pool's time is worth as much as it is short.
    [[nodiscard]] double rank_of(const Cost& cost, double prefill, double decode) const noexcept {
        if (costs_.size() < 16) return 0;
        const auto by_prefill = prefill / std::max(1e-9, sum_.prefill),
                   by_decode = decode / std::max(1e-9, sum_.decode);
        const auto price = [&](const Cost& one) { return by_prefill * one.prefill + by_decode * one.decode; };
        const auto mine = price(cost);
        const auto less =
            std::count_if(costs_.begin(), costs_.end(), [&](const Cost& one) { return price(one) < mine; });
        return static_cast<double>(less) / static_cast<double>(costs_.size());
    }
    void remember(const Cost& cost) {
        if (costs_.size() < remembered) costs_.emplace_back();
        auto& place = costs_[next_++ % remembered];
        sum_.prefill += cost.prefill - place.prefill, sum_.decode += cost.decode - place.decode;
        place = cost;
    }

    LeastRegretConfig config_;
    OutputLengths lengths_;
    std::vector<Cost> costs_; // of recent requests, admitted or not
    Cost sum_;                // of them
    std::size_t next_ = 0;
    double low_at_ = 0; // when a low request came in last
};

static_assert(AdmissionPolicy<LeastRegret>);

} // namespace mooncake
