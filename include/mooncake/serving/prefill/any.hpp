#pragma once

#include <mooncake/serving/prefill/blind.hpp>
#include <mooncake/serving/prefill/concept.hpp>
#include <mooncake/serving/prefill/kvcache_centric.hpp>
#include <mooncake/serving/prefill/least_delay.hpp>
#include <mooncake/serving/prefill/published.hpp>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace mooncake {

/// A prefill policy that is chosen at run time. Is one itself.
class AnyPrefill {
  public:
    static constexpr std::string_view name = "any";

    AnyPrefill() : AnyPrefill(LeastDelay()) {}
    template <class P>
        requires(!std::same_as<P, AnyPrefill>) && PrefillPolicy<P>
    AnyPrefill(P policy) : policy_(std::make_unique<Model<P>>(std::move(policy))) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        return policy_->choose(request, instances);
    }

  private:
    struct Interface {
        virtual ~Interface() = default;
        virtual PrefillChoice choose(const PrefillRequest&, std::span<const PrefillInstance>) = 0;
    };
    template <class P>
    struct Model final : Interface {
        explicit Model(P one) : policy(std::move(one)) {}
        PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) override {
            return policy.choose(request, instances);
        }
        P policy;
    };

    std::unique_ptr<Interface> policy_;
};

static_assert(PrefillPolicy<AnyPrefill>);

namespace serving::detail {

template <class... Policies>
struct PrefillPolicies {
    static constexpr std::array<std::string_view, sizeof...(Policies)> names{Policies::name...};
    [[nodiscard]] static std::optional<AnyPrefill> make(std::string_view wanted) {
        auto made = std::optional<AnyPrefill>();
        ((wanted == Policies::name ? void(made.emplace(Policies())) : void()), ...);
        return made;
    }
};

using AllPrefillPolicies =
    PrefillPolicies<RandomPrefill, RoundRobinPrefill, LeastLoadedPrefill, PowerOfTwoPrefill, LocalCacheAware,
                    KvCacheCentric, FetchOrRecompute, LongestPrefix, OverlapAndLoad, ThresholdSwitch, FixedProfile,
                    TokensTimesBatch, DualMap, ExploitOrExplore, LeastDelay>;

} // namespace serving::detail

/// The names of all policies that come with the library.
[[nodiscard]] constexpr std::span<const std::string_view> prefill_policy_names() noexcept {
    return serving::detail::AllPrefillPolicies::names;
}
/// The policy of that name, as it is by default; none where there is no such policy.
[[nodiscard]] inline std::optional<AnyPrefill> make_prefill_policy(std::string_view name) {
    return serving::detail::AllPrefillPolicies::make(name);
}

} // namespace mooncake
