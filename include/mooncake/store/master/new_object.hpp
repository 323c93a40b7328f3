#pragma once

#include <mooncake/store/master/object_table.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What a put asks for, one of its keys.
struct NewObject {
    const std::string& text;
    const HashedKey& key;
    std::uint64_t size;
    std::uint64_t parent;   ///< hash of a key, or 0
    std::uint64_t expected; ///< version
    TenantNumber tenant = 0;
};

/// What one message has found out about space for objects of one tenant: true as long as the domain stays locked.
struct SpaceSearch {
    TenantNumber tenant = 0;
    std::vector<TenantNumber> exhausted{}; ///< have nothing that is evictable
    const Object* kept = nullptr;          ///< does not go for the object at hand, and may for those that follow
    bool nothing_left = false;             ///< of whoever may give for this tenant
    bool counted = false;                  ///< the prospect is of this message
    bool mapped = false;                   ///< and knows what stays
    bool reclaimed = false;                ///< what time gives back was looked at

    [[nodiscard]] bool is_exhausted(TenantNumber number) const noexcept {
        return std::find(exhausted.begin(), exhausted.end(), number) != exhausted.end();
    }
    /// From now on for objects of `whose`.
    void turn_to(TenantNumber whose) noexcept {
        if (std::exchange(tenant, whose) != whose) nothing_left = counted = mapped = false;
    }
};

} // namespace mooncake::store::detail
