#pragma once

#include <mooncake/serving/forecast/holt_winters.hpp>
#include <mooncake/serving/role/concept.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace mooncake {

struct EvenLoadConfig {
    double gain = .1;  ///< a change has to lower the higher load of both pools by that share; 0 to below 1
    double calm = .7;  ///< load of both pools up to which nobody changes
    double rest = 3;   ///< seconds between two changes, at least
    double doubt = .3; ///< of the forecast's mean error, by which it may be wrong and the change still right; 0 or more
    double catch_up = .5;   ///< what waits counts as so much of what comes, at most; 0 or more
    double repaid = 60;     ///< seconds in which a cache that is lost has to have paid; above 0
    double backlog = 10;    ///< seconds in which what waits for prefill is to be done; above 0
    double headroom = .85;  ///< of the TBT promised, and of memory, that counts as full; above 0, at most 1
    std::size_t ahead = 10; ///< seconds that are forecast: about what a change takes
};

/// Keeps the loads of both pools even: a machine changes when the higher load falls by that for good. Load is machines wanted
/// by machines there. Of prefill: the seconds that come in a second, by forecast, and what waits; of decode: what iterations
/// need beyond an empty one, by what the promise leaves for it, or the memory. Choose this when: what comes shifts between long
/// prompts and long answers, and prompts have little in common: with each prefill machine that changes a cache is lost. That counts
/// as prefill to be done within `repaid`. Hysteresis: `gain`, `calm`, `rest`, and the forecast's own error (`doubt`). Who changes is
/// the one that has least to finish and to lose.
template <LoadPredictor P = HoltWinters>
class EvenLoad {
  public:
    static constexpr std::string_view name = "even-load";

    explicit EvenLoad(const EvenLoadConfig& config = {}, P prefill = slow(), P decode = slow())
        : config_(config), coming_(std::move(prefill)), decoding_(std::move(decode)) {}

    void routed(double now, double seconds, double whole) {
        observe_until(now);
        if (whole > 0) saved_ += .01 * (1 - std::min(1.0, seconds / whole) - saved_);
        second_ += seconds;
    }

    [[nodiscard]] InstanceId change(const RoleView& view) {
        observe_until(view.now);
        auto prefill = std::size_t{0}, decode = std::size_t{0}; // machines, those that are on their way among them
        auto waits = 0.0, decodes = 0.0;
        for (std::size_t i = 0; i < view.roles.size(); ++i) {
            const auto role = view.roles[i];
            (role == ServingRole::prefill || role == ServingRole::to_prefill ? prefill : decode) += 1;
            if (i < view.cluster.prefill.size()) waits += view.cluster.prefill[i].free_at(view.now) - view.now;
            if (i < view.cluster.decode.size()) decodes += wanted_by(view.cluster.decode[i], view);
        }
        decoding_.observe(decodes);
        if (view.now < changed_ + config_.rest) return no_instance;
        const auto comes = coming_.forecast(config_.ahead);
        const auto p = comes + std::min(waits / config_.backlog, config_.catch_up * comes);
        const auto d = std::max(decodes, decoding_.forecast(config_.ahead));
        const auto load = [&](double seconds, std::size_t with_prefill, std::size_t with_decode) {
            if (with_prefill == 0 || with_decode == 0) return std::numeric_limits<double>::infinity();
            return std::max(seconds / static_cast<double>(with_prefill), d / static_cast<double>(with_decode));
        };
        const auto unsure = config_.doubt * coming_.error().mean(), low = std::max(0.0, p - unsure), high = p + unsure;
        if (!(load(p, prefill, decode) > config_.calm)) return no_instance;
        const auto better = [&](double after, double before) { return after < before * (1 - config_.gain); };
        const auto lost = least_to_finish(view, ServingRole::prefill);
        const auto again = lost == no_instance ? 0.0 : cache_seconds(view, lost) / config_.repaid;
        auto leaves = ServingRole();
        if (lost != no_instance && better(load(high + again, prefill - 1, decode + 1), load(high, prefill, decode)))
            leaves = ServingRole::prefill;
        else if (better(load(low, prefill + 1, decode - 1), load(low, prefill, decode))) leaves = ServingRole::decode;
        else return no_instance;
        changed_ = view.now;
        return least_to_finish(view, leaves);
    }

  private:
    /// Load of a second is noise: the level over half a minute counts.
    [[nodiscard]] static P slow() {
        if constexpr (std::same_as<P, HoltWinters>) return HoltWinters({.longest = 0});
        else return P();
    }

    void observe_until(double now) {
        if (!(now >= 0) || now > 1e15) return;
        if (began_ < 0) began_ = std::floor(now);
        for (int steps = 0; began_ + 1 <= now; ++steps) { // after a long silence not each second of it
            coming_.observe(std::exchange(second_, 0));
            began_ = steps < 600 ? began_ + 1 : std::floor(now);
        }
    }

    /// Machines that what decodes there, or will, would fill.
    [[nodiscard]] double wanted_by(const DecodeInstance& one, const RoleView& view) const noexcept {
        const auto& cost = view.cluster.cost->decode;
        const auto sequences = one.sequences + one.coming, tokens = one.tokens + one.coming_tokens;
        const auto room = config_.headroom * view.tbt_slo - cost.constant;
        const auto by_time = room > 0 ? (cost.step(sequences, tokens) - cost.constant) / room : 1.0;
        const auto by_memory = static_cast<double>(tokens) / config_.headroom /
                               static_cast<double>(std::max<std::uint64_t>(1, one.capacity_tokens));
        return std::max(by_time, by_memory);
    }

    /// Seconds of prefill to compute again what is in its cache, as far as it is asked for.
    [[nodiscard]] double cache_seconds(const RoleView& view, InstanceId machine) const noexcept {
        const auto& cost = *view.cluster.cost;
        return saved_ * cost.prefill.linear *
               static_cast<double>(view.cluster.prefill[machine].cached_blocks * cost.block_tokens) / 1024;
    }

    [[nodiscard]] InstanceId least_to_finish(const RoleView& view, ServingRole role) const noexcept {
        auto best = no_instance;
        auto least = 0.0;
        for (InstanceId i = 0; i < view.roles.size(); ++i) {
            if (view.roles[i] != role) continue;
            const auto& prefill = view.cluster.prefill[i];
            const auto& decode = view.cluster.decode[i];
            const auto work = role == ServingRole::prefill
                                  ? prefill.free_at(view.now) - view.now + cache_seconds(view, i)
                                  : static_cast<double>(decode.tokens + decode.coming_tokens);
            if (best == no_instance || work < least) best = i, least = work;
        }
        return best;
    }

    EvenLoadConfig config_;
    P coming_, decoding_;            // seconds of prefill that come in a second; decode machines that are wanted
    double began_ = -1, second_ = 0; // of the second that runs
    double saved_ = 0;               // share of prefill that caches save, of late
    double changed_ = -1e18;
};

static_assert(RolePolicy<EvenLoad<>>);

} // namespace mooncake
