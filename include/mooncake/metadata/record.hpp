#pragma once

#include <mooncake/memory/access.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mooncake {

/// A region as its segment's record shows it: an offset, never an address.
struct BufferRecord {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::string location;
    Rights rights = Rights::none;
    std::uint64_t read_key = 0;  ///< 0 when it is not told to everybody
    std::uint64_t write_key = 0; ///< the same
};

/// How one transport reaches the segment.
struct EndpointRecord {
    std::string protocol;    ///< the transport's name
    std::string description; ///< what only that transport understands
};

/// What a segment says of itself.
struct SegmentRecord {
    std::string name;
    std::uint64_t generation = 0; ///< this incarnation of its process
    std::vector<EndpointRecord> endpoints;
    std::vector<BufferRecord> buffers; ///< by offset
};

} // namespace mooncake
