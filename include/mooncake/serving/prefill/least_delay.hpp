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

    /// `patience`: 0 is first come, first served.
    explicit LeastDelay(double patience = 4) noexcept : patience_(patience) {}

    [[nodiscard]] PrefillChoice choose(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
        const auto best = serving::detail::longest(request, instances);
        const auto most = best == no_instance ? 0 : request.held[best];
        auto choice = PrefillChoice();
        auto least = std::numeric_limits<double>::infinity();
        const auto fetch_seconds = request.seconds(most);
        for (InstanceId i = 0; i < instances.size(); ++i) {
            const auto& instance = instances[i];
            if (!instance.up) continue;
            const auto held = request.held[i];
            const auto consider = [&](InstanceId source, std::uint32_t reused, double seconds, double ready) {
                const auto key = request.now + patience_ * seconds;
                const auto cost = delay(instance, request.now, ready, key, seconds);
                if (!(cost < least)) return;
                least = cost;
                choice = {.instance = i, .source = source, .reused = reused, .key = key};
            };
            if (held < most) {
                // A bound that needs no look into the queue: most instances of many are out at once.
                const auto at_least = std::max(0.0, instance.busy_until - request.now) + fetch_seconds;
                if (at_least >= least) continue;
                consider(best, most, fetch_seconds, request.arrival(instances[best], held, most));
            }
            if (std::max(0.0, instance.busy_until - request.now) < least)
                consider(no_instance, held, held == most ? fetch_seconds : request.seconds(held), request.now);
        }
        return choice;
    }

  private:
    /// Seconds until the first token, and those by which the ones behind it are later.
    static double delay(const PrefillInstance& instance, double now, double ready, double key, double seconds) {
        auto start = std::max(now, instance.busy_until);
        auto behind = std::size_t{0};
        for (const auto& waits : instance.queue)
            if (waits.key <= key) start += waits.seconds;
            else ++behind;
        return std::max(start, ready) + seconds - now + static_cast<double>(behind) * seconds;
    }

    double patience_;
};

static_assert(PrefillPolicy<LeastDelay>);

} // namespace mooncake
