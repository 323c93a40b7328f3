#pragma once

#include <mooncake/store/eviction/concept.hpp>

#include <cstddef>
#include <limits>
#include <vector>

namespace mooncake::store::detail {

/// A doubly linked list of slots whose links lie in a vector: no allocation once the vector is as large as the domain.
/// The front is where slots come in. A `Note` lies beside each slot's links, where it costs no further look into memory; it
/// is there whether or not the slot is in the list.
template <class Note>
class SlotList {
  public:
    static constexpr Slot none = std::numeric_limits<Slot>::max();

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Slot front() const noexcept { return front_; }
    [[nodiscard]] Slot back() const noexcept { return back_; }
    /// Towards the front; `none` at its end.
    [[nodiscard]] Slot newer(Slot slot) const noexcept { return links_[slot].newer; }
    /// Towards the back; `none` at its end.
    [[nodiscard]] Slot older(Slot slot) const noexcept { return links_[slot].older; }

    /// Requires: `slot` was here at least once.
    [[nodiscard]] Note& note(Slot slot) noexcept { return links_[slot].note; }
    [[nodiscard]] const Note& note(Slot slot) const noexcept { return links_[slot].note; }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { __builtin_prefetch(&links_[slot], 1); }

    void push_front(Slot slot) {
        if (slot >= links_.size()) links_.resize(slot + std::size_t{1});
        link_front(slot);
        ++size_;
    }
    /// Puts `slot`, which was here before, right behind `at`.
    void insert_older(Slot slot, Slot at) noexcept {
        const auto older = links_[at].older;
        set(slot, at, older);
        links_[at].older = slot;
        (older == none ? back_ : links_[older].newer) = slot;
        ++size_;
    }
    void remove(Slot slot) noexcept {
        unlink(slot);
        --size_;
    }
    void move_to_front(Slot slot) noexcept {
        if (slot == front_) return;
        unlink(slot);
        link_front(slot);
    }

  private:
    struct Link {
        Slot newer = none, older = none;
        Note note{};
    };

    void set(Slot slot, Slot newer, Slot older) noexcept {
        links_[slot].newer = newer;
        links_[slot].older = older;
    }

    void link_front(Slot slot) noexcept {
        set(slot, none, front_);
        (front_ == none ? back_ : links_[front_].newer) = slot;
        front_ = slot;
    }
    void unlink(Slot slot) noexcept {
        const auto newer = links_[slot].newer, older = links_[slot].older;
        (newer == none ? front_ : links_[newer].older) = older;
        (older == none ? back_ : links_[older].newer) = newer;
    }

    std::vector<Link> links_;
    Slot front_ = none, back_ = none;
    std::size_t size_ = 0;
};

} // namespace mooncake::store::detail
