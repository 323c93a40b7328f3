#pragma once

#include <mooncake/core/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

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
/// `look(key)` gives a `LaneSight`; `close(key)` tells whether it is closed now, which one that has become busy is not.
/// Source: "SIEVE is Simpler than LRU", NSDI'24.
template <class Key>
class LaneRoster {
  public:
    LaneRoster() = default;
    LaneRoster(const LaneRoster&) = delete;
    LaneRoster& operator=(const LaneRoster&) = delete;

    /// A lane that was just made; a `key` that is in here has another one than before.
    void add(Key key, TimePoint now) {
        remove(key);
        order_.push_back({.key = key, .quiet_since = now});
        where_.emplace(std::move(key), std::prev(order_.end()));
    }
    void remove(const Key& key) {
        const auto found = where_.find(key);
        if (found != where_.end()) take_out(found->second);
    }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

    /// Closes one, or finds one that is not open any more. False: all are busy.
    /// Complexity: amortised O(1) and the busy ones.
    template <class Look, class Close>
    bool close_one(const Look& look, const Close& close) {
        // The second time round all have lost their marks, so twice round finds one if there is any.
        for (auto steps = 2 * order_.size(); steps != 0; --steps) {
            if (hand_ == order_.end()) hand_ = order_.begin();
            const auto at = hand_++;
            const auto sight = look(at->key);
            if (sight.busy || (sight.open && sight.asked == 0)) continue;
            if (sight.open && std::exchange(at->asked_at_visit, sight.asked) != sight.asked) continue;
            if (sight.open && !close(at->key)) continue;
            take_out(at);
            return true;
        }
        return false;
    }

    /// Closes those of which nothing was asked in all looks of `idle` or more, and strikes out those that are not open.
    template <class Look, class Close>
    void close_idle(TimePoint now, Duration idle, const Look& look, const Close& close) {
        for (auto next = order_.begin(); next != order_.end();) {
            const auto at = next++;
            const auto sight = look(at->key);
            const auto used = std::exchange(at->asked_at_look, sight.asked) != sight.asked || sight.busy;
            if (used) at->quiet_since = now;
            if (!sight.open || (now - at->quiet_since >= idle && close(at->key))) take_out(at);
        }
    }

  private:
    struct Entry {
        Key key;
        std::uint64_t asked_at_visit = 1; ///< what it was made for is no use beyond that
        std::uint64_t asked_at_look = 0;
        TimePoint quiet_since{};
    };
    using Order = std::list<Entry>; // the oldest first

    void take_out(typename Order::iterator at) {
        if (hand_ == at) ++hand_;
        where_.erase(at->key);
        order_.erase(at);
    }

    Order order_;
    typename Order::iterator hand_ = order_.end();
    std::unordered_map<Key, typename Order::iterator> where_;
};

} // namespace mooncake::net::detail
