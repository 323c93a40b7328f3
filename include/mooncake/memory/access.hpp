#pragma once

#include <mooncake/core/secret.hpp>

#include <cstdint>

namespace mooncake {

/// What a peer may do to a region.
enum class Rights : std::uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

[[nodiscard]] constexpr bool includes(Rights granted, Rights needed) noexcept {
    return (static_cast<unsigned>(granted) & static_cast<unsigned>(needed)) == static_cast<unsigned>(needed);
}

/// The two secrets of a region. Holding `read` lets one read it; holding `write` lets one read and write it. A region
/// that was not registered for a right has no key for it: 0 opens nothing.
struct AccessKeys {
    std::uint64_t read = 0;
    std::uint64_t write = 0;

    /// What `key` gives. Compares both keys whatever the first comparison says.
    [[nodiscard]] Rights rights_of(std::uint64_t key) const noexcept {
        const auto reads = static_cast<unsigned>(read != 0) & static_cast<unsigned>(key == read);
        const auto writes = static_cast<unsigned>(write != 0) & static_cast<unsigned>(key == write);
        return writes ? Rights::read_write : reads ? Rights::read : Rights::none;
    }
};

/// Whether everybody who reads the segment's record gets the keys of a region, or only whom the owner tells.
enum class KeySharing : std::uint8_t { in_record, secret };

/// Keys for a region with these rights.
[[nodiscard]] inline AccessKeys make_keys(Rights rights) {
    auto keys = AccessKeys();
    if (includes(rights, Rights::read)) keys.read = random_secret();
    if (includes(rights, Rights::write)) keys.write = random_secret();
    return keys;
}

} // namespace mooncake
