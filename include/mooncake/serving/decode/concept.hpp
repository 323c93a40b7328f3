#pragma once

#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/index/instance_sets.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// A sequence that decodes at an instance, or will once its prefill is over.
struct DecodeWork {
    std::uint64_t id = 0;
    std::uint64_t tokens = 0; ///< of its prompt
    double joins_at = 0;      ///< when it joined, or will by prediction
    bool joined = false;
};

/// A decode instance, as far as a policy may know it.
struct DecodeInstance {
    bool up = true;
    std::uint64_t capacity_tokens = 1'330'000;   ///< of KV cache that fit
    std::uint64_t sequences = 0, tokens = 0;     ///< that decode, and their prompts' tokens together
    std::uint64_t coming = 0, coming_tokens = 0; ///< that were promised to it and are in prefill
    std::vector<DecodeWork> work{};              ///< all of them
};

/// A request that wants a place to decode.
struct DecodeRequest {
    double now = 0;
    std::uint64_t tokens = 0; ///< of its prompt
    const CostModel* cost = nullptr;

    /// Seconds of an iteration at `instance` with this one in the batch, and with all that were promised.
    [[nodiscard]] double tbt(const DecodeInstance& instance) const noexcept {
        return cost->decode.step(instance.sequences + instance.coming + 1,
                                 instance.tokens + instance.coming_tokens + tokens);
    }
};

/// Which instance decodes a request.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `d.choose(request, instances)` | an instance that is up, or none where none is | none | one at a time | O(instances) |
/// | `D::name` | what it is called in tables and options | | | |
template <class D>
concept DecodePolicy = std::default_initializable<D> && std::movable<D> &&
                       requires(D& policy, const DecodeRequest& request, std::span<const DecodeInstance> instances) {
                           { policy.choose(request, instances) } -> std::same_as<InstanceId>;
                           { D::name } -> std::convertible_to<std::string_view>;
                       };

} // namespace mooncake
