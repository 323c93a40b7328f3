#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/event.hpp>
#include <mooncake/net/lane_roster.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>

namespace mooncake::net::detail {

/// Whoever has a lane that may be closed behind its back.
class PooledLane {
  public:
    [[nodiscard]] virtual LaneSight sight() const = 0;
    /// Closes the lane unless something is on its way. Whether it did.
    virtual bool retire() = 0;

  protected:
    ~PooledLane() = default;
};

/// All lanes of a transport: closes one when there are more than `most` and, whenever it looks, those that are idle. While
/// all are busy there are more than `most`: whoever had to wait for a lane might hold what the others' users wait for.
/// Thread: any. Its lock is taken before those of the lanes' owners, who call it with none of theirs.
template <class Void = void> // only who uses it pays for compiling it
class LanePool {
  public:
    LanePool(std::size_t most, Duration idle) : most_(most), idle_(idle) {}

    /// A lane that was just made. Lifetime: until `remove`.
    void add(PooledLane& lane) {
        {
            const auto lock = std::lock_guard(mutex_);
            if (!lane.sight().open) return; // closed and removed meanwhile
            roster_.add(&lane, SteadyClock{}.now());
            make_room();
            const auto next = next_look_.or_sooner(due());
            if (next == next_look_) return;
            next_look_ = next;
        }
        sooner_.set();
    }
    void remove(PooledLane& lane) {
        const auto lock = std::lock_guard(mutex_);
        roster_.remove(&lane);
    }

    /// Until `look` is due: `timed_out`. `set`: that is sooner than it was. One waiter at a time. Cancellation: total.
    asio::awaitable<Wake> wait() {
        const auto lock = std::lock_guard(mutex_);
        return sooner_.wait(next_look_);
    }
    /// Closes what is idle, and what there is too much.
    void look() {
        const auto lock = std::lock_guard(mutex_);
        roster_.close_idle(SteadyClock{}.now(), idle_, &sight, &retire);
        make_room();
        next_look_ = due();
    }

  private:
    static LaneSight sight(const PooledLane* lane) { return lane->sight(); }
    static bool retire(PooledLane* lane) { return lane->retire(); }

    void make_room() {
        while (roster_.size() > most_ && roster_.close_one(&sight, &retire)) continue;
    }
    [[nodiscard]] Deadline due() const {
        const auto pause = idle_ / 4;
        return roster_.size() == 0      ? Deadline::never()
               : roster_.size() > most_ ? Deadline(std::min<Duration>(pause, std::chrono::milliseconds{100}))
                                        : Deadline(pause);
    }

    const std::size_t most_;
    const Duration idle_;
    std::mutex mutex_; // of what follows
    LaneRoster<PooledLane*> roster_;
    Deadline next_look_;
    Event sooner_;
};

} // namespace mooncake::net::detail
