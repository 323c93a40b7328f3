#pragma once

#include <mooncake/store/master/object_table.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
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

/// What an eviction policy is told of an object called `name`. Parents are named by the keys that its tenant knows, and reach no
/// further than that one's order.
[[nodiscard]] inline EvictionEntry entry_of(std::string_view name, std::uint64_t hash, TenantNumber tenant,
                                            std::uint64_t parent, std::uint64_t bytes, TimePoint now) {
    return {
        .key_hash = tenant == 0 ? hash : hash_text(split_key(name).key), .parent = parent, .bytes = bytes, .now = now};
}

/// How long a soft pin lasts for which a message says `pin_ms`.
[[nodiscard]] inline Duration soft_pin_time(std::uint64_t pin_ms) noexcept {
    return pin_ms == 0 ? Duration(std::chrono::minutes{30}) : Duration(std::chrono::milliseconds{pin_ms});
}

/// What one message has found out about space for objects of one tenant: true as long as the domain stays locked.
struct SpaceSearch {
    TenantNumber tenant = 0;
    std::vector<TenantNumber> exhausted{}; ///< have nothing that is evictable
    const Object* kept = nullptr;          ///< does not go for the object at hand, and may for those that follow
    Pin with = Pin::none;                  ///< what goes next; soft-pinned ones only when nothing else is left
    bool nothing_left = false;             ///< of whoever may give for this tenant
    bool counted = false;                  ///< the prospect is of this message
    bool mapped = false;                   ///< and knows what stays
    bool reclaimed = false;                ///< what time gives back was looked at

    [[nodiscard]] bool is_exhausted(TenantNumber number) const noexcept {
        return std::find(exhausted.begin(), exhausted.end(), number) != exhausted.end();
    }
    /// There may be some again.
    void look_again() noexcept {
        exhausted.clear();
        with = Pin::none;
        nothing_left = false;
    }
    /// From now on for objects of `whose`.
    void turn_to(TenantNumber whose) noexcept {
        if (std::exchange(tenant, whose) != whose) counted = mapped = nothing_left = false;
    }
};

} // namespace mooncake::store::detail
