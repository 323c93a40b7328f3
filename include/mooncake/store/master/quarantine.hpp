#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/store/master/object.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mooncake::store::detail {

/// Objects that are gone by name while somebody may still read or write their bytes. Their extents stay allocated until
/// a time has passed and the last lease has ended.
/// Thread: one at a time (the domain's lock).
class Quarantine {
  public:
    void add(Object& object, TimePoint until) {
        held_.push_back({&object, until});
        bytes_ += object.footprint;
        next_ = std::min(next_, until);
    }

    /// Calls `discard` for each object that nobody can reach any more, and tells how many.
    /// Complexity: O(1) before the first time has passed, O(held) after.
    template <class Discard>
    std::size_t sweep(TimePoint now, const Discard& discard) {
        if (now < next_) return 0;
        const auto before = held_.size();
        next_ = TimePoint::max();
        std::erase_if(held_, [&](const Held& held) {
            if (held.until > now || held.object->leased()) {
                next_ = std::min(next_, std::max(held.until, now)); // a leased one is looked at again by the next sweep
                return false;
            }
            bytes_ -= held.object->footprint;
            discard(*held.object);
            return true;
        });
        return before - held_.size();
    }

    [[nodiscard]] std::size_t size() const noexcept { return held_.size(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

    /// For the end: everything, whatever the time.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& held : held_) visit(*held.object);
    }

  private:
    struct Held {
        Object* object;
        TimePoint until;
    };
    std::vector<Held> held_;
    TimePoint next_ = TimePoint::max();
    std::uint64_t bytes_ = 0;
};

} // namespace mooncake::store::detail
