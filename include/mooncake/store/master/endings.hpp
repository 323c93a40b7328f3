#pragma once

#include <mooncake/store/master/due_log.hpp>
#include <mooncake/store/master/object.hpp>
#include <mooncake/store/messages/events.hpp>

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What becomes of objects at a time of their own: writes that did not end, lives that are over, pins.
/// `Space`: what there is, and how objects go. Locks: the domain's is held, and no shard's, but where it is said.
template <class Space>
class Endings {
  public:
    explicit Endings(Space& space) noexcept : space_(space) {}

    void log_writes(TimePoint deadline, std::vector<Touch> writes) {
        writes_.add(deadline, std::move(writes), [&](const Touch& write) {
            const auto* object = space_.domain.find(write);
            return object != nullptr && !object->committed();
        });
    }
    void log_lives(TimePoint end, std::vector<Touch> objects) {
        lives_.add(end, std::move(objects), [&](const Touch& life) { return space_.domain.find(life) != nullptr; });
    }

    /// `object`, which is soft-pinned, is so until `end`. Where it is looked at by then, it is not noted again.
    void log_pin(const Object& object, TimePoint end) {
        auto& pin = space_.domain.soft_pin(object);
        pin.end = end;
        if (end < pin.noted) note(object, pin);
    }

    /// Writes that are not done by their deadline are given up.
    std::size_t end_writes(TimePoint now) {
        auto ended = std::size_t{0};
        writes_.expire(now, [&](const Touch& write) {
            auto* const object = space_.domain.find(write);
            if (object == nullptr || !space_.erase_if(*object, [](const Object& o) { return !o.committed(); })) return;
            space_.bury_unfinished(*object, now);
            ++ended;
        });
        return ended;
    }

    /// Objects whose time to live is over go by name; those who read them finish.
    std::size_t end_lives(TimePoint now) {
        auto ended = std::size_t{0};
        lives_.expire(now, [&](const Touch& life) {
            auto* const object = space_.domain.find(life);
            if (object == nullptr || !space_.erase_if(*object, [](const Object&) { return true; })) return;
            if (object->committed()) space_.tell(EventKind::expired, *object);
            space_.bury_unfinished(*object, now);
            ++ended;
        });
        return ended;
    }
    /// And what was soft-pinned until now is as any other.
    std::size_t end_lives_and_pins(TimePoint now) {
        pins_.expire(now, [&](const Touch& touch) {
            auto* const object = space_.domain.find(touch);
            if (object == nullptr) return;
            auto& pin = space_.domain.soft_pin(*object);
            if (pin.noted > now) return; // an older note
            pin.noted = TimePoint::max();
            if (object->pin != Pin::soft) return;
            if (pin.end <= now) space_.pin(*object, Pin::none, now, now);
            else note_again_.push_back(object);
        });
        for (auto* const object : std::exchange(note_again_, {})) note(*object, space_.domain.soft_pin(*object));
        return end_lives(now);
    }
    /// Lives for those who are about to look. No lock is held. Complexity: O(1) where none is over.
    void end_lives_before_looking() {
        if (!lives_.any() || !lives_.any_due(space_.now())) return;
        const auto lock = std::lock_guard(space_.domain.mutex);
        end_lives(space_.now());
    }

  private:
    void note(const Object& object, SoftPin& pin) {
        pin.noted = pin.end;
        pins_.add(pin.end, {touch_of(object)},
                  [&](const Touch& touch) { return space_.domain.find(touch) != nullptr; });
    }

    Space& space_;
    DueLog writes_, lives_, pins_;
    std::vector<Object*> note_again_;
};

} // namespace mooncake::store::detail
