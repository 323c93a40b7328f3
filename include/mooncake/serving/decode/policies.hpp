#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/decode/concept.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// The least predicted time between tokens. Choose this when: in doubt. Source: FAST'25 §4.
struct LeastTbt {
    static constexpr std::string_view name = "least-tbt";

    [[nodiscard]] InstanceId choose(const DecodeRequest& request, std::span<const DecodeInstance> instances) {
        auto best = no_instance;
        auto least = 0.0;
        for (InstanceId i = 0; i < instances.size(); ++i) {
            if (!instances[i].up) continue;
            const auto tbt = request.tbt(instances[i]);
            if (best == no_instance || tbt < least) best = i, least = tbt;
        }
        return best;
    }
};

/// The better of two random instances by predicted time between tokens. Choose this when: several conductors route to the
/// same instances without knowing of each other: no herd runs to whoever is emptiest.
class PowerOfTwoDecode {
  public:
    static constexpr std::string_view name = "power-of-two";

    explicit PowerOfTwoDecode(std::uint64_t seed = 1) noexcept : random_(seed) {}

    [[nodiscard]] InstanceId choose(const DecodeRequest& request, std::span<const DecodeInstance> instances) {
        const auto a = draw(instances), b = draw(instances);
        return a == no_instance || request.tbt(instances[a]) <= request.tbt(instances[b]) ? a : b;
    }

  private:
    [[nodiscard]] InstanceId draw(std::span<const DecodeInstance> instances) {
        if (instances.empty()) return no_instance;
        const auto first = random_() % instances.size();
        for (std::size_t n = 0; n < instances.size(); ++n)
            if (const auto i = (first + n) % instances.size(); instances[i].up) return static_cast<InstanceId>(i);
        return no_instance;
    }

    SplitMix64 random_;
};

/// The least predicted time between tokens among those whose memory has room for what was promised and for the prompt; where
/// nobody has, the one that misses least. Choose this when: memory, not time, is what decode runs out of.
struct MemoryAware {
    static constexpr std::string_view name = "memory-aware";

    [[nodiscard]] InstanceId choose(const DecodeRequest& request, std::span<const DecodeInstance> instances) {
        auto best = no_instance;
        auto least = Score{};
        for (InstanceId i = 0; i < instances.size(); ++i) {
            const auto& one = instances[i];
            if (!one.up) continue;
            const auto wanted = one.tokens + one.coming_tokens + request.tokens;
            const auto missing = wanted > one.capacity_tokens ? wanted - one.capacity_tokens : 0;
            const auto score = Score{.missing = missing, .tbt = request.tbt(one)};
            if (best == no_instance || score < least) best = i, least = score;
        }
        return best;
    }

  private:
    struct Score {
        std::uint64_t missing = 0; // tokens beyond the capacity
        double tbt = 0;
        auto operator<=>(const Score&) const = default;
    };
};

static_assert(DecodePolicy<LeastTbt> && DecodePolicy<PowerOfTwoDecode> && DecodePolicy<MemoryAware>);

} // namespace mooncake
