#pragma once

#include <mooncake/store/master/due_log.hpp>
#include <mooncake/store/master/replica_space.hpp>

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What becomes of objects at a time of their own: writes that did not end, lives that are over, pins.
/// Locks: the domain's is held, and no shard's, but where it is said.
template <class Void = void> // so that only who runs a master pays for compiling it, once
class Endings {
  public:
    explicit Endings(ReplicaSpace& space) noexcept : space_(space) {}

    void log_writes(TimePoint deadline, std::vector<Touch> writes);
    void log_lives(TimePoint end, std::vector<Touch> objects);
    /// `object`, which is soft-pinned, is so until `end`. Where it is looked at by then, it is not noted again.
    void log_pin(const Object& object, TimePoint end);

    /// Writes that are not done by their deadline are given up. Gives how many.
    std::size_t end_writes(TimePoint now);
    /// Objects whose time to live is over go by name; those who read them finish. Gives how many.
    std::size_t end_lives(TimePoint now);
    /// And what was soft-pinned until now is as any other.
    std::size_t end_lives_and_pins(TimePoint now);
    /// Lives for those who are about to look. No lock is held. Complexity: O(1) where none is over.
    void end_lives_before_looking() {
        if (lives_.any()) end_lives_if_due();
    }

  private:
    void note(const Object& object, SoftPin& pin);
    void end_lives_if_due();

    ReplicaSpace& space_;
    DueLog writes_, lives_, pins_;
    std::vector<Object*> note_again_;
};

template <class Void>
void Endings<Void>::log_writes(TimePoint deadline, std::vector<Touch> writes) {
    writes_.add(deadline, std::move(writes), [&](const Touch& write) {
        const auto* object = space_.find(write);
        return object != nullptr && !object->committed();
    });
}

template <class Void>
void Endings<Void>::log_lives(TimePoint end, std::vector<Touch> objects) {
    lives_.add(end, std::move(objects), [&](const Touch& life) { return space_.find(life) != nullptr; });
}

template <class Void>
void Endings<Void>::log_pin(const Object& object, TimePoint end) {
    auto& pin = space_.soft_pin(object);
    pin.end = end;
    if (end < pin.noted) note(object, pin);
}

template <class Void>
void Endings<Void>::note(const Object& object, SoftPin& pin) {
    pin.noted = pin.end;
    pins_.add(pin.end, {touch_of(object)}, [&](const Touch& touch) { return space_.find(touch) != nullptr; });
}

template <class Void>
std::size_t Endings<Void>::end_writes(TimePoint now) {
    auto ended = std::size_t{0};
    writes_.expire(now, [&](const Touch& write) {
        auto* const object = space_.find(write);
        if (object == nullptr || !space_.erase_if(*object, [](const Object& o) { return !o.committed(); })) return;
        space_.bury_unfinished(*object, now);
        ++ended;
    });
    return ended;
}

template <class Void>
std::size_t Endings<Void>::end_lives(TimePoint now) {
    auto ended = std::size_t{0};
    lives_.expire(now, [&](const Touch& life) {
        auto* const object = space_.find(life);
        if (object == nullptr || !space_.erase_if(*object, [](const Object&) { return true; })) return;
        if (object->committed()) space_.tell(EventKind::expired, *object);
        space_.bury_unfinished(*object, now);
        ++ended;
    });
    return ended;
}

template <class Void>
std::size_t Endings<Void>::end_lives_and_pins(TimePoint now) {
    pins_.expire(now, [&](const Touch& touch) {
        auto* const object = space_.find(touch);
        if (object == nullptr) return;
        auto& pin = space_.soft_pin(*object);
        if (pin.noted > now) return; // an older note
        pin.noted = TimePoint::max();
        if (object->pin != Pin::soft) return;
        if (pin.end <= now) space_.pin(*object, Pin::none, now, now);
        else note_again_.push_back(object);
    });
    for (auto* const object : std::exchange(note_again_, {})) note(*object, space_.soft_pin(*object));
    return end_lives(now);
}

template <class Void>
void Endings<Void>::end_lives_if_due() {
    if (!lives_.any_due(space_.now())) return;
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    end_lives(space_.now());
}

} // namespace mooncake::store::detail
