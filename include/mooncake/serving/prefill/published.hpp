#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/prefill/concept.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

// The published rules of others, as peers. Sources: the project's reference, §1, and what each of them names.

namespace mooncake {

/// The instance that holds most of the prompt's head; the fewest requests among equals.
struct LongestPrefix {
    static constexpr std::string_view name = "longest-prefix";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        return serving::detail::at(serving::detail::least(instances,
                                                          [&](InstanceId i) {
                                                              return std::pair(
                                                                  -static_cast<std::int64_t>(request.held[i]),
                                                                  instances[i].requests);
                                                          }),
                                   request);
    }
};

/// The least `weight · (blocks − held) + active blocks`; among equals the first, or with a `temperature` a draw by softmax of
/// the scores, which are scaled to 0..1. Source: NVIDIA Dynamo, KV router.
class OverlapAndLoad {
  public:
    static constexpr std::string_view name = "overlap-load";

    explicit OverlapAndLoad(double weight = 1, double temperature = 0, std::uint64_t seed = 1) noexcept
        : weight_(weight), temperature_(temperature), random_(seed) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto score = [&](InstanceId i) {
            const auto blocks = static_cast<double>(request.blocks.size());
            return weight_ * std::max(0.0, blocks - request.held[i]) + static_cast<double>(instances[i].active_blocks);
        };
        const auto least = serving::detail::least(instances, score);
        if (least == no_instance || temperature_ <= 0) return serving::detail::at(least, request);
        auto lowest = score(least), highest = lowest, sum = 0.0;
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up) highest = std::max(highest, score(i));
        const auto weight = [&](InstanceId i) {
            return std::exp(-(score(i) - lowest) / (std::max(1e-9, highest - lowest) * temperature_));
        };
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up) sum += weight(i);
        auto left = random_.uniform() * sum;
        for (InstanceId i = 0; i < instances.size(); ++i)
            if (instances[i].up && (left -= weight(i)) <= 0) return serving::detail::at(i, request);
        return serving::detail::at(least, request);
    }

  private:
    double weight_, temperature_;
    SplitMix64 random_;
};

/// Balanced as long as nobody is far ahead, else the fewest requests: where the busiest has more than 64 requests more than
/// the idlest and more than 1.5 times as many, the least loaded; else the holder of more than 30 % of the prompt; else the
/// instance with the smallest record. Source: SGLang's router, `cache_aware`.
struct ThresholdSwitch {
    static constexpr std::string_view name = "threshold-switch";
    std::uint32_t difference = 64;
    double times = 1.5, share = .3;

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        namespace detail = serving::detail;
        const auto requests = [&](InstanceId i) { return instances[i].requests; };
        const auto idlest = detail::least(instances, requests);
        if (idlest == no_instance) return {};
        const auto busiest = detail::least(instances, [&](InstanceId i) { return -std::int64_t{requests(i)}; });
        const auto most = requests(busiest), fewest = requests(idlest);
        if (most - fewest > difference && most > times * fewest) return detail::at(idlest, request);
        const auto best = detail::longest(request, instances);
        if (best != no_instance && request.held[best] > share * static_cast<double>(request.blocks.size()))
            return detail::at(best, request);
        return detail::at(detail::least(instances, [&](InstanceId i) { return instances[i].cached_blocks; }), request);
    }
};

/// The greatest `3 · prefix match + 2 · (1 − queue) + 2 · (1 − use of the KV cache)`, each from 0 to 1. Source: llm-d, the
/// default profile of its scheduler.
struct FixedProfile {
    static constexpr std::string_view name = "fixed-profile";
    double prefix = 3, queue = 2, use = 2;

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        auto longest = 1.0, most = 1.0;
        for (InstanceId i = 0; i < instances.size(); ++i) {
            if (!instances[i].up) continue;
            longest = std::max(longest, static_cast<double>(request.held[i]));
            most = std::max(most, static_cast<double>(instances[i].requests));
        }
        const auto best = serving::detail::least(instances, [&](InstanceId i) {
            const auto& one = instances[i];
            const auto used =
                one.capacity_blocks == 0
                    ? 0.0
                    : std::min(1.0, static_cast<double>(one.active_blocks) / static_cast<double>(one.capacity_blocks));
            return -(prefix * request.held[i] / longest + queue * (1 - one.requests / most) + use * (1 - used));
        });
        return serving::detail::at(best, request);
    }
};

