#pragma once

#include <mooncake/store/master/waiter.hpp>
#include <mooncake/store/messages/events.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mooncake {

/// What just happened to an object, as its master saw it.
struct Change {
    store::EventKind kind = store::EventKind::stored;
    std::string_view key; ///< until `record` returns
    std::uint64_t version = 0;
    std::uint64_t size = 0;
};

/// Who is told of everything that becomes visible, and of everything visible that goes. A master of which nobody reads events
/// has one that keeps none.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `J::keeps` | whether it keeps anything: what keeps nothing is told nothing | | | |
/// | `j.record(change)` | that was the latest. The master holds locks: it waits for nobody, and calls nobody back | none | any; the changes of one key one after the other | O(1) |
/// | `j.settle()` | a message was answered, no lock is held: those who wait for what was recorded are told | none | any | O(waiters) |
/// | `j.read(after, limit)` | the events after that number, at most so many, `last` and `gap`; the term is the master's | none | any | O(limit) |
/// | `j.wait(after, waiter)` | `waiter->ready()` is called once when there is an event after that number; false: there is, and it is not | none | any | O(1) |
/// | `j.forget(waiter)` | it is not called any more, or is being called | none | any | O(waiters) |
template <class J>
concept Journal = std::movable<J> && std::default_initializable<J> &&
                  requires(J& journal, const Change& change, std::uint64_t after, std::uint32_t limit,
                           const std::shared_ptr<Waiter>& waiter) {
                      { J::keeps } -> std::convertible_to<bool>;
                      { journal.record(change) } -> std::same_as<void>;
                      { journal.settle() } -> std::same_as<void>;
                      { journal.read(after, limit) } -> std::same_as<store::EventsReply>;
                      { journal.wait(after, waiter) } -> std::same_as<bool>;
                      { journal.forget(*waiter) } -> std::same_as<void>;
                  };

} // namespace mooncake
