#pragma once

#include <cstdint>
#include <string>

namespace mooncake {

/// What a peer says of bytes in this process's segment: that they are there, or may be reused.
struct Notification {
    std::string from{};       ///< the name of the sender's segment, as it says
    std::uint64_t offset = 0; ///< in the receiver's segment
    std::uint64_t length = 0; ///< bytes
    std::string text{};       ///< what the two have agreed upon; at most 4 KiB
};

} // namespace mooncake
