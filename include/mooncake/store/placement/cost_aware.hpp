#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: paths and segments differ in speed, and near ones must not be drowned. The least expected time is taken:
/// (what was placed there of late, in proportion to its capacity, and the bytes to place) × (1 + `path_cost`). So a segment whose path
/// costs twice as much gets half as much, and a large object stays near sooner than a small one. The writer's host is not
/// held to a share beyond that.
/// Source: shortest expected delay, as Linux's `ip_vs_sed`; Banawan and Zahorjan, "Load Sharing in Heterogeneous Queueing
/// Systems", INFOCOM 1989.
class CostAware {
  public:
    static constexpr std::string_view name = "cost";

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        const auto bytes = static_cast<double>(request.bytes);
        const auto pick = [&](PlacementChooser::Equals equals) {
            auto capacity = 0.0;
            for (const auto index : equals) capacity += static_cast<double>(candidates[index].capacity);
            const auto usual = capacity / static_cast<double>(equals.size());
            auto best = std::size_t{0}, hint = std::size_t{0};
            auto least = 0.0;
            for (std::size_t i = 0; i < equals.size(); ++i) {
                const auto& one = candidates[equals[i]];
                const auto recent = chooser_.shares.recent_bytes(one.id, hint);
                const auto waiting = recent == 0 ? 0 : recent * usual / static_cast<double>(one.capacity);
                const auto time = (waiting + bytes) * (1.0 + path_cost(one, request));
                if (i != 0 && (time > least || (time == least && emptier(candidates[equals[best]], one)))) continue;
                best = i;
                least = time;
            }
            return best;
        };
        const auto local = [&](const SegmentCandidate& one) { return share_host(one.at, request.near); };
        chooser_.choose(candidates, request, chosen, pick, local);
    }

  private:
    PlacementChooser chooser_{0};
};

static_assert(PlacementPolicy<CostAware>);

} // namespace mooncake
