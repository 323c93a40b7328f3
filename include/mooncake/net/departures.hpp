#pragma once

#include <atomic>
#include <cstddef>

namespace mooncake::net::detail {

/// Of the connections of a server: those that are on their way out still cost memory, descriptors and time.
struct Departures {
    std::atomic<std::size_t> leaving = 0; ///< were told to end, or have ended, and are not gone
    std::atomic<std::size_t> ended = 0;   ///< since somebody last let go of them
};

} // namespace mooncake::net::detail
