#pragma once

/// What a person wants to know of one object. An entry of its own: nothing else includes it.

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/engine/report.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/messages.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// Where an object is, what happened to it, and what the ways to it are like.
struct Explanation {
    struct Replica {
        store::SegmentInfo segment{};  ///< an empty name: the master no longer knows it, its node is gone
        std::uint64_t offset = 0;      ///< in the segment's offset space
        std::vector<PathProbe> ways{}; ///< each was just tried
        Error opened{};                ///< how the segment could not be opened; then there are no ways
    };
    /// What the master says of its events.
    enum class Memory : std::uint8_t {
        none, ///< it keeps none
        some, ///< older ones are forgotten
        all,  ///< it has all since its start
    };

    std::string key{};
    Errc outcome = Errc::not_found; ///< `ok`, `not_found`, `lost` (it went with its last replica)
    std::uint64_t size = 0, version = 0;
    std::vector<Replica> replicas{};
    std::vector<store::ObjectEvent> history{}; ///< of this key, oldest first
    Memory memory = Memory::none;
    std::uint64_t last_event = 0; ///< of any object, to compare with
    store::StatsReply store{};

    /// All of it, for people: lines.
    [[nodiscard]] std::string text() const;
};

namespace store::detail {

[[nodiscard]] inline std::string_view word_for(EventKind kind) noexcept {
    switch (kind) {
    case EventKind::stored: return "stored";
    case EventKind::evicted: return "evicted, for want of space";
    case EventKind::removed: return "removed, as somebody wished";
    case EventKind::lost: return "lost with its last replica";
    case EventKind::expired: return "expired, as its time to live was over";
    }
    return "changed in a way that this client does not know";
}

[[nodiscard]] inline std::string in_microseconds(Duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) + " us";
}

/// Reads what the master remembers, and keeps what is of the key.
template <class Store>
Task<void> read_history(Store* store, Explanation* into, Deadline deadline) {
    auto last = std::uint64_t{0}, term = std::uint64_t{0};
    into->memory = Explanation::Memory::all;
    // Of the master itself: a store of a tenant hides what others did, and so from where on all is remembered.
    const auto name = key_of_tenant(store->tenant(), into->key);
    for (;;) {
        const auto message = Events{.after = last, .term = term, .limit = 10'000};
        const auto reply = co_await store->master().call(message, deadline);
        if (reply.error() == Errc::not_supported) into->memory = Explanation::Memory::none;
        if (reply.error() == Errc::not_supported) co_return ok;
        if (!reply) co_return reply.error();
        if (reply->gap == EventGap::some) into->memory = Explanation::Memory::some;
        if (!reply->events.empty() && last == 0 && reply->events.front().sequence > 1)
            into->memory = Explanation::Memory::some;
        std::ranges::copy_if(reply->events, std::back_inserter(into->history),
                             [&name](const ObjectEvent& event) { return event.key == name; });
        if (reply->events.empty()) break;
        last = reply->last;
        term = reply->term;
    }
    for (auto& event : into->history) event.key = into->key;
    into->last_event = last;
    co_return ok;
}

} // namespace store::detail

