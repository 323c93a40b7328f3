#pragma once

#include <mooncake/serving/admission/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// What a machine that can do both does.
enum class ServingRole : std::uint8_t {
    prefill,
    decode,
    to_prefill, ///< finishes what it decodes and takes no more, or is being made ready
    to_decode,  ///< the other way round
};

/// What a role policy may know. Instance i of both pools is one machine.
struct RoleView {
    double now = 0;
    ClusterView cluster{};
    std::span<const ServingRole> roles{};
    double ttft_slo = 30, tbt_slo = .2; ///< seconds
};

/// Which machines change between prefill and decode.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `r.routed(now, seconds, whole)` | a request came in whose prefill takes `seconds`, and would take `whole` without any cache | none | one at a time | O(1) |
/// | `r.change(view)` | asked about once a second: a machine that has a role and is to take the other one, or none; at least one has, or is to take, each role | none | one at a time | O(instances) |
/// | `R::name` | what it is called in tables and options | | | |
template <class R>
concept RolePolicy = std::default_initializable<R> && std::movable<R> && requires(R& policy, const RoleView& view) {
    { policy.routed(double{}, double{}, double{}) } -> std::same_as<void>;
    { policy.change(view) } -> std::same_as<InstanceId>;
    { R::name } -> std::convertible_to<std::string_view>;
};

/// Everyone keeps the role it began with.
struct FixedRoles {
    static constexpr std::string_view name = "fixed";
    void routed(double, double, double) {}
    [[nodiscard]] InstanceId change(const RoleView&) { return no_instance; }
};

static_assert(RolePolicy<FixedRoles>);

} // namespace mooncake
