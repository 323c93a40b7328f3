#pragma once

#include <mooncake/store/placement/any.hpp>
#include <mooncake/store/placement/cost_aware.hpp>
#include <mooncake/store/placement/local_first.hpp>
#include <mooncake/store/placement/power_of_two.hpp>
#include <mooncake/store/placement/random.hpp>
#include <mooncake/store/placement/topology_aware.hpp>

namespace mooncake {

/// All that come with the library: what `--placement` takes. A new policy has its header, and its line here.
using PlacementPolicies = PlacementChoice< //
    RandomPlacement,                       //
    PowerOfTwoChoices,                     //
    LocalFirst,                            //
    TopologyAware,                         //
    CostAware>;

} // namespace mooncake
