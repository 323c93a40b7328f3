#pragma once

#include <cstdint>
#include <string>

namespace mooncake {

/// What a store keeps on its own side.
struct ClientConfig {
    /// How many descriptors of objects that were read of late are kept, with their leases; 0 … 1,048,576, 0: none.
    ///
    /// A read of such an object (`get`, `get_into`, `get_scattered`, `get_range`, `get_batch` where all are known, `view`) does
    /// not ask the master. What that means:
    /// - What *another* client replaced or removed may still be read as it was, until the lease that this store had of it ends:
    ///   one lease of the master's (5 s by default) from when it was asked, never longer, and never torn.
    ///   `Freshness::newest` asks all the same. What is written or removed through this store is seen at once.
    /// - The objects stay leased that long: they are not evicted, and others who remove them get `conflict`. So the descriptors
    ///   times their objects' bytes should be little beside the capacity.
    /// - The master does not see these reads: for its eviction order an object is touched once a lease.
    std::uint32_t cached_descriptors = 0;

    /// Whose objects it puts and finds: 1 … 64 letters, digits, `.`, `_` and `-`; empty: nobody's in particular. Tenants have keys
    /// of their own, and what a store puts counts as its tenant's: see `include/mooncake/store/README.md`.
    std::string tenant{};

    static constexpr std::uint32_t most_cached_descriptors = 1U << 20U;
};

} // namespace mooncake
