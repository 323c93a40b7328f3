#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/store/master/object.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Objects that are gone by name while somebody may still read or write their bytes. Their extents stay allocated until
/// a time has passed and the last lease has ended.
/// Thread: one at a time (the domain's lock).
class Quarantine {
  public:
    void add(Object& object, TimePoint until) {
        held_.push_back({&object, until});
        space_ += object.held_space();
    }

    /// Calls `discard` for each object that nobody can reach any more, of the next `most` that are held, and tells how many:
    /// called again and again it comes round to all of them. Complexity: O(min(most, held)).
    template <class Discard>
    std::size_t sweep(TimePoint now, std::size_t most, const Discard& discard) {
        auto discarded = std::size_t{0};
        for (auto looks = std::min(most, held_.size()); looks != 0; --looks) {
            if (next_ >= held_.size()) next_ = 0;
            auto& held = held_[next_];
            if (held.until > now || held.object->leased()) {
                ++next_;
                continue;
            }
            space_ -= held.object->held_space();
            auto* const object = std::exchange(held, held_.back()).object;
            held_.pop_back();
            discard(*object);
            ++discarded;
        }
        return discarded;
    }

    [[nodiscard]] std::size_t size() const noexcept { return held_.size(); }
    [[nodiscard]] HeldSpace space() const noexcept { return space_; }

    /// Everything, whatever the time.
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
    std::size_t next_ = 0; // whom to look at
    HeldSpace space_;
};

} // namespace mooncake::store::detail
