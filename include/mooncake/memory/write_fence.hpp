#pragma once

#include <mooncake/core/later.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace mooncake {

/// Which writes to a segment still count. Space that was given to a writer is given to somebody else only after the fence was
/// raised there to the writer's epoch: then no write of that epoch, or of an older one, begins any more, however late it
/// comes, and `quiet` tells when those that had begun are over.
///
/// Writes of epoch 0 have no owner who could lose the right: they are always let in. Thread: any.
/// Memory: one entry for each range that was fenced with another epoch than its neighbours.
class WriteFence {
    struct Write {
        std::uint64_t offset, end, epoch;
    };
    struct State {
        std::mutex mutex; // of what follows
        std::list<Write> under_way;
        std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>
            raised; ///< begin → end, epoch; they do not overlap
    };

  public:
    /// The right to write. Whoever holds it may be writing.
    class Passage {
      public:
        Passage() = default;
        Passage(Passage&&) noexcept = default;
        Passage& operator=(Passage&& other) noexcept {
            std::swap(state_, other.state_);
            std::swap(write_, other.write_);
            return *this;
        }
        ~Passage() {
            if (!state_) return;
            const auto lock = std::lock_guard(state_->mutex);
            state_->under_way.erase(write_);
        }

      private:
        friend class WriteFence;
        std::shared_ptr<State> state_; ///< null: it needs no right
        std::list<Write>::iterator write_{};
    };

    /// Nothing where the fence is at `epoch` or beyond. Requires: offset + length does not overflow.
    [[nodiscard]] std::optional<Passage> enter(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
        auto passage = std::optional<Passage>(std::in_place);
        if (epoch == 0) return passage;
        const auto end = offset + length;
        const auto lock = std::lock_guard(state_->mutex);
        for (auto at = first_overlap(offset); at != state_->raised.end() && at->first < end; ++at)
            if (at->second.second >= epoch) return std::nullopt;
        passage->write_ = state_->under_way.insert(state_->under_way.end(), Write{offset, end, epoch});
        passage->state_ = state_;
        return passage;
    }

    /// No write of `epoch`, or of an older one, begins in `[offset, offset + length)` any more.
    template <class Void = void>
    void raise(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
        if (length == 0) return;
        const auto end = offset + length;
        const auto lock = std::lock_guard(state_->mutex);
        auto& raised = core::detail::known_later<Void>(state_->raised);
        // What is higher already stays; around it the new epoch counts.
        auto begin = offset;
        for (auto at = first_overlap(offset); at != raised.end() && at->first < end;) {
            const auto [old_begin, old] = *at;
            if (old.second >= epoch) {
                if (begin < old_begin) raised.emplace_hint(at, begin, std::pair(old_begin, epoch));
                begin = old.first;
                ++at;
                continue;
            }
            at = raised.erase(at);
            if (old_begin < begin) raised.emplace(old_begin, std::pair(begin, old.second));
            if (old.first > end) at = raised.emplace(end, old).first;
        }
        if (begin < end) raised.insert_or_assign(begin, std::pair(end, epoch));
    }

    /// Whether no write of `epoch`, or of an older one, is under way in `[offset, offset + length)`.
    [[nodiscard]] bool quiet(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) const {
        const auto lock = std::lock_guard(state_->mutex);
        for (const auto& write : state_->under_way)
            if (write.epoch <= epoch && write.offset < offset + length && offset < write.end) return false;
        return true;
    }

    /// The highest epoch to which the fence was raised anywhere in `[offset, offset + length)`; 0: nowhere.
    [[nodiscard]] std::uint64_t highest(std::uint64_t offset, std::uint64_t length) const {
        const auto lock = std::lock_guard(state_->mutex);
        auto epoch = std::uint64_t{0};
        for (auto at = first_overlap(offset); at != state_->raised.end() && at->first < offset + length; ++at)
            epoch = std::max(epoch, at->second.second);
        return epoch;
    }

    /// How many writes are under way that have an owner.
    [[nodiscard]] std::size_t under_way() const {
        const auto lock = std::lock_guard(state_->mutex);
        return state_->under_way.size();
    }

  private:
    /// The first fenced range that ends behind `offset`. Requires: the lock is held.
    [[nodiscard]] auto first_overlap(std::uint64_t offset) const -> decltype(State::raised)::iterator {
        auto& raised = state_->raised;
        auto at = raised.upper_bound(offset);
        if (at != raised.begin() && std::prev(at)->second.first > offset) --at;
        return at;
    }

    const std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace mooncake
