#pragma once

#include <cstdint>
#include <string>

/// Asked by people, and by clients that want to know whom they talk to.
namespace mooncake::store {

struct StatsReply;
struct DescribeReply;

struct Stats {
    static constexpr std::uint32_t method = 14;
    using Reply = StatsReply;
};
struct StatsReply {
    std::string eviction{}; ///< name of the policy
    std::uint64_t segments = 0;
    std::uint64_t objects = 0; ///< visible or being written
    std::uint64_t leases = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0; ///< capacity less what is free: the following four, and what can be evicted
    std::uint64_t free_bytes = 0;
    std::uint64_t leased_bytes = 0;
    std::uint64_t pinned_bytes = 0;
    std::uint64_t writing_bytes = 0;
    std::uint64_t quarantined_bytes = 0;
    std::uint64_t evictions = 0;     ///< objects, since the start
    std::uint64_t evicted_bytes = 0; ///< since the start
};

/// Asks a master what it is made of.
struct Describe {
    static constexpr std::uint32_t method = 16;
    using Reply = DescribeReply;
};
struct DescribeReply {
    std::uint32_t wire_version = 0;
    std::string eviction{};                  ///< name of the policy
    std::uint64_t max_keys = 0;              ///< of a message
    std::uint64_t max_write_deadline_ms = 0; ///< of a put
    std::uint32_t newest_mode = 0; ///< the last `WriteMode` that it knows: an older master passes over the mode
};

} // namespace mooncake::store
