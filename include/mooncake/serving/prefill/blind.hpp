#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/prefill/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

// Rules that do not look at who holds what. Whoever is chosen uses what it happens to hold.

namespace mooncake {

/// Choose this when: something to compare with is wanted.
class RandomPrefill {
  public:
    static constexpr std::string_view name = "random";

    explicit RandomPrefill(std::uint64_t seed = 1) noexcept : random_(seed) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        up_.clear();
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up) up_.push_back(i);
        return serving::detail::at(up_.empty() ? no_instance : up_[random_() % up_.size()], request);
    }

  private:
    SplitMix64 random_;
    std::vector<InstanceId> up_;
};

/// Choose this when: requests are alike and nothing is cached.
class RoundRobinPrefill {
  public:
    static constexpr std::string_view name = "round-robin";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        for (std::size_t tried = 0; tried < instances.size(); ++tried) {
            const auto i = static_cast<InstanceId>(next_++ % instances.size());
            if (instances[i].up) return serving::detail::at(i, request);
        }
        return {};
    }

  private:
    std::size_t next_ = 0;
};

/// The fewest requests; equals take turns. Choose this when: nothing is known of how long requests take.
class LeastLoadedPrefill {
  public:
    static constexpr std::string_view name = "least-loaded";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        if (instances.empty()) return {};
        const auto first = turn_++ % instances.size();
        auto best = no_instance;
        for (std::size_t n = 0; n < instances.size(); ++n) {
            const auto i = static_cast<InstanceId>((first + n) % instances.size());
            if (instances[i].up && (best == no_instance || instances[i].requests < instances[best].requests)) best = i;
        }
        return serving::detail::at(best, request);
    }

  private:
    std::size_t turn_ = 0;
};

/// The one of two random instances with fewer requests. Choose this when: there are too many to look at.
/// Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
class PowerOfTwoPrefill {
  public:
    static constexpr std::string_view name = "power-of-two";

    explicit PowerOfTwoPrefill(std::uint64_t seed = 1) noexcept : random_(seed) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto a = draw(instances), b = draw(instances);
        return serving::detail::at(a == no_instance || instances[a].requests <= instances[b].requests ? a : b, request);
    }

  private:
    [[nodiscard]] InstanceId draw(std::span<const PrefillInstance> instances) {
        if (instances.empty()) return no_instance;
        const auto first = random_() % instances.size();
        for (std::size_t n = 0; n < instances.size(); ++n) // whoever is up, from there on
            if (const auto i = (first + n) % instances.size(); instances[i].up) return static_cast<InstanceId>(i);
        return no_instance;
    }

    SplitMix64 random_;
};

static_assert(PrefillPolicy<RandomPrefill> && PrefillPolicy<RoundRobinPrefill>);
static_assert(PrefillPolicy<LeastLoadedPrefill> && PrefillPolicy<PowerOfTwoPrefill>);

} // namespace mooncake
