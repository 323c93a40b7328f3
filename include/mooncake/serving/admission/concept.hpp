#pragma once

#include <mooncake/serving/decode/concept.hpp>
#include <mooncake/serving/prefill/concept.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

///

/// A request that was routed and may be rejected.
struct AdmissionRequest {
    double now = 0;
    std::uint64_t tokens = 0; ///< of its prompt
    ServeClass priority = ServeClass::normal;
    double prefill_seconds = 0; ///< that its prefill takes
    double ttft = 0;            ///< seconds until its first token, by prediction
    double ttft_slo = 30;
    double tbt_slo = .2;
    InstanceId decode = no_instance; ///< where it would decode; none: where it is prefilled
};

/// What an admission policy may know of all instances.
struct ClusterView {
    std::span<const PrefillInstance> prefill{};
    std::span<const DecodeInstance> decode{};
    const CostModel* cost = nullptr;
};

enum class Rejection : std::uint8_t {
    none,         ///< it is admitted
    first_token,  ///< would come too late
    decode_load,  ///< tokens would come too slowly
    overload,     ///< others can be served for what this one costs
    all_down,     ///< no instance is up: 503
    does_not_fit, ///< no decode instance has so much memory
};

struct Verdict {
    Rejection reason = Rejection::none;
    double retry_after = 0; ///< seconds; what a 429 says

    [[nodiscard]] bool admitted() const noexcept { return reason == Rejection::none; }
};

/// Which requests are turned away, and when.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `a.admit(request, cluster)` | at arrival: admitted, or why not and when to try again (above 0) | none | one at a time | O(instances + what they decode) |
/// | `a.joins(request, cluster)` | when its prefill is over: whether it may decode at `request.decode` | none | one at a time | O(1) |
/// | `a.finished(prompt_tokens, output_tokens)` | a request is over; for those that learn | none | one at a time | O(1) |
/// | `A::name` | what it is called in tables and options | | | |
template <class A>
concept AdmissionPolicy = std::default_initializable<A> && std::movable<A> &&
                          requires(A& policy, const AdmissionRequest& request, const ClusterView& cluster) {
                              { policy.admit(request, cluster) } -> std::same_as<Verdict>;
                              { policy.joins(request, cluster) } -> std::same_as<bool>;
                              { policy.finished(std::uint64_t{}, std::uint64_t{}) } -> std::same_as<void>;
                              { A::name } -> std::convertible_to<std::string_view>;
                          };

namespace serving::detail {

/// Whether there is memory for it beside what decodes there now, and an iteration with it keeps the promise.
[[nodiscard]] inline bool keeps_tbt(const AdmissionRequest& request, const ClusterView& cluster) noexcept {
    if (request.decode == no_instance) return true;
    const auto& instance = cluster.decode[request.decode];
    const auto tokens = instance.tokens + request.tokens;
    return tokens <= instance.capacity_tokens &&
           cluster.cost->decode.step(instance.sequences + 1, tokens) <= request.tbt_slo;
}

/// Rejected for `reason`: try again when that much of the backlog is over, at least a second from now.
[[nodiscard]] inline Verdict rejected(Rejection reason, double seconds) noexcept {
    return {.reason = reason, .retry_after = std::max(1.0, seconds)};
}

} // namespace serving::detail
} // namespace mooncake
