#pragma once

#include <mooncake/store/master/object_table.hpp>

#include <cstdint>
#include <string>

namespace mooncake::store::detail {

/// What a put asks for, one of its keys.
struct NewObject {
    const std::string& text;
    const HashedKey& key;
    std::uint64_t size;
    std::uint64_t parent;   ///< hash of a key, or 0
    std::uint64_t expected; ///< version
};

/// What one message has found out about space: true as long as the domain stays locked.
struct SpaceSearch {
    bool exhausted = false; ///< nothing is evictable
    bool counted = false;   ///< the prospect is of this message
    bool mapped = false;    ///< and knows what stays
    bool reclaimed = false; ///< what time gives back was looked at
};

} // namespace mooncake::store::detail
