#pragma once

/// A client of a cluster: `ClusterStore` and what one awaits it with. A part of the umbrella.

#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>
#include <mooncake/store/cluster_store.hpp>
