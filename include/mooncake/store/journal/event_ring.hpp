#pragma once

#include <mooncake/store/journal/concept.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// Choose this when: indexes or people follow what a master holds. The last so many events in memory: who reads them at least
/// that often misses none, and who does not is told so.
/// Memory: 80 bytes an event, and its key where that is longer than 15 bytes; a place keeps its key's memory.
class EventRing {
  public:
    static constexpr bool keeps = true;

    /// `most`: events that are kept, at least 1.
    explicit EventRing(std::size_t most = 65'536) : state_(std::make_unique<State>()) {
        if (most == 0) throw std::invalid_argument("EventRing: it has to keep at least 1 event");
        state_->most = most;
    }

    void record(const Change& change) {
        auto& state = *state_;
        const auto lock = std::lock_guard(state.mutex);
        if (state.places.size() < state.most) state.places.emplace_back();
        auto& place = state.places[state.last % state.most];
        place.sequence = ++state.last;
        place.kind = change.kind;
        place.key = change.key;
        place.version = change.version;
        place.size = change.size;
        state.unsettled.store(true, std::memory_order_relaxed);
    }

    void settle() {
        auto& state = *state_;
        if (!state.unsettled.load(std::memory_order_relaxed)) return;
        auto told = std::vector<std::shared_ptr<Waiter>>();
        {
            const auto lock = std::lock_guard(state.mutex);
            state.unsettled.store(false, std::memory_order_relaxed);
            told.swap(state.waiters);
        }
        for (const auto& waiter : told) waiter->ready();
    }

    [[nodiscard]] store::EventsReply read(std::uint64_t after, std::uint32_t limit) {
        auto& state = *state_;
        auto reply = store::EventsReply();
        const auto lock = std::lock_guard(state.mutex);
        const auto oldest =
            state.last - state.places.size(); // what came before it is forgotten, and it is the last of that
        const auto gap = after < oldest || after > state.last;
        reply.gap = gap ? store::EventGap::some : store::EventGap::none;
        reply.last = gap ? oldest : after;
        const auto count = std::min<std::uint64_t>(limit, state.last - reply.last);
        reply.events.reserve(count);
        for (std::uint64_t i = 0; i < count; ++i) reply.events.push_back(state.places[reply.last++ % state.most]);
        return reply;
    }

    [[nodiscard]] bool wait(std::uint64_t after, const std::shared_ptr<Waiter>& waiter) {
        auto& state = *state_;
        const auto lock = std::lock_guard(state.mutex);
        if (after != state.last) return false;
        state.waiters.push_back(waiter);
        return true;
    }

    void forget(const Waiter& waiter) {
        auto& state = *state_;
        const auto lock = std::lock_guard(state.mutex);
        std::erase_if(state.waiters, [&](const auto& other) { return other.get() == &waiter; });
    }

  private:
    struct State {
        std::mutex mutex;
        std::size_t most = 0;
        std::vector<store::ObjectEvent> places; // the one with number n at (n - 1) % most
        std::uint64_t last = 0;
        std::vector<std::shared_ptr<Waiter>> waiters;
        std::atomic<bool> unsettled{false};
    };

    std::unique_ptr<State> state_;
};

static_assert(Journal<EventRing>);

} // namespace mooncake
