#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What happens to objects, for indexes and for people: asked for again and again, from where the last answer ended.
namespace mooncake::store {

enum class EventKind : std::uint8_t {
    stored,  ///< it is visible now; of a key that was there before: this version in place of the other
    evicted, ///< gone, for want of space
    removed, ///< gone, as somebody wished
    lost,    ///< gone with its last replica
    expired, ///< gone, as its time to live was over
};

struct ObjectEvent {
    std::uint64_t sequence = 0; ///< one more than that of the event before
    EventKind kind = EventKind::stored;
    std::string key{};
    std::uint64_t version = 0; ///< of the object; the events of one key are in the order of what happened to it
    std::uint64_t size = 0;    ///< bytes of the object
};

/// Whether an answer goes on where its reader was.
enum class EventGap : std::uint8_t {
    none,
    /// Events are forgotten that the reader does not know, or those it knows were another master's: what it made of them is to
    /// be made anew. The answer has the oldest that are known. List the objects, then go on behind `last`.
    some,
};

struct EventsReply;
/// The events after `after`, the oldest first. Waits until there is one, if there is time for that.
struct Events {
    static constexpr std::uint32_t method = 19;
    using Reply = EventsReply;

    std::uint64_t after = 0;    ///< sequence number of the last that is known, 0: of none
    std::uint64_t term = 0;     ///< of the reply that told of it; 0: of none
    std::uint32_t limit = 1000; ///< at least 1
    std::uint32_t wait_ms = 0;  ///< for the first of them
};
struct EventsReply {
    std::vector<ObjectEvent> events{};
    std::uint64_t last = 0; ///< what to ask for next: the last one's number, or `after` where there is none
    std::uint64_t term = 0; ///< of the master: see `GetReply::term`
    EventGap gap = EventGap::none;
};

} // namespace mooncake::store
