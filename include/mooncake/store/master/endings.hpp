#pragma once

#include <mooncake/store/master/due_log.hpp>
#include <mooncake/store/master/object.hpp>
#include <mooncake/store/messages/events.hpp>

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What becomes of objects at a time of their own: writes that did not end, lives that are over.
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
        lives_.add(end, std::move(objects),
                   [&](const Touch& life) { return space_.domain.find(life) != nullptr; });
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
    /// The same for those who are about to look. No lock is held. Complexity: O(1) where none is over.
    void end_lives_before_looking() {
        if (!lives_.any() || !lives_.any_due(space_.now())) return;
        const auto lock = std::lock_guard(space_.domain.mutex);
        end_lives(space_.now());
    }

  private:
    Space& space_;
    DueLog writes_, lives_;
};

} // namespace mooncake::store::detail