/// The least product of new prefill tokens and batch size, with the request in both: no knobs. Source: LMetric, OSDI'26.
struct TokensTimesBatch {
    static constexpr std::string_view name = "lmetric";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto best = serving::detail::least(instances, [&](InstanceId i) {
            const auto tokens = instances[i].new_tokens + request.new_tokens(request.held[i]);
            return static_cast<double>(tokens) * (instances[i].requests + 1);
        });
        return serving::detail::at(best, request);
    }
};

/// Two candidates by two hashes of the prompt's first blocks: the one that holds more, unless its predicted time to the first
/// token is over the SLO; then the less loaded. Here the key is of a fixed number of blocks, and requests that wait do not
/// move between their candidates. Source: DualMap, ICLR'26, arXiv 2602.06502.
class DualMap {
  public:
    static constexpr std::string_view name = "dual-map";

    /// `blocks`: how many of the prompt's first blocks make the key; shorter prompts use what they have.
    explicit DualMap(std::size_t blocks = 2, double slo_share = 1) noexcept : blocks_(blocks), slo_share_(slo_share) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto key =
            request.blocks.empty() ? BlockKey{0} : request.blocks[std::min(blocks_, request.blocks.size()) - 1];
        auto random = SplitMix64(key);
        const auto draw = [&](InstanceId but) {
            return serving::detail::least(
                instances, [&, salt = random()](InstanceId i) { // rendezvous: few move on changes
                    return i == but ? ~std::uint64_t{0} : SplitMix64(salt ^ (i * 0x9e3779b97f4a7c15ULL))() >> 1;
                });
        };
        const auto a = draw(no_instance), b = draw(a);
        if (a == no_instance) return {};
        const auto load = [&](InstanceId i) { return instances[i].free_at(request.now); };
        auto first =
            request.held[a] > request.held[b] || (request.held[a] == request.held[b] && load(a) <= load(b)) ? a : b;
        const auto ttft = load(first) + request.seconds(request.held[first]) - request.now;
        if (ttft > request.ttft_slo * slo_share_) first = load(a) <= load(b) ? a : b;
        return serving::detail::at(first, request);
    }

  private:
    std::size_t blocks_;
    double slo_share_;
};

/// Exploit where more of the prompt is cached than not, among the holders of most the least loaded; else explore: the least
/// sum of load, cost of eviction and cost of prefill, all in seconds. Source: Preble, ICLR'25, E2; without its replication.
struct ExploitOrExplore {
    static constexpr std::string_view name = "e2";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        namespace detail = serving::detail;
        const auto best = detail::longest(request, instances);
        if (best != no_instance && 2 * std::size_t{request.held[best]} > request.blocks.size()) {
            const auto most = request.held[best];
            return detail::at(detail::least(instances,
                                            [&](InstanceId i) {
                                                return std::pair(request.held[i] == most ? 0 : 1,
                                                                 instances[i].free_at(request.now));
                                            }),
                              request);
        }
        return detail::at(
            detail::least(instances,
                          [&](InstanceId i) {
                              const auto& one = instances[i];
                              const auto added = request.blocks.size() - request.held[i];
                              const auto over = one.capacity_blocks == 0
                                                    ? std::size_t{0}
                                                    : std::min<std::size_t>(
                                                          added, one.cached_blocks + added -
                                                                     std::min<std::size_t>(one.capacity_blocks,
                                                                                           one.cached_blocks + added));
                              // Half of what is evicted is taken to be asked for again.
                              const auto evicted = request.cost->prefill.linear * .5 *
                                                   static_cast<double>(over * request.cost->block_tokens) / 1024;
                              return one.free_at(request.now) + evicted + request.seconds(request.held[i]);
                          }),
            request);
    }
};

static_assert(PrefillPolicy<LongestPrefix> && PrefillPolicy<OverlapAndLoad> && PrefillPolicy<ThresholdSwitch>);
static_assert(PrefillPolicy<FixedProfile> && PrefillPolicy<TokensTimesBatch> && PrefillPolicy<DualMap>);
static_assert(PrefillPolicy<ExploitOrExplore>);

} // namespace mooncake
