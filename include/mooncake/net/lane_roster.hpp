#pragma once

#include <mooncake/core/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mooncake::net::detail {

/// What can be seen of a lane from outside, without a word to whoever uses it.
struct LaneSight {
    bool open = false;       ///< whether there is one
    bool busy = false;       ///< whether something is on its way
    std::uint64_t asked = 0; ///< how often something was asked for; 0: it was made for somebody who is about to
};

/// Which of many lanes are closed: those of which nothing was asked for long, and, where they are too many, one by SIEVE.
/// A hand walks from the oldest to the newest and round again; who was asked for something since its last visit stays and
/// loses that mark, who is busy stays and keeps it, and the first other one goes. Being asked costs nothing here: the mark
/// is a count that has changed. Pure: the caller brings the time, looks, and closes.
/// Complexity: linear in the lanes, where one is made or looked for, and nothing for a request.
/// `look(key)` gives a `LaneSight`; `close(key)` tells whether it is closed now, which one that has become busy is not.
/// Source: "SIEVE is Simpler than LRU", NSDI'24.
template <class Key>
class LaneRoster {
  public:
    /// A lane that was just made; a `key` that is in here has another one than before.
    void add(Key key, TimePoint now) {
        remove(key);
        order_.push_back({.key = std::move(key), .quiet_since = now});
    }
    void remove(const Key& key) {
        for (std::size_t at = 0; at < order_.size(); ++at)
            if (order_[at].key == key) return take_out(at);
    }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

    /// Closes one, or finds one that is not open any more. False: all are busy.
    template <class Look, class Close>
    bool close_one(const Look& look, const Close& close) {
        // The second time round all have lost their marks, so twice round finds one if there is any.
        for (auto steps = 2 * order_.size(); steps != 0; --steps) {
            auto& entry = order_[hand_];
            const auto sight = look(entry.key);
            if (!sight.open || (is_its_turn(entry, sight) && close(entry.key))) {
                take_out(hand_);
                return true;
            }
            if (++hand_ == order_.size()) hand_ = 0;
        }
        return false;
    }

    /// Closes those of which nothing was asked in all looks of `idle` or more, and strikes out those that are not open.
    template <class Look, class Close>
    void close_idle(TimePoint now, Duration idle, const Look& look, const Close& close) {
        for (auto at = order_.size(); at-- != 0;) {
            auto& entry = order_[at];
            const auto sight = look(entry.key);
            const auto used = std::exchange(entry.asked_at_look, sight.asked) != sight.asked || sight.busy;
            if (used) entry.quiet_since = now;
            if (!sight.open || (now - entry.quiet_since >= idle && close(entry.key))) take_out(at);
        }
    }

  private:
    struct Entry {
        Key key;
        std::uint64_t asked_at_visit = 1; ///< what it was made for is no use beyond that
        std::uint64_t asked_at_look = 0;
        TimePoint quiet_since{};
    };

    /// Takes the mark from who is not busy.
    static bool is_its_turn(Entry& entry, const LaneSight& sight) noexcept {
        if (sight.busy || sight.asked == 0) return false;
        return std::exchange(entry.asked_at_visit, sight.asked) == sight.asked;
    }

    void take_out(std::size_t at) {
        order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(at));
        if (at < hand_) --hand_;
        if (hand_ == order_.size()) hand_ = 0;
    }

    std::vector<Entry> order_; ///< the oldest first
    std::size_t hand_ = 0;     ///< the next to be visited
};

} // namespace mooncake::net::detail
