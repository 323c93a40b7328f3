#pragma once

#include <mooncake/core/errc.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/small_vector.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What clients, nodes and the master say to each other. These travel by Boost.PFR, field by field: append only.
/// Outcomes are bare codes, one a key, in the order of the keys. Times are milliseconds from the receipt, never dates.
namespace mooncake::store {

// Each message is a call (`RpcRequest`): it has a number, never given to another, and names its reply.

/// The reply to what only succeeds or fails.
struct Nothing {};
struct SegmentMountReply;
struct HeartbeatReply;
struct SegmentsReply;
struct PutStartReply;
struct PutEndReply;
struct PutAbortReply;
struct GetReply;
struct QueryReply;
struct RenewReply;
struct RenewManyReply;
struct RemoveReply;
struct ListReply;
struct StatsReply;
struct DescribeReply;

// Segments: said by nodes.

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

// Objects: said by clients.

struct ReplicaDescriptor {
    std::uint32_t segment = 0;
    std::uint64_t offset = 0; ///< in the segment's offset space
    std::uint64_t key = 0;    ///< access key for the right the message gives
    std::uint64_t epoch = 0;  ///< of this allocation of the extent
};

/// Most objects have one replica, which costs no allocation.
using Replicas = SmallVector<ReplicaDescriptor, 1>;

struct ObjectDescriptor {
    Errc outcome = Errc::not_found; ///< `ok` or `not_found`; the rest counts only with `ok`
    std::uint64_t size = 0;
    std::uint64_t version = 0;
    Checksums checksums{}; ///< XXH3-64 of each 256 KiB
    Replicas replicas{};
};

enum class Pin : std::uint8_t {
    none,
    hard, ///< is never evicted; only removed
};

enum class ReplicaDemand : std::uint8_t {
    as_many_as_segments, ///< fewer replicas are fine while there are fewer segments
    all,                 ///< otherwise `no_space`
};

/// Asks for space to write `keys` to. What is written becomes visible with `PutEnd`.
struct PutStart {
    static constexpr std::uint32_t method = 5;
    using Reply = PutStartReply;

    std::vector<std::string> keys{};
    std::vector<std::uint64_t> sizes{}; ///< one a key
    std::uint32_t replicas = 1;         ///< at least 1
    ReplicaDemand demand = ReplicaDemand::as_many_as_segments;
    Pin pin = Pin::none;
    std::uint64_t write_deadline_ms = 10'000; ///< the writer touches nothing later than this
    std::vector<std::uint64_t>
        parents{};           ///< of each key, the XXH3-64 of the key it is useless without, or 0; none at all: not told
    std::string near_host{}; ///< of the writer, as `SegmentMount::host`; empty: not told
    std::string near_rack{}; ///< the same; where it is empty, the rack of that host
    std::vector<std::uint32_t>
        preferred{};                       ///< segments that come first, if they have room; at most 64 of each of these
    std::vector<std::uint32_t> excluded{}; ///< segments that nothing is written to
    std::vector<std::uint32_t> avoid{};    ///< segments that count as if a replica lay there
};
struct PutSpace {
    Errc outcome = Errc::ok;   ///< `ok`, `exists`, `being_written`, `no_space`, `too_large` (no segment is so large)
    std::uint64_t version = 0; ///< names this write; never 0 with `ok`
    Replicas replicas{};
};
struct PutStartReply {
    std::vector<PutSpace> objects{}; ///< one a key
    std::string no_space{};          ///< why, when an outcome is `no_space`
    std::uint64_t term = 0;          ///< of the master, see `GetReply::term`
};

enum class LeaseWish : std::uint8_t { none, grant };

enum class WriterState : std::uint8_t {
    settled, ///< no write is in flight any more: the space may be somebody else's at once
    unknown, ///< some may be: the space is fenced before it is anybody else's
};

struct WrittenObject {
    std::string key{};
    std::uint64_t version = 0;
    Checksums checksums{}; ///< one for each 256 KiB
    WriterState writer = WriterState::settled;
};
/// The bytes are there: `objects` become visible, under one lease if wished for.
struct PutEnd {
    static constexpr std::uint32_t method = 6;
    using Reply = PutEndReply;

