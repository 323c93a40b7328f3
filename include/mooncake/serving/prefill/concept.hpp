#pragma once

#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/index/prefix_index.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// /// How much a request matters. What is rejected first is the lowest.
enum class ServeClass : std::uint8_t { top, normal, low };
inline constexpr std::size_t serve_classes = 3;

/// A prefill that waits.
struct QueuedPrefill {
    double key = 0;     ///< whoever has the least is next
    double seconds = 0; ///< that it will take, by prediction
    std::uint64_t id = 0;
};

/// A prefill instance, as far as a policy may know it. Times are in seconds on the conductor's clock.
struct PrefillInstance {
    bool up = true;
    double busy_until = 0;              ///< when what runs will be done, by prediction
    double running_key = 0;             ///< of what runs, where it is busy
    double queued_seconds = 0;          ///< of prefill that waits
    std::vector<QueuedPrefill> queue{}; ///< what waits, by key
    SendQueue nic{};                    ///< what it was asked to send
    std::uint32_t requests = 0;         ///< that wait or run; where decode runs beside, those as well
    std::uint64_t new_tokens = 0;       ///< to be computed for those that wait or run
    std::uint64_t active_blocks = 0;    ///< of those that wait or run
    std::uint64_t cached_blocks = 0;    ///< that the index knows of
    std::uint64_t capacity_blocks = 0;  ///< of its cache; 0: not known
    double pace = 1; ///< prefill takes so many times as long here as the cost model says, by what was learnt

    /// When all that it was given will be done.
    [[nodiscard]] double free_at(double now) const noexcept { return std::max(now, busy_until) + queued_seconds; }
};

/// A request that wants an instance.
struct PrefillRequest {
    double now = 0;
    std::uint64_t tokens = 0;
    std::span<const BlockKey> blocks{};    ///< of the prompt
    std::span<const std::uint32_t> held{}; ///< how many leading blocks each instance holds
    double ttft_slo = 30;                  ///< seconds
    ServeClass priority = ServeClass::normal;
    const CostModel* cost = nullptr;
    double chunk_seconds = 0; ///< who has a lesser key takes over from what runs within that time; 0: never

    /// Seconds of prefill with so many leading blocks there.
    [[nodiscard]] double seconds(std::uint32_t blocks_there) const noexcept {
        return cost->prefill_seconds(tokens, blocks_there);
    }
    /// When a prefill with that key would begin at `instance`.
    [[nodiscard]] double start(const PrefillInstance& instance, double key) const noexcept {
        const auto passes = chunk_seconds > 0 && instance.running_key > key;
        auto begins =
            std::max(now, passes ? std::min(instance.busy_until, now + chunk_seconds / 2) : instance.busy_until);
        for (const auto& waits : instance.queue) {
            if (waits.key > key) break;
            begins += waits.seconds;
        }
        return begins;
    }
    /// How many tokens are left to compute.
    [[nodiscard]] std::uint64_t new_tokens(std::uint32_t blocks_there) const noexcept {
        return tokens - std::min(tokens - (tokens != 0), blocks_there * cost->block_tokens);
    }
    /// When `source` would have sent its blocks from `from` to `to`.
    [[nodiscard]] double arrival(const PrefillInstance& source, std::uint32_t from, std::uint32_t to) const noexcept {
        return source.nic.estimate(now, (to - from) * cost->block_tokens, cost->transfer);
    }
};

/// Where a request is prefilled, and from where what part of its prefix comes.
struct PrefillChoice {
    InstanceId instance = no_instance; ///< none: no instance is up
    InstanceId source = no_instance;   ///< that sends blocks; none: nothing is fetched
    std::uint32_t reused = 0;          ///< leading blocks that will be there, of its own or fetched
    double key = 0;                    ///< its place in the queue: whoever has the least is next
};

/// Which instance prefills a request.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.choose(request, instances)` | an instance that is up, or none where none is; `reused` is `held` of that instance or, with a `source` that is up and is another, at most what the source holds; `request.held` has an element for each instance; `key` is finite | none | one at a time | O(instances + what waits in them) |
/// | `P::name` | what it is called in tables and options | | | |
template <class P>
concept PrefillPolicy = std::default_initializable<P> && std::movable<P> &&
                        requires(P& policy, const PrefillRequest& request, std::span<const PrefillInstance> instances) {
                            { policy.choose(request, instances) } -> std::same_as<PrefillChoice>;
                            { P::name } -> std::convertible_to<std::string_view>;
                        };

namespace serving::detail {

/// The instance that is up with the least `score(i)`; the first of equals. None where none is up.
template <class Score>
[[nodiscard]] InstanceId least(std::span<const PrefillInstance> instances, Score&& score) {
    auto best = no_instance;
    auto best_score = decltype(score(InstanceId{0})){};
    for (InstanceId i = 0; i < instances.size(); ++i) {
        if (!instances[i].up) continue;
        const auto mine = score(i);
        if (best != no_instance && !(mine < best_score)) continue;
        best = i, best_score = mine;
    }
    return best;
}

/// The choice of an instance that takes what it holds itself, first come, first served.
[[nodiscard]] inline PrefillChoice at(InstanceId instance, const PrefillRequest& request) noexcept {
    if (instance == no_instance) return {};
    return {.instance = instance, .reused = request.held[instance], .key = request.now};
}

/// The instance that is up and holds most of the prompt's head; none where nobody holds any.
[[nodiscard]] inline InstanceId longest(const PrefillRequest& request, std::span<const PrefillInstance> instances) {
    const auto best = least(instances, [&](InstanceId i) { return -static_cast<std::int64_t>(request.held[i]); });
    return best != no_instance && request.held[best] != 0 ? best : no_instance;
}

} // namespace serving::detail
} // namespace mooncake
