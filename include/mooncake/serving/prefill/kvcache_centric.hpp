#pragma once

#include <mooncake/serving/prefill/concept.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// The soonest first token with what an instance holds itself. Choose this when: instances cannot fetch from each other.
/// Source: FAST'25 §4, "local cache-aware".
struct LocalCacheAware {
    static constexpr std::string_view name = "local";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto soonest = serving::detail::least(instances, [&](InstanceId i) {
            return instances[i].free_at(request.now) + request.seconds(request.held[i]);
        });
        return serving::detail::at(soonest, request);
    }
};

/// The published rule: where the best holder has more than θ times as much of the prefix, the rest is fetched from it;
/// elsewhere it is computed again; the soonest first token wins. Choose this when: the paper is to be compared with.
/// Source: FAST'25 §4, algorithm 1; θ is not published.
class KvCacheCentric {
  public:
    static constexpr std::string_view name = "kvcache-centric";

    /// `theta`: at least 1.
    explicit KvCacheCentric(double theta = 1.5) noexcept : theta_(theta) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto best = serving::detail::longest(request, instances);
        const auto most = best == no_instance ? 0 : request.held[best];
        const auto fetches = [&](InstanceId i) { // no division: an instance that holds nothing fetches
            return static_cast<double>(most) > theta_ * static_cast<double>(request.held[i]);
        };
        const auto soonest = serving::detail::least(instances, [&](InstanceId i) {
            const auto held = request.held[i];
            if (!fetches(i)) return instances[i].free_at(request.now) + request.seconds(held);
            const auto transfer = request.arrival(instances[best], held, most) - request.now;
            return instances[i].free_at(request.now) + transfer + request.seconds(most);
        });
        auto choice = serving::detail::at(soonest, request);
        if (soonest == no_instance || !fetches(soonest)) return choice;
        choice.source = best;
        choice.reused = most;
        return choice;
    }

  private:
    double theta_;
};

/// As above without θ: each instance fetches where that is sooner than computing, and the transfer runs while the request
/// waits. Choose this when: instances fetch from each other and the queue is first come, first served.
struct FetchOrRecompute {
    static constexpr std::string_view name = "fetch-or-recompute";

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto best = serving::detail::longest(request, instances);
        const auto most = best == no_instance ? 0 : request.held[best];
        const auto fetched = [&](InstanceId i) {
            const auto arrival = request.arrival(instances[best], request.held[i], most);
            return std::max(instances[i].free_at(request.now), arrival) + request.seconds(most);
        };
        const auto recomputed = [&](InstanceId i) {
            return instances[i].free_at(request.now) + request.seconds(request.held[i]);
        };
        const auto soonest = serving::detail::least(instances, [&](InstanceId i) {
            return request.held[i] == most ? recomputed(i) : std::min(fetched(i), recomputed(i));
        });
        auto choice = serving::detail::at(soonest, request);
        if (soonest == no_instance || request.held[soonest] == most || recomputed(soonest) <= fetched(soonest))
            return choice;
        choice.source = best;
        choice.reused = most;
        return choice;
    }
};

static_assert(PrefillPolicy<LocalCacheAware> && PrefillPolicy<KvCacheCentric> && PrefillPolicy<FetchOrRecompute>);

} // namespace mooncake
