#pragma once

/// Everything but the opt-in leaves and `testing`. Needs Boost 1.81 headers and libxxhash.

#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/metadata/peer.hpp>
#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/trace.hpp>
#include <mooncake/serving/workload.hpp>
#include <mooncake/serving/workload_statistics.hpp>
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>
#include <mooncake/topology/discover.hpp>
#include <mooncake/topology/priority_matrix.hpp>
#include <mooncake/transport/faulty.hpp>
