#pragma once

#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/simulator/block_cache.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace mooncake::serving::detail {

/// A prefill instance: one prompt at a time, the least key first of those whose blocks have arrived.
template <BlockCache Cache>
struct PrefillNode {
    struct Waiting {
        double key = 0, ready = 0; ///< ready: when what it fetches is there
        std::uint64_t id = 0;
        double left = -1;                ///< seconds of prefill of one that was paused; below 0: it has not begun
        InstanceId source = no_instance; ///< that sends it blocks
    };

    explicit PrefillNode(std::size_t blocks) : cache(blocks) {}

    void add(const Waiting& one) {
        const auto at = std::upper_bound(waiting.begin(), waiting.end(), one,
                                         [](const Waiting& a, const Waiting& b) { return a.key < b.key; });
        waiting.insert(at, one);
    }

    /// Whether one could start; it is taken out.
    [[nodiscard]] bool take(double now, Waiting& next) {
        const auto found =
            std::find_if(waiting.begin(), waiting.end(), [&](const Waiting& one) { return one.ready <= now; });
        if (found == waiting.end()) return false;
        next = *found;
        waiting.erase(found);
        return true;
    }
    /// When what runs could make way for the first that waits; infinite where it is not to.
    [[nodiscard]] double makes_way(double now) const noexcept {
        constexpr auto never = std::numeric_limits<double>::infinity();
        if (!busy || chunk <= 0 || waiting.empty() || waiting.front().key >= running.key) return never;
        const auto at = std::max(now, waiting.front().ready);
        const auto boundary = began + std::ceil((at - began) / chunk - 1e-9) * chunk;
        return boundary < ends - 1e-9 ? std::max(at, boundary) : never; // never before it is ready
    }
    /// An instance is gone that may be sending: whoever still waits for blocks of it computes them. Calls `without(id)` for
    /// each. Whether there were any.
    template <class Without>
    bool source_gone(InstanceId source, double now, Without&& without) {
        auto any = false;
        for (auto& one : waiting) {
            if (one.source != source || one.ready <= now) continue;
            one.ready = now, any = true;
            without(one.id);
        }
        return any;
    }
    [[nodiscard]] double soonest_ready() const noexcept {
        auto soonest = std::numeric_limits<double>::infinity();
        for (const auto& one : waiting) soonest = std::min(soonest, one.ready);
        return soonest;
    }

    Cache cache;
    SendQueue nic{};
    std::vector<Waiting> waiting{}; // by key
    bool busy = false;
    Waiting running{};                     // where busy
    double began = 0, ends = 0, chunk = 0; // of what runs; chunk: seconds
    std::uint64_t version = 0;             // of what runs: events of those before it are passed over
};

} // namespace mooncake::serving::detail
