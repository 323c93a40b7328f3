#pragma once

#include "support/serve.hpp"

#include <cstdint>
#include <string>

namespace bench {

/// A master and a node that lends `bytes`, each a process of its own (roles of this program), reached over `way`:
/// `shm`, or `tcp` alone.
struct Cluster {
    Cluster(std::uint64_t bytes, const std::string& way)
        : master("master", {}), node("node", {master.address(), std::to_string(bytes), way}) {}

    Child master, node;
};

} // namespace bench
