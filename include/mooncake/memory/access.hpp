#pragma once

#include <mooncake/core/result.hpp>

#include <sys/random.h>

#include <cerrno>
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

/// 64 unpredictable bits, never 0, from the kernel. Throws when it has none.
[[nodiscard]] inline std::uint64_t random_secret() {
    auto secret = std::uint64_t{0};
    while (secret == 0)
        if (getrandom(&secret, sizeof secret, 0) != sizeof secret && errno != EINTR)
            throw_error(errno_error("getrandom", errno));
    return secret;
}

/// Keys for a region with these rights.
[[nodiscard]] inline AccessKeys make_keys(Rights rights) {
    return {.read = includes(rights, Rights::read) ? random_secret() : 0,
            .write = includes(rights, Rights::write) ? random_secret() : 0};
}

} // namespace mooncake
