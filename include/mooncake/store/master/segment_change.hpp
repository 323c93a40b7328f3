#pragma once

#include <cstdint>
#include <string>

namespace mooncake::store {

/// A segment that joined a master, or went.
struct SegmentChange {
    enum class What : std::uint8_t {
        joined,
        left,    ///< as it said
        dropped, ///< for want of a heartbeat
    };
    What what = What::joined;
    std::string name, endpoint;
    std::uint64_t bytes = 0;
};

} // namespace mooncake::store
