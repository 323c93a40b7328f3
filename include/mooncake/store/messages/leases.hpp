#pragma once

#include <mooncake/store/messages/nothing.hpp>

#include <cstdint>
#include <vector>

/// Said by clients that hold leases.
namespace mooncake::store {

struct RenewReply;
struct RenewManyReply;

struct Release {
    static constexpr std::uint32_t method = 10;
    using Reply = Nothing;

    std::vector<std::uint64_t> leases{};
};
struct Renew {
    static constexpr std::uint32_t method = 11;
    using Reply = RenewReply;

    std::uint64_t lease = 0;
};
struct RenewReply {
    std::uint64_t ttl_ms = 0; ///< from now
};

/// The same for many.
struct RenewMany {
    static constexpr std::uint32_t method = 17;
    using Reply = RenewManyReply;

    std::vector<std::uint64_t> leases{};
};
struct RenewManyReply {
    std::vector<std::uint64_t> ttls_ms{}; ///< of each, from now; 0: it is over
};

} // namespace mooncake::store
