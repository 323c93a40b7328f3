#pragma once

#include <mooncake/serving/prefill/concept.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace mooncake {

/// Choose this when: in doubt. Requests wait in an order of their own, short ones first, long ones sooner the longer they
/// have waited; a request goes where the sum of its own time to the first token and of the time by which it delays others
/// is least. Fetch or recompute is decided for each instance, with the sender's NIC as a queue and the transfer running
/// while the request waits.
///
/// The order: a request's key is when it came plus `patience` times its seconds of prefill, so that a long request is
/// overtaken by those only that come within that time; nobody starves.
class LeastDelay {
  public:
    static constexpr std::string_view name = "least-delay";

    /// `patience`: 0 is first come, first served. `eviction`: how much the cost of what has to go from a full cache counts;
    /// 0: not at all.
    explicit LeastDelay(double patience = 8, double eviction = 1) noexcept : patience_(patience), eviction_(eviction) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto best = serving::detail::longest(request, instances);
        const auto most = best == no_instance ? 0 : request.held[best];
        auto choice = PrefillChoice();
        auto least = std::numeric_limits<double>::infinity();
        const auto fetch_seconds = request.seconds(most);
        // A top request is as if it had come earlier by what it was promised.
        const auto came = request.now - (request.priority == ServeClass::top ? request.ttft_slo : 0);
        const auto soonest_key = came + patience_ * fetch_seconds;
        if (!request.blocks.empty())
            returns_ += .01 * (static_cast<double>(most) / static_cast<double>(request.blocks.size()) - returns_);
        for (InstanceId i = 0; i < instances.size(); ++i) {
            const auto& instance = instances[i];
            if (!instance.up) continue;
            const auto held = request.held[i];
            const auto evicted = eviction_seconds(request, instance, held);
            const auto consider = [&](InstanceId source, std::uint32_t reused, double seconds, double ready) {
                seconds *= instance.pace;
                const auto key = came + patience_ * seconds;
                const auto cost = delay(request, instance, ready, key, seconds) + evicted;
                if (!(cost < least)) return;
                least = cost;
                choice = {.instance = i, .source = source, .reused = reused, .key = key};
            };
            const auto passes = request.chunk_seconds > 0 && instance.running_key > soonest_key;
            const auto waits = passes ? 0.0 : std::max(0.0, instance.busy_until - request.now);
            if (waits + fetch_seconds + evicted >= least) continue; // without a look into its queue
            if (held < most) consider(best, most, fetch_seconds, request.arrival(instances[best], held, most));
            consider(no_instance, held, held == most ? fetch_seconds : request.seconds(held), request.now);
        }
        return choice;
    }

  private:
    /// Seconds until the first token, and those by which the ones behind it are later.
    static double delay(const PrefillRequest& request, const PrefillInstance& instance, double ready, double key,
                        double seconds) {
        const auto behind = static_cast<double>(std::count_if(instance.queue.begin(), instance.queue.end(),
                                                              [&](const auto& waits) { return waits.key > key; }));
        const auto passes =
            request.chunk_seconds > 0 && instance.busy_until > request.now && instance.running_key > key ? 1 : 0;
        return std::max(request.start(instance, key), ready) - request.now + (1 + behind + passes) * seconds;
    }

    /// What it will cost to compute again what has to go for the blocks that come in: as large a share of it will be asked for
    /// as was of late. It keeps prefixes from being copied everywhere until no cache holds anything for long.
    [[nodiscard]] double eviction_seconds(const PrefillRequest& request, const PrefillInstance& instance,
                                          std::uint32_t held) const noexcept {
        if (instance.capacity_blocks == 0) return 0;
        const auto wanted = instance.cached_blocks + request.blocks.size() - held;
        const auto out =
            std::min<std::uint64_t>(request.blocks.size() - held, wanted - std::min(wanted, instance.capacity_blocks));
        return eviction_ * returns_ * request.cost->prefill.linear *
               static_cast<double>(out * request.cost->block_tokens) / 1024;
    }

    double patience_, eviction_;
    double returns_ = 0; // share of blocks that were asked for and there
};

static_assert(PrefillPolicy<LeastDelay>);

} // namespace mooncake