/// Asks the master and tries the ways to each replica. The object is looked up as a get does it: that touches it.
/// Errors: `timed_out`, `cancelled`, `closed`, what the way to the master said; that it is not there is none. Cancellation: total.
/// Lifetime: the store outlives the task. Complexity: all events that the master remembers are read.
template <class Store>
Task<Explanation> explain(Store* store, std::string key, Deadline deadline = Deadline::usual()) {
    auto all = Explanation{.key = std::move(key)};
    auto stats = co_await store->statistics(deadline);
    if (!stats) co_return stats.error();
    all.store = std::move(*stats);
    if (auto read = co_await store::detail::read_history(store, &all, deadline); !read) co_return read.error();
    auto get = store::Get();
    get.keys.push_back(store::key_of_tenant(store->tenant(), all.key));
    const auto found = co_await store->master().call(get, deadline);
    if (!found) co_return found.error();
    if (found->lease != 0) (void)co_await store->release(found->lease, deadline);
    if (found->objects.size() != 1)
        co_return Error(Errc::protocol_error, "the master answered for other keys than it was asked for");
    const auto& object = found->objects.front();
    all.outcome = object.outcome;
    if (all.outcome != Errc::ok) co_return all;
    all.size = object.size;
    all.version = object.version;
    auto named = store::Segments();
    for (const auto& replica : object.replicas) named.segments.push_back(replica.segment);
    const auto segments = co_await store->master().call(named, deadline);
    if (!segments) co_return segments.error();
    for (const auto& replica : object.replicas) {
        auto& one = all.replicas.emplace_back();
        one.offset = replica.offset;
        one.segment.segment = replica.segment;
        for (const auto& info : segments->segments)
            if (info.segment == replica.segment) one.segment = info;
        if (one.segment.endpoint.empty()) continue;
        const auto opened = co_await store->engine().open(one.segment.endpoint, deadline);
        if (!opened) one.opened = opened.error();
        if (!opened) continue;
        auto ways = co_await store->engine().probe(*opened, deadline);
        if (ways) one.ways = std::move(*ways);
        else one.opened = ways.error();
    }
    co_return all;
}

inline std::string Explanation::text() const {
    using store::detail::word_for;
    auto text = "object " + in_quotes(key) + ": ";
    if (outcome == Errc::ok)
        text += std::to_string(size) + " bytes, version " + std::to_string(version) + ", " +
                std::to_string(replicas.size()) + (replicas.size() == 1 ? " replica\n" : " replicas\n");
    else if (!history.empty() && history.back().kind != store::EventKind::stored)
        text += "not there: it was " + std::string(word_for(history.back().kind)) + "\n";
    else if (outcome == Errc::lost) text += "not there: it went with its last replica\n";
    else if (memory == Memory::all)
        text += "not there, and it never was since the master began; it may be being written just now\n";
    else text += "not there, and the master does not remember it; it may be being written just now\n";
    for (const auto& replica : replicas) {
        text += "  segment " + std::to_string(replica.segment.segment);
        if (replica.segment.name.empty()) {
            text += ": its node is gone, and the master has yet to drop it\n";
            continue;
        }
        text += " " + in_quotes(replica.segment.name);
        if (!replica.segment.host.empty()) text += " on " + in_quotes(replica.segment.host);
        text += " at offset " + std::to_string(replica.offset) + "\n";
        if (!(replica.opened == Errc::ok)) text += "    cannot be reached: " + replica.opened.message() + "\n";
        for (const auto& way : replica.ways) {
            text += "    " + std::string(way.transport) + (way.description.empty() ? "" : " " + way.description) + ": ";
            if (way.outcome == Errc::ok || way.outcome == Errc::access_denied || way.outcome == Errc::out_of_range)
                text += "answers in " + store::detail::in_microseconds(way.round_trip) + "\n";
            else text += way.outcome.message() + "\n";
        }
    }
    for (const auto& event : history)
        text += "  event " + std::to_string(event.sequence) + " of " + std::to_string(last_event) + ": version " +
                std::to_string(event.version) + " was " + std::string(word_for(event.kind)) + "\n";
    if (memory == Memory::none)
        text += "  the master keeps no events, so nobody knows since when, or why not: start it with some\n";
    if (memory == Memory::some) text += "  older events are forgotten\n";
    text += "  store: " + std::to_string(store.free_bytes) + " of " + std::to_string(store.capacity_bytes) +
            " bytes are free, " + std::to_string(store.leased_bytes) + " leased, " +
            std::to_string(store.pinned_bytes) + " pinned; eviction " + store.eviction + " let " +
            std::to_string(store.evictions) + " objects go\n";
    return text;
}

} // namespace mooncake
