#pragma once

#include <mooncake/serving/admission/concept.hpp>
#include <mooncake/serving/admission/least_regret.hpp>
#include <mooncake/serving/admission/published.hpp>

#include <array>
#include <concepts>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace mooncake {

/// An admission policy that is chosen at run time. Is one itself.
class AnyAdmission {
  public:
    static constexpr std::string_view name = "any";

    AnyAdmission() = default;
    template <class A>
        requires(!std::same_as<A, AnyAdmission>) && AdmissionPolicy<A>
    AnyAdmission(A policy) : policy_(std::move(policy)) {}

    [[nodiscard]] Verdict admit(const AdmissionRequest& request, const ClusterView& cluster) {
        return std::visit([&](auto& one) { return one.admit(request, cluster); }, policy_);
    }
    [[nodiscard]] bool joins(const AdmissionRequest& request, const ClusterView& cluster) {
        return std::visit([&](auto& one) { return one.joins(request, cluster); }, policy_);
    }
    void finished(std::uint64_t prompt_tokens, std::uint64_t output_tokens) {
        std::visit([&](auto& one) { one.finished(prompt_tokens, output_tokens); }, policy_);
    }

  private:
    std::variant<AdmitAll, LateCheck, EarlyRejection, PredictiveRejection, LeastRegret> policy_;
};

static_assert(AdmissionPolicy<AnyAdmission>);

inline constexpr std::array<std::string_view, 5> admission_policy_names{
    AdmitAll::name, LateCheck::name, EarlyRejection::name, PredictiveRejection::name, LeastRegret::name};

/// The policy of that name, as it is by default; none where there is no such policy.
[[nodiscard]] inline std::optional<AnyAdmission> make_admission_policy(std::string_view name) {
    if (name == AdmitAll::name) return AnyAdmission(AdmitAll());
    if (name == LateCheck::name) return AnyAdmission(LateCheck());
    if (name == EarlyRejection::name) return AnyAdmission(EarlyRejection());
    if (name == PredictiveRejection::name) return AnyAdmission(PredictiveRejection());
    if (name == LeastRegret::name) return AnyAdmission(LeastRegret());
    return std::nullopt;
}

} // namespace mooncake
