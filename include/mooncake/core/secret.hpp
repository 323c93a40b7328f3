#pragma once

#include <mooncake/core/environment.hpp>
#include <mooncake/core/result.hpp>

#include <sys/random.h>

#include <cerrno>
#include <cstdint>

namespace mooncake {

/// 64 unpredictable bits, never 0, from the kernel or from the thread's `Environment`. Throws when the kernel has none.
[[nodiscard]] inline std::uint64_t random_secret() {
    auto secret = std::uint64_t{0};
    while (secret == 0) {
        if (auto* const environment = Environment::current()) secret = environment->random_bits();
        else if (getrandom(&secret, sizeof secret, 0) != sizeof secret && errno != EINTR)
            throw_error(errno_error("getrandom", errno));
    }
    return secret;
}

} // namespace mooncake
