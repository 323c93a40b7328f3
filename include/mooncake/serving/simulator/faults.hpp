#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/index/instance_sets.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mooncake {

enum class InstancePool : std::uint8_t { prefill, decode }; ///< where coupled: `prefill` is all there is

/// A time in which a simulated instance is down or slow. The conductor hears at once that it is down, and nobody tells it
/// that it is slow.
struct InstanceFault {
    InstancePool pool = InstancePool::prefill;
    InstanceId instance = 0;
    double from = 0; ///< seconds of the simulation, as `until`
    double until = std::numeric_limits<double>::infinity();
    double slower =
        0; ///< all takes so many times as long, at least 1; 0: it is down, and its cache and requests are lost
};

/// How often instances fail. Times are means of exponential distributions, in seconds.
struct FaultRates {
    double up = 0;     ///< until an instance goes down; 0: none does
    double down = 60;  ///< until it comes back; above 0
    double steady = 0; ///< until an instance becomes slow; 0: none does
    double slow = 120; ///< until it is as fast again; above 0
    double slower = 4; ///< by this much; at least 1
    std::uint64_t seed = 1;
};

/// Faults of `prefill` and `decode` instances, each on its own, until `seconds` have passed. The same rates, the same faults.
[[nodiscard]] inline std::vector<InstanceFault> random_faults(const FaultRates& rates, std::size_t prefill,
                                                              std::size_t decode, double seconds) {
    auto faults = std::vector<InstanceFault>();
    const auto draw = [](SplitMix64& random, double mean) { return -mean * std::log(1 - random.uniform()); };
    const auto add = [&](InstancePool pool, InstanceId instance, double between, double lasts, double slower) {
        if (!(between > 0 && lasts > 0)) return;
        auto random = SplitMix64(rates.seed ^ (instance * 4 + static_cast<std::uint64_t>(pool) * 2 + (slower > 0)) *
                                                  0x9e3779b97f4a7c15ULL);
        for (auto from = draw(random, between); from < seconds;) {
            const auto until = from + draw(random, lasts);
            faults.push_back({.pool = pool, .instance = instance, .from = from, .until = until, .slower = slower});
            from = until + draw(random, between);
        }
    };
    for (const auto pool : {InstancePool::prefill, InstancePool::decode})
        for (InstanceId i = 0; i < (pool == InstancePool::prefill ? prefill : decode); ++i) {
            add(pool, i, rates.up, rates.down, 0);
            add(pool, i, rates.steady, rates.slow, std::max(1.0, rates.slower));
        }
    return faults;
}

namespace serving::detail {

/// Which instances are down or slow now.
class FaultBook {
  public:
    struct State {
        bool down = false;
        double slower = 1;
    };

    /// `faults` outlive this; those of instances that do not exist are passed over.
    FaultBook(std::span<const InstanceFault> faults, std::size_t prefill, std::size_t decode) : faults_(faults) {
        pools_[0].resize(prefill), pools_[1].resize(decode);
        for (std::size_t i = 0; i < faults.size(); ++i)
            if (exists(i)) at(faults[i]).faults.push_back(i);
    }
    [[nodiscard]] bool exists(std::size_t fault) const noexcept {
        const auto& one = faults_[fault];
        return one.instance < pools_[static_cast<std::size_t>(one.pool)].size() && one.from < one.until;
    }
    [[nodiscard]] const InstanceFault& operator[](std::size_t fault) const noexcept { return faults_[fault]; }

    [[nodiscard]] State state(InstancePool pool, InstanceId instance) const noexcept {
        const auto& known = pools_[static_cast<std::size_t>(pool)];
        return instance < known.size() ? known[instance].now : State{};
    }
    /// It is `now`, when a fault begins or ends: what is with its instance from now on. The state before.
    State change(std::size_t fault, double now) noexcept {
        auto& one = at(faults_[fault]);
        const auto before = one.now;
        one.now = {};
        for (const auto i : one.faults) {
            if (!(faults_[i].from <= now && now < faults_[i].until)) continue;
            if (faults_[i].slower > 0) one.now.slower = std::max(one.now.slower, faults_[i].slower);
            else one.now.down = true;
        }
        return before;
    }

  private:
    struct Known {
        std::vector<std::size_t> faults{};
        State now{};
    };
    [[nodiscard]] Known& at(const InstanceFault& fault) noexcept {
        return pools_[static_cast<std::size_t>(fault.pool)][fault.instance];
    }

    std::span<const InstanceFault> faults_;
    std::vector<Known> pools_[2];
};

} // namespace serving::detail
} // namespace mooncake
