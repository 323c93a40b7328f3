#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/store/placement/concept.hpp>
#include <mooncake/store/placement/power_of_two.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// Choose this when: the policy is chosen when the program starts. Any placement policy behind one type, for an indirect call a
/// choice. Its name is that of the policy in it. Moved-from ones may only be assigned to and destroyed.
class AnyPlacement {
  public:
    /// The power of two choices.
    AnyPlacement() : AnyPlacement(PowerOfTwoChoices()) {}

    template <class Policy>
        requires(!std::derived_from<Policy, AnyPlacement> && PlacementPolicy<Policy>)
    AnyPlacement(Policy policy) : name(policy.name), held_(std::make_unique<Holder<Policy>>(std::move(policy))) {}

    std::string_view name;

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        held_->choose(candidates, request, chosen);
    }

  private:
    struct Held {
        virtual ~Held() = default;
        virtual void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                            std::vector<std::uint32_t>& chosen) = 0;
    };

    template <class Policy>
    class Holder final : public Held {
      public:
        explicit Holder(Policy policy) : policy_(std::move(policy)) {}
        void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                    std::vector<std::uint32_t>& chosen) override {
            policy_.choose(candidates, request, chosen);
        }

      private:
        Policy policy_;
    };

    std::unique_ptr<Held> held_;
};

static_assert(PlacementPolicy<AnyPlacement>);

/// Policies to choose from by name.
template <PlacementPolicy... Policies>
struct PlacementChoice {
    [[nodiscard]] static std::vector<std::string> names() { return {std::string(Policies::name)...}; }

    /// Errors: `invalid_argument`, with the names there are.
    [[nodiscard]] static Result<AnyPlacement> named(std::string_view name) {
        auto chosen = std::optional<AnyPlacement>();
        ((name == Policies::name ? (void)chosen.emplace(Policies()) : void()), ...);
        if (chosen) return *std::move(chosen);
        auto known = std::string();
        for (const auto& one : names()) known += (known.empty() ? "" : ", ") + one;
        return Error(Errc::invalid_argument,
                     "no placement policy is called \"" + std::string(name) + "\"; there are " + known);
    }

    /// `visit.template operator()<Policy>()` for each, in order.
    template <class Visit>
    static void for_each(Visit&& visit) {
        (visit.template operator()<Policies>(), ...);
    }
};

} // namespace mooncake
