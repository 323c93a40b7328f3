#pragma once

#include <mooncake/store/messages/nothing.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// Said by nodes, and asked by those who must find a segment.
namespace mooncake::store {

struct SegmentMountReply;
struct HeartbeatReply;
struct SegmentsReply;

/// Who vouches that a writer whose fate is unknown writes no more, before its space is given to somebody else.
enum class Fencing : std::uint8_t {
    by_time,  ///< nobody: its deadline and the skew have to do, which a writer that was paused breaks
    by_owner, ///< the owner of the memory raises a fence, and says so with its next heartbeat
};

/// A node lends the window `[offset, offset + bytes)` of its segment to the store.
struct SegmentMount {
    static constexpr std::uint32_t method = 1;
    using Reply = SegmentMountReply;

    std::string name{};           ///< unique among those alive
    std::uint64_t generation = 0; ///< this incarnation of the node
    std::string endpoint{};       ///< where the segment's record is asked for; empty inside one process
    std::string host{};           ///< failure domain: replicas avoid sharing it
    std::uint64_t offset = 0;     ///< where the window begins in the segment's offset space
    std::uint64_t bytes = 0;
    std::uint64_t read_key = 0;  ///< given to those who may read objects
    std::uint64_t write_key = 0; ///< given to those who put them
    Fencing fencing = Fencing::by_time;
    std::string rack{}; ///< the next larger failure domain; empty: not told
};
struct SegmentMountReply {
    std::uint32_t segment = 0; ///< its id, never used again
    std::uint64_t ttl_ms = 0;  ///< a heartbeat must come within this, or everything in the segment is dropped
    std::uint64_t term = 0;    ///< of the master, see `GetReply::term`
};

struct SegmentInfo {
    std::uint32_t segment = 0;
    std::string name{};
    std::uint64_t generation = 0;
    std::string endpoint{};
    std::string host{};
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct Heartbeat {
    static constexpr std::uint32_t method = 2;
    using Reply = HeartbeatReply;

    std::uint32_t segment = 0;
    std::uint64_t generation = 0;
    std::vector<std::uint64_t>
        fenced{}; ///< epochs of extents that it was asked to fence: no write to them can arrive any more
};
/// An allocation to which nobody may write any more.
struct FencedExtent {
    std::uint64_t offset = 0; ///< in the segment's offset space
    std::uint64_t bytes = 0;
    std::uint64_t epoch = 0; ///< of this allocation, and what it is known by
};
struct HeartbeatReply {
    std::uint64_t ttl_ms = 0;
    std::vector<FencedExtent> fence{}; ///< to be fenced, and reported in a heartbeat to come; told until they are
};

struct Unmount {
    static constexpr std::uint32_t method = 3;
    using Reply = Nothing;

    std::uint32_t segment = 0;
    std::uint64_t generation = 0;
};

/// Who the segments in descriptors are. No ids: all that are mounted.
struct Segments {
    static constexpr std::uint32_t method = 4;
    using Reply = SegmentsReply;

    std::vector<std::uint32_t> segments{};
};
struct SegmentsReply {
    std::vector<SegmentInfo> segments{}; ///< those that are alive, by id
    std::uint64_t term = 0;              ///< of the master, see `GetReply::term`
};

} // namespace mooncake::store