    std::vector<WrittenObject> objects{};
    LeaseWish lease = LeaseWish::none;
    std::uint64_t term = 0; ///< that `PutStartReply` named: versions mean nothing to another master; 0: not checked
};
struct PutEndReply {
    std::vector<Errc>
        outcomes; ///< `ok`, `not_found`, `lease_expired` (after its deadline), `invalid_argument` (number of checksums)
    std::uint64_t lease = 0; ///< 0: none
    std::uint64_t lease_ms = 0;
};

struct PutAbort {
    static constexpr std::uint32_t method = 7;
    using Reply = PutAbortReply;

    std::vector<std::string> keys{};
    std::vector<std::uint64_t> versions{}; ///< one a key
    WriterState writer = WriterState::unknown;
    std::uint64_t term = 0; ///< as in `PutEnd`
};
struct PutAbortReply {
    std::vector<Errc> outcomes{}; ///< `ok`, `not_found`
};

enum class LookUp : std::uint8_t {
    each,   ///< every key is answered
    prefix, ///< stops at the first miss: answers are as many as leading hits
};

/// Where objects are, under one lease. Touches them.
struct Get {
    static constexpr std::uint32_t method = 8;
    using Reply = GetReply;

    std::vector<std::string> keys{};
    LookUp mode = LookUp::each;
};
struct GetReply {
    std::uint64_t lease = 0; ///< 0: nothing was found
    std::uint64_t ttl_ms = 0;
    std::vector<ObjectDescriptor> objects{};
    std::uint64_t term =
        0; ///< this leadership of the master: what it numbers (segments, versions) is of this term alone
};

/// Whether objects are there. Touches nothing, leases nothing.
struct Query {
    static constexpr std::uint32_t method = 9;
    using Reply = QueryReply;

    std::vector<std::string> keys{};
    LookUp mode = LookUp::each;
};
struct QueryReply {
    std::vector<Errc> outcomes{}; ///< `ok`, `not_found`; the leading hits only with `prefix`
};

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

/// Replicas whose bytes are not what their checksums say: they are offered no more, and the object goes with its last one.
struct BadReplica {
    std::string key{};
    std::uint64_t version = 0;
    std::uint32_t segment = 0;
    std::uint64_t epoch = 0;
};
struct ReportBad {
    static constexpr std::uint32_t method = 18;
    using Reply = Nothing;

    std::vector<BadReplica> replicas{};
    std::uint64_t term = 0; ///< as in `PutEnd`
};

enum class RemoveMode : std::uint8_t {
    unless_in_use, ///< `conflict` for what is leased or being written
    force,         ///< at once; the space is quarantined until its readers and writers are done
};
struct Remove {
    static constexpr std::uint32_t method = 12;
    using Reply = RemoveReply;

    std::vector<std::string> keys{};
    RemoveMode mode = RemoveMode::unless_in_use;
};
struct RemoveReply {
    std::vector<Errc> outcomes{}; ///< `ok`, `not_found`, `conflict`
};

/// The visible objects whose keys begin with `prefix`, by key, those behind `after`.
struct List {
    static constexpr std::uint32_t method = 13;
    using Reply = ListReply;

    std::string prefix{};
    std::string after{};
    std::uint32_t limit = 1000; ///< at least 1
};
struct ListedObject {
    std::string key{};
    std::uint64_t size = 0;
    std::uint64_t version = 0;
};
struct ListReply {
    std::vector<ListedObject> objects{}; ///< fewer than `limit`: that was all
};

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

/// Waits until all keys are visible.
struct WaitFor {
    static constexpr std::uint32_t method = 15;
    using Reply = Nothing;

    std::vector<std::string> keys{};
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
};

} // namespace mooncake::store
