#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/errc.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mooncake {

/// Of what copies objects from segment to segment.
struct ReplicaOptions {
    Deadline deadline = Deadline::usual();      ///< of all of it
    std::span<const std::uint32_t> preferred{}; ///< ids of segments that come first, if they have room; at most 64
    std::span<const std::uint32_t> excluded{};  ///< ids of segments that nothing is written to; at most 64
    std::string_view near_host{},
        near_rack{}; ///< as in `PutOptions`. Lifetime: of these and the lists, until it is done
};
static_assert(std::is_trivially_destructible_v<ReplicaOptions>);

/// What became of the replicas of many objects, in their order.
struct ReplicaReport {
    std::vector<Errc> outcomes;          ///< `ok`; `not_found`; `lost`; `being_written`; `no_space`; what failed
    std::vector<std::uint32_t> replicas; ///< with `ok`, that there are now; 0 where nothing had to be copied
    std::uint64_t bytes = 0;             ///< that were written
    std::string why{};                   ///< the last thing that went wrong, if anything did
};

/// What a drain, or a repair, came to.
struct MoveReport {
    std::uint64_t objects = 0; ///< that were copied
    std::uint64_t bytes = 0;   ///< that were written
    std::uint64_t failed = 0;  ///< objects that could not be, when it was last tried
    std::uint64_t left = 0;    ///< of a drain: extents that are still in the segment, 0 when it is empty
    std::string why{};         ///< the last thing that went wrong, if anything did
};

} // namespace mooncake
