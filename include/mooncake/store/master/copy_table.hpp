#pragma once

#include <mooncake/store/master/object.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Replicas of an object that are being written by somebody who copies it.
template <class Void> // so that only who runs a master pays for compiling it; the same below
struct BasicCopy {
    std::unique_ptr<Object> target;     ///< in no shard and no order; its version names the copy
    std::vector<std::uint32_t> leaving; ///< segments whose replicas go when these are there
};

using Copy = BasicCopy<void>;

/// The copies under way, at most one of a version of an object. Thread: one at a time (the domain's lock).
template <class Void = void>
class CopyTable {
  public:
    [[nodiscard]] bool has(std::uint64_t object) const noexcept { return copies_.contains(object); }

    /// Requires: `object`'s version has none.
    void add(std::uint64_t object, Copy copy) {
        next_due_ = std::min(next_due_, copy.target->write_deadline);
        copies_.emplace(object, std::move(copy));
    }

    /// The copy of that version which has that name, which is here no more; or one without a target.
    [[nodiscard]] Copy take(std::uint64_t object, std::uint64_t copy) {
        const auto found = copies_.find(object);
        if (found == copies_.end() || found->second.target->version != copy) return {};
        auto taken = std::move(found->second);
        copies_.erase(found);
        return taken;
    }

    /// `act(copy)` for each whose deadline is over; they are here no more. Complexity: O(1) where none is, else O(copies).
    template <class Act>
    void expire(TimePoint now, const Act& act) {
        if (now < next_due_) return;
        next_due_ = TimePoint::max();
        for (auto at = copies_.begin(); at != copies_.end();) {
            const auto due = at->second.target->write_deadline;
            if (now < due) {
                next_due_ = std::min(next_due_, due);
                ++at;
                continue;
            }
            auto over = std::move(at->second);
            at = copies_.erase(at);
            act(std::move(over));
        }
    }

    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [object, copy] : copies_) visit(*copy.target);
    }

    [[nodiscard]] std::size_t size() const noexcept { return copies_.size(); }

  private:
    std::unordered_map<std::uint64_t, Copy> copies_; // by version of the object
    TimePoint next_due_ = TimePoint::max();
};

/// Objects that have replicas which nobody is offered any more, and which their readers have yet to leave.
/// Thread: one at a time (the domain's lock).
template <class Void = void>
class Retirement {
  public:
    void add(const Object& object) { waiting_.push_back(touch_of(object)); }

    /// `settle(touch)`, whether that is done with, for the next `most`: called again and again it comes round to all of them.
    template <class Settle>
    void sweep(std::size_t most, const Settle& settle) {
        for (auto looks = std::min(most, waiting_.size()); looks != 0; --looks) {
            if (next_ >= waiting_.size()) next_ = 0;
            if (!settle(waiting_[next_])) {
                ++next_;
                continue;
            }
            waiting_[next_] = waiting_.back();
            waiting_.pop_back();
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }

  private:
    std::vector<Touch> waiting_;
    std::size_t next_ = 0;
};

/// Whether there may be objects with fewer replicas than they ought to have: so that nobody walks all of them to find none.
/// Thread: one at a time (the domain's lock).
class HurtWatch {
  public:
    /// There may be one, from now on.
    void note() noexcept { any_ = true, ++noted_; }
    [[nodiscard]] bool any() const noexcept { return any_; }

    /// Somebody begins to walk all objects.
    void begin_walk() noexcept { at_ = 0, noted_before_ = noted_, found_ = false; }
    /// Of all objects those from place `from` on were looked at, up to `next`, 0: to the end. Pages that do not go on where the
    /// walk that began last stands, such as those of somebody who began before, only count for what they `found`.
    void walked(std::uint64_t from, std::uint64_t next, bool found) noexcept {
        any_ |= found;
        if (from != at_) return;
        found_ |= found;
        at_ = next;
        if (next == 0) any_ = found_ || noted_ != noted_before_;
    }

  private:
    bool any_ = false, found_ = false;
    std::uint64_t noted_ = 0, noted_before_ = 0;
    std::uint64_t at_ = 0; ///< where the walk that began last stands
};

} // namespace mooncake::store::detail
