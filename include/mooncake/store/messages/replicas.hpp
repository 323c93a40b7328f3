#pragma once

#include <mooncake/store/messages/objects.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// Said by clients that copy objects from segment to segment: to have more replicas, to empty a segment, to make good what
/// went with a node. The master decides where to; a client moves the bytes.
namespace mooncake::store {

struct CopyStartReply;
struct CopyEndReply;
struct SurveyReply;
struct DrainReply;

/// Asks for space for further replicas of `keys`, and leases those. The replicas in `leaving` count as none; they go once there
/// are enough others and nobody has a lease of the object.
struct CopyStart {
    static constexpr std::uint32_t method = 21;
    using Reply = CopyStartReply;

    std::vector<std::string> keys{};
    std::vector<std::uint64_t>
        versions{};                       ///< of each key, the only one that is copied; none at all: whichever there is
    std::uint32_t replicas = 0;           ///< that there are to be; 0: as many as its writer, or a copy since, wanted
    std::uint32_t more = 0;               ///< on top of that
    std::vector<std::uint32_t> leaving{}; ///< segments; at most 64 of each of these
    std::vector<std::uint32_t> preferred{};
    std::vector<std::uint32_t> excluded{}; ///< nothing is written to these; what is there stays
    std::string near_host{}, near_rack{};  ///< as in `PutStart`
    std::uint64_t write_deadline_ms = 10'000;
    std::uint64_t max_bytes =
        0; ///< only so many of the first keys are answered as are no larger together; at least one; 0: all
};
struct CopyStartReply {
    std::uint64_t lease = 0; ///< on what is to be written; 0: nothing is
    std::uint64_t ttl_ms = 0;
    std::vector<ObjectDescriptor> sources{}; ///< one a key that is answered
    /// What to write, and where. `ok`: `version` names the copy; `exists`: there are enough; `not_found`, `lost`; `being_written`:
    /// somebody copies it, or it is not there yet; `conflict`: another version is there; `no_space`: in no segment without it.
    std::vector<PutSpace> targets{};
    std::string no_space{}; ///< why, when an outcome is `no_space`
    std::uint64_t term = 0; ///< as in `GetReply`
};

enum class CopyFate : std::uint8_t {
    written,
    failed,  ///< no write is in flight any more
    unknown, ///< some may be
};
struct CopiedObject {
    std::string key{};
    std::uint64_t version = 0; ///< of the object
    std::uint64_t copy = 0;    ///< that `CopyStartReply` named
    CopyFate fate = CopyFate::written;
};
/// What was written are replicas from now on; ends the lease of `CopyStartReply`, and those replicas that were leaving.
struct CopyEnd {
    static constexpr std::uint32_t method = 22;
    using Reply = CopyEndReply;

    std::vector<CopiedObject> objects{};
    std::uint64_t lease = 0;
    std::uint64_t term = 0;
};
struct CopyEndReply {
    std::vector<Errc> outcomes{}; ///< `ok`, `not_found` (the object went meanwhile), `lost` (its new segments did),
                                  ///< `lease_expired` (after its deadline)
    std::vector<std::uint32_t> replicas{}; ///< that it has now
};

/// Which objects have replicas in a segment, or fewer than they ought to have.
struct Survey {
    static constexpr std::uint32_t method = 23;
    using Reply = SurveyReply;

    std::uint32_t segment = 0;  ///< 0: those with too few. Replicas in segments that are drained are too few
    std::uint64_t from = 0;     ///< `next` of the reply before
    std::uint32_t limit = 1000; ///< at least 1; a few more may come
};
struct SurveyedObject {
    std::string key{};
    std::uint64_t size = 0;
    std::uint64_t version = 0;
    std::uint32_t replicas = 0; ///< that may be read
    std::uint32_t wanted = 0;
};
struct SurveyReply {
    std::vector<SurveyedObject> objects{};
    std::uint64_t next = 0; ///< where to go on, even if `objects` is empty; 0: that was all
};

enum class DrainMode : std::uint8_t {
    begin, ///< again: tells how much is left
    end,   ///< it takes writes again
};
/// Nothing is written to a segment any more. What lies there is read, evicted and removed as before.
struct Drain {
    static constexpr std::uint32_t method = 24;
    using Reply = DrainReply;

    std::uint32_t segment = 0;
    std::uint64_t generation = 0;
    DrainMode mode = DrainMode::begin;
};
struct DrainReply {
    std::uint64_t extents = 0; ///< allocated in it, those included that only wait for their readers
};

} // namespace mooncake::store
