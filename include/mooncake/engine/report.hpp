#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/transport/slice.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mooncake {

struct TransferOptions {
    Deadline deadline = Deadline::usual(); ///< for the whole batch
    Digest digest = Digest::none;          ///< whether the reports carry checksums of the bytes that moved
    /// Of those that wait for one connection. Within a priority the earliest deadline comes first; who waits counts as more urgent
    /// after a while, so that nobody waits for ever.
    Priority priority = Priority::normal;
};
static_assert(std::is_trivially_destructible_v<TransferOptions>);

/// What became of one request.
struct TransferReport {
    std::uint64_t bytes = 0;    ///< that arrived
    Errc outcome = Errc::ok;    ///< of the request; the first slice that failed decides
    std::string_view transport; ///< the one that moved the last of them; empty: none
    std::uint32_t devices = 0;  ///< of that transport, over which bytes went: bit i is the i-th that the peer describes
    unsigned attempts = 0;      ///< that the most stubborn of its slices took; one is the rule
    Duration queued{};          ///< the longest that a slice waited for its connection, in the attempt that decided
    Duration moving{}; ///< the longest that one took from then on; both are zero where bytes were copied at once
    bool self_verifying = true; ///< only transports moved it that cannot change a byte on the way
    bool settled = true;        ///< of a write: nothing of it can arrive any more, whatever the outcome
    Checksums checksums;        ///< XXH3-64 per 256 KiB chunk, when asked for and the outcome is `ok`
};

/// What became of a batch: a report for each request, in their order.
struct BatchReport {
    std::vector<TransferReport> requests;
    Duration took{};
    Error failure; ///< the sentence to the last path that failed, even if another one then succeeded

    [[nodiscard]] bool all_ok() const noexcept {
        for (const auto& request : requests)
            if (request.outcome != Errc::ok) return false;
        return true;
    }
};

/// A way to a segment, tried.
struct PathProbe {
    std::string_view transport;
    std::string description; ///< of the way: for tcp the peer's address, and the own where one was named
    Error outcome;           ///< of reading a byte; `access_denied` and `out_of_range` are answers, too
    Duration round_trip{};   ///< until then, a connection that had to be made included
};

/// What one transport of an engine has done so far.
struct TransportStatistics {
    std::string_view name;
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t groups = 0;   ///< hand-overs of slices
    std::uint64_t failures = 0; ///< groups whose path failed
};

} // namespace mooncake
