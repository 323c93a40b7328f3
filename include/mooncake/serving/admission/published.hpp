#pragma once

#include <mooncake/serving/admission/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mooncake {

/// Nobody is turned away. Choose this when: completions of all are wanted, however late.
struct AdmitAll {
    static constexpr std::string_view name = "none";

    [[nodiscard]] Verdict admit(const AdmissionRequest&, const ClusterView&) { return {}; }
    [[nodiscard]] bool joins(const AdmissionRequest&, const ClusterView&) { return true; }
    void finished(std::uint64_t, std::uint64_t) {}
};

/// The first token is predicted at arrival; the load of decode is looked at when decode starts, and prefill was in vain where
/// it is too high. Source: arXiv 2407.00079 §7, baseline.
struct LateCheck {
    static constexpr std::string_view name = "baseline";

    [[nodiscard]] Verdict admit(const AdmissionRequest& request, const ClusterView&) {
        if (request.ttft <= request.ttft_slo) return {};
        return serving::detail::rejected(Rejection::first_token, request.ttft - request.ttft_slo);
    }
    [[nodiscard]] bool joins(const AdmissionRequest& request, const ClusterView& cluster) {
        return serving::detail::keeps_tbt(request, cluster);
    }
    void finished(std::uint64_t, std::uint64_t) {}
};

/// At arrival, on the higher of both pools' loads now; decode is looked at again when it starts. The pools then swing against
/// each other. Source: arXiv 2407.00079 §7.2.
struct EarlyRejection {
    static constexpr std::string_view name = "early";

    [[nodiscard]] Verdict admit(const AdmissionRequest& request, const ClusterView& cluster) {
        if (auto verdict = late_.admit(request, cluster); !verdict.admitted()) return verdict;
        if (late_.joins(request, cluster)) return {};
        return serving::detail::rejected(Rejection::decode_load, request.tbt_slo * 50);
    }
    [[nodiscard]] bool joins(const AdmissionRequest& request, const ClusterView& cluster) {
        return late_.joins(request, cluster);
    }
    void finished(std::uint64_t, std::uint64_t) {}

  private:
    LateCheck late_;
};

/// At arrival, on the load that decode will have when the prefill is over: what prefill will have finished by then is added,
/// and /// what will have decoded for longer than `decode_seconds` is taken away; the mean over all instances counts, of time between
/// tokens or of memory, whichever is shorter.
/// Source: arXiv 2407.00079 §7.4, at the level of the system; its t_d is not published.
class PredictiveRejection {
  public:
    static constexpr std::string_view name = "predictive";

    explicit PredictiveRejection(double decode_seconds = 12) noexcept : decode_seconds_(decode_seconds) {}

    [[nodiscard]] Verdict admit(const AdmissionRequest& request, const ClusterView& cluster) {
        if (auto verdict = late_.admit(request, cluster); !verdict.admitted()) return verdict;
        const auto then = request.now + request.ttft;
        auto load = 0.0, up = 0.0;
        for (const auto& one : cluster.decode) {
            if (!one.up) continue;
            auto sequences = std::uint64_t{0}, tokens = std::uint64_t{0};
            for (const auto& work : one.work) {
                if (work.joins_at > then || work.joins_at + decode_seconds_ < then) continue;
                ++sequences, tokens += work.tokens;
            }
            tokens += request.tokens;
            load += std::max(cluster.cost->decode.step(sequences + 1, tokens) / request.tbt_slo,
                             static_cast<double>(tokens) /
                                 static_cast<double>(std::max<std::uint64_t>(1, one.capacity_tokens)));
            up += 1;
        }
        if (load <= up) return {};
        return serving::detail::rejected(Rejection::decode_load, decode_seconds_ * (1 - up / load));
    }
    [[nodiscard]] bool joins(const AdmissionRequest& request, const ClusterView& cluster) {
        return late_.joins(request, cluster);
    }
    void finished(std::uint64_t, std::uint64_t) {}

  private:
    double decode_seconds_;
    LateCheck late_;
};

static_assert(AdmissionPolicy<AdmitAll> && AdmissionPolicy<LateCheck>);
static_assert(AdmissionPolicy<EarlyRejection> && AdmissionPolicy<PredictiveRejection>);

} // namespace mooncake
