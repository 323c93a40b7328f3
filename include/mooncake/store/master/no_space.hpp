#pragma once

#include <mooncake/store/messages.hpp>

#include <string>

namespace mooncake::store::detail {

/// The sentence that goes with `no_space`.
[[nodiscard]] inline std::string describe_no_space(const StatsReply& stats) {
    if (stats.segments == 0)
        return "no segment is mounted; nodes come back by themselves when their master was restarted";
    return "not enough is free, and nothing is evictable: leased " + std::to_string(stats.leased_bytes) + ", pinned " +
           std::to_string(stats.pinned_bytes) + ", being written " + std::to_string(stats.writing_bytes) +
           ", quarantined " + std::to_string(stats.quarantined_bytes) + ", free " + std::to_string(stats.free_bytes) +
           " of " + std::to_string(stats.capacity_bytes) + " bytes in " + std::to_string(stats.segments) +
           " segments; an object lies in one of them in one piece";
}

/// The same, for what `wanted` wanted.
[[nodiscard]] inline std::string describe_no_space(const StatsReply& stats, const PutStart& wanted) {
    if (wanted.demand != ReplicaDemand::all || wanted.replicas <= stats.segments) return describe_no_space(stats);
    return std::to_string(wanted.replicas) + " replicas in as many segments were demanded, and " +
           std::to_string(stats.segments) + " are mounted";
}

} // namespace mooncake::store::detail
