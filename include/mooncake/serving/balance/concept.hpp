#pragma once

#include <mooncake/serving/prefill/concept.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// Blocks to copy from cache to cache before anybody asks for them there. The target takes what it has free places for, and
/// gives those up first.
struct BlockCopy {
    InstanceId source = no_instance, target = no_instance; ///< none: nothing is copied
    std::uint32_t blocks = 0; ///< leading blocks of the prompt that are to be at the target
};

/// A request that was routed.
struct RoutedRequest {
    double now = 0;
    std::span<const BlockKey> blocks{};    ///< of its prompt
    std::span<const std::uint32_t> held{}; ///< how many leading blocks each instance holds
    InstanceId instance = no_instance;     ///< where it is prefilled
    const CostModel* cost = nullptr;
};

/// Which blocks are copied, so that no instance is the only one to hold what many want.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `b.routed(request, instances)` | nothing, or a copy: source and target are up and not the same, the source holds at least as many leading blocks as are copied, the target fewer, and has free places for the difference | none | one at a time | O(instances + blocks) |
/// | `B::name` | what it is called in tables and options | | | |
template <class B>
concept BalancePolicy = std::default_initializable<B> && std::movable<B> &&
                        requires(B& policy, const RoutedRequest& request, std::span<const PrefillInstance> instances) {
                            { policy.routed(request, instances) } -> std::same_as<BlockCopy>;
                            { B::name } -> std::convertible_to<std::string_view>;
                        };

/// Nothing is copied ahead. Choose this when: in doubt; a policy that fetches what it needs makes its copies by that.
struct NoBalance {
    static constexpr std::string_view name = "none";
    [[nodiscard]] BlockCopy routed(const RoutedRequest&, std::span<const PrefillInstance>) { return {}; }
};

static_assert(BalancePolicy<NoBalance>);

} // namespace mooncake
