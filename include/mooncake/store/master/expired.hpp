#pragma once

#include <cstddef>

namespace mooncake::store::detail {

/// What time ended.
struct Expired {
    std::size_t leases = 0;   ///< ended
    std::size_t writes = 0;   ///< aborted, their space quarantined
    std::size_t lives = 0;    ///< objects that were to live so long
    std::size_t extents = 0;  ///< objects whose quarantine ended
    std::size_t segments = 0; ///< dropped for want of a heartbeat
    std::size_t objects = 0;  ///< that lost their last replica
};

} // namespace mooncake::store::detail
