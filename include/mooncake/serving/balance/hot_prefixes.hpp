#pragma once

#include <mooncake/serving/balance/concept.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

struct HotPrefixesConfig {
    double memory = 30;          ///< seconds after which a request counts a third; above 0
    double hot = 3;              ///< requests remembered that make a block hot
    double busy = .5;            ///< seconds of wait at the only holder from which on its hot blocks are copied
    std::uint32_t copies = 4;    ///< instances that hold a block; no more are made
    std::uint32_t least = 4;     ///< leading blocks that are worth a copy
    std::size_t counted = 8'192; ///< blocks whose requests are counted; where two meet, the rarer is forgotten
};

/// The part of a prompt that many ask for is copied to the instance that has least to do, when those that hold it begin to
/// have a backlog. A copy takes free places alone and is the first to go, so nothing is kept for a shorter time than without
/// it; where all caches are full nothing is copied. Choose this when: prefill goes by a rule that fetches nothing (longest
/// match, overlap and load), and prompts share long heads.
class HotPrefixes {
  public:
    static constexpr std::string_view name = "hot-prefixes";

    explicit HotPrefixes(const HotPrefixesConfig& config = {})
        : config_(config), counts_(std::bit_ceil(std::max<std::size_t>(64, config.counted))) {}

    [[nodiscard]] BlockCopy routed(const RoutedRequest& request, std::span<const PrefillInstance> instances) {
        const auto hot = count(request);
        if (hot < config_.least) return {};
        auto copy = BlockCopy{.blocks = hot};
        auto holders = std::uint32_t{0};
        auto soonest = 0.0, most_idle = 0.0;
        for (InstanceId i = 0; i < instances.size(); ++i) {
            const auto& one = instances[i];
            if (!one.up) continue;
            const auto wait = one.free_at(request.now) - request.now;
            if (request.held[i] >= hot) {
                if (holders++ == 0 || wait < soonest) soonest = wait, copy.source = i;
            } else if (one.capacity_blocks >= one.cached_blocks + hot - request.held[i] &&
                       (copy.target == no_instance || wait < most_idle)) {
                most_idle = wait, copy.target = i;
            }
        }
        // Whoever holds it has to be the slower way, or the copy is for nothing.
        if (holders == 0 || holders >= config_.copies || copy.target == no_instance || soonest < config_.busy ||
            most_idle > soonest / 2)
            return {};
        const auto& source = instances[copy.source];
        if (source.nic.free_at() > request.now) return {}; // those who wait for blocks go first, and one copy at a time
        return copy;
    }

  private:
    struct Count {
        BlockKey key = 0;
        double requests = 0, at = 0;
        [[nodiscard]] double now(double time, double memory) const noexcept {
            return requests * std::exp(std::min(0.0, at - time) / memory);
        }
    };

    /// Counts the request for the blocks of it that somebody holds. How many leading ones are hot.
    std::uint32_t count(const RoutedRequest& request) {
        auto known = std::uint32_t{0};
        for (const auto held : request.held) known = std::max(known, held);
        auto hot = std::uint32_t{0};
        for (std::uint32_t i = 0; i < known; ++i) {
            const auto key = request.blocks[i];
            auto& place =
                counts_[((key ^ (key >> 32)) * 0x9e3779b97f4a7c15ULL) >> (64 - std::countr_zero(counts_.size()))];
            const auto before = place.now(request.now, config_.memory);
            if (place.key == key) place = {.key = key, .requests = before + 1, .at = request.now};
            else if (before < 1) place = {.key = key, .requests = 1, .at = request.now};
            if (place.key == key && place.requests >= config_.hot && hot == i) hot = i + 1;
        }
        return hot;
    }

    HotPrefixesConfig config_;
    std::vector<Count> counts_;
};

static_assert(BalancePolicy<HotPrefixes>);

} // namespace mooncake
