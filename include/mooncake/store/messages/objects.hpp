#pragma once

#include <mooncake/core/errc.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/small_vector.hpp>
#include <mooncake/store/messages/nothing.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// Said by clients: objects are put, found, listed and removed.
namespace mooncake::store {

struct PutStartReply;
struct PutEndReply;
struct PutAbortReply;
struct GetReply;
struct QueryReply;
struct RemoveReply;
struct ListReply;
struct RemoveMatchingReply;

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
    soft, ///< for a time it is evicted only when nothing else may go; then it is as any other
};

enum class ReplicaDemand : std::uint8_t {
    as_many_as_segments, ///< fewer replicas are fine while there are fewer segments
    all,                 ///< otherwise `no_space`
};

/// What a put does where its key has an object already.
enum class WriteMode : std::uint8_t {
    create,  ///< nothing: `exists`
    upsert,  ///< replaces it; whoever reads the old one under a lease finishes
    compare, ///< replaces it if it is the version that was expected, both now and when the write ends; else `conflict`
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
        parents{}; ///< of each key, the XXH3-64 of the key it is useless without, or 0; none at all: not told
    WriteMode mode = WriteMode::create;
    std::vector<std::uint64_t> expected{}; ///< with `compare`, of each key: its version; 0: there is none
    std::string near_host{};               ///< of the writer, as `SegmentMount::host`; empty: not told
    std::string near_rack{};               ///< the same; where it is empty, the rack of that host
    std::vector<std::uint32_t>
        preferred{};                       ///< segments that come first, if they have room; at most 64 of each of these
    std::vector<std::uint32_t> excluded{}; ///< segments that nothing is written to
    std::vector<std::uint32_t> avoid{};    ///< segments that count as if a replica lay there
    std::uint64_t ttl_ms = 0;              ///< after which the objects go by themselves, from now; 0: never
    std::uint64_t pin_ms = 0;              ///< of a soft pin, from now; 0: half an hour
};
struct PutSpace {
    Errc outcome =
        Errc::ok; ///< `ok`, `exists`, `being_written`, `conflict`, `no_space`, `too_large` (no segment is so large),
                  ///< `quota` (of the tenant whose key it is)
    std::uint64_t version =
        0; ///< names this write, never 0 with `ok`; with `exists` and `conflict`: what is there, 0 if nothing is
    Replicas replicas{};
};
struct PutStartReply {
    std::vector<PutSpace> objects{}; ///< one a key
    std::string no_space{};          ///< why, when an outcome is `no_space`
    std::uint64_t term = 0;          ///< of the master, see `GetReply::term`
    std::string quota{};             ///< why, when an outcome is `quota`
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
        outcomes; ///< `ok`, `not_found`, `lease_expired` (after its deadline), `conflict` (what it was compared with is
                  ///< gone), `invalid_argument` (number of checksums)
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

struct PinReply;
/// From now on the objects of `keys` that are visible have this pin, or none, in place of the one that they had. A pin is of a
/// version: what replaces the object has its own.
struct PinObjects {
    static constexpr std::uint32_t method = 27;
    using Reply = PinReply;

    std::vector<std::string> keys{};
    Pin pin = Pin::soft;
    std::uint64_t pin_ms = 0; ///< as in `PutStart`
};
struct PinReply {
    std::vector<Errc> outcomes{}; ///< `ok`, `not_found`, `lost`, `being_written`, `quota` (of what may be hard-pinned)
    std::string quota{};          ///< why, when an outcome is `quota`
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

/// Removes every object whose key begins with `prefix` and goes on with something that `pattern` matches: see `Pattern`. What
/// comes meanwhile may go or stay.
struct RemoveMatching {
    static constexpr std::uint32_t method = 20;
    using Reply = RemoveMatchingReply;

    std::string prefix{};
    std::string pattern{}; ///< empty: anything; not both are
    RemoveMode mode = RemoveMode::unless_in_use;
};
struct RemoveMatchingReply {
    std::uint64_t removed = 0;
    std::uint64_t in_use = 0; ///< matched, and stay
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

/// Waits until all keys are visible.
struct WaitFor {
    static constexpr std::uint32_t method = 15;
    using Reply = Nothing;

    std::vector<std::string> keys{};
};

} // namespace mooncake::store
