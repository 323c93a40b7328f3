#pragma once

#include <mooncake/store/placement/eligible.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mooncake {

/// Choose this when: whoever writes an object mostly reads it, too. The emptiest of the writer's host is taken if one there has
/// room, and is not held to a share of the writes; else, and for further replicas, it is the power of two choices.
/// Source: HDFS's default block placement ("the first replica on the local machine"), Shvachko et al., "The Hadoop Distributed
/// File System", §III.
class LocalFirst {
  public:
    static constexpr std::string_view name = "local-first";

    explicit LocalFirst(std::uint64_t seed = 0x6d6f6f6e63616b65) noexcept : chooser_(seed) {}

    void choose(std::span<const SegmentCandidate> candidates, const PlacementRequest& request,
                std::vector<std::uint32_t>& chosen) {
        if (request.near.host == 0) return chooser_.choose_drawn(candidates, request, chosen, 2, emptier);
        const auto local = [&](const SegmentCandidate& one) { return share_host(one.at, request.near); };
        const auto pick = [&](PlacementChooser::Equals equals) {
            auto best = equals.size();
            for (std::size_t i = 0; i < equals.size(); ++i)
                if (local(candidates[equals[i]]) &&
                    (best == equals.size() || !emptier(candidates[equals[best]], candidates[equals[i]])))
                    best = i;
            return best != equals.size() ? best : chooser_.draw(candidates, equals, 2, emptier);
        };
        const auto shortcut = [&] {
            if (!request.preferred.empty() || !request.avoid.empty()) return PlacementChooser::none;
            auto best = PlacementChooser::none; // a second one there would share the host, and is none of the equals
            for (std::uint32_t i = 0; i < candidates.size() && chosen.empty(); ++i)
                if (local(candidates[i]) && placement_rank(candidates[i], request) == 0 &&
                    (best == PlacementChooser::none || !emptier(candidates[best], candidates[i])))
                    best = i;
            if (best != PlacementChooser::none) return best;
            return chooser_.draw_unranked(candidates, request, chosen, 2, emptier);
        };
        chooser_.choose(candidates, request, chosen, pick, local, shortcut);
    }

  private:
    PlacementChooser chooser_;
};

static_assert(PlacementPolicy<LocalFirst>);

} // namespace mooncake
