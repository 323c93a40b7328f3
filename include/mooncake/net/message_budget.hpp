#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/event.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace mooncake::net::detail {

/// What the messages of all connections of a server may take together. A message of some size has its share before it comes
/// in, and keeps it until it was served; small ones need none. Who waits for a share for long makes the holder leave that
/// has kept most for longest, and for some time: such as a peer that announced a message and does not send it. Where those
/// who are leaving hold enough, nobody else has to, unless they do not go.
/// Thread: any.
class MessageBudget : public std::enable_shared_from_this<MessageBudget> {
  public:
    /// Messages up to this are free.
    static constexpr std::uint64_t small = 16 * KiB;

    explicit MessageBudget(std::uint64_t bytes) noexcept : limit_(bytes), left_(bytes) {}

    /// Given back when it dies.
    class Share {
      public:
        Share(std::shared_ptr<MessageBudget> budget, std::uint64_t bytes, std::function<void()> leave)
            : budget_(std::move(budget)), bytes_(bytes), leave_(std::move(leave)) {}
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share() { budget_->give_back(*this); }

      private:
        friend class MessageBudget;
        const std::shared_ptr<MessageBudget> budget_;
        const std::uint64_t bytes_;
        const std::function<void()> leave_; ///< makes the holder let go of it soon
        TimePoint since_;                   ///< when it was granted
        TimePoint told_;                    ///< when it was told to leave; the epoch: it was not
        bool granted_ = false;

        [[nodiscard]] bool leaving() const noexcept { return told_ != TimePoint(); }
    };

    /// A share for a message of `bytes` bytes, once there is room for it; null for a small one. More than all there is
    /// counts as all. `leave()` makes whoever holds the share let go of it soon.
    /// Cancellation: null. Lifetime: the share keeps the budget.
    template <class = void> // only who uses it pays for compiling it
    asio::awaitable<std::shared_ptr<const void>> take(std::uint64_t bytes, std::function<void()> leave) {
        if (bytes <= small) co_return nullptr;
        const auto wanted = std::min(bytes, limit_);
        const auto share = std::make_shared<Share>(this->shared_from_this(), wanted, std::move(leave));
        auto come = Event();
        if (grant_or_wait(*share, come)) co_return share;
        for (;;) {
            const auto wake = co_await come.wait(Deadline(patience));
            if (wake == Wake::set) co_return share;
            if (wake == Wake::timed_out) shed_worst(come);
            else if (give_up(come)) co_return nullptr;
            else co_return share;
        }
    }

    [[nodiscard]] std::uint64_t left() const {
        const auto lock = std::lock_guard(mutex_);
        return left_;
    }

    static constexpr Duration patience = std::chrono::milliseconds{100};
    static constexpr Duration time_to_leave = 10 * patience;

  private:
    struct Waiting {
        Share* share;
        Event* come;
    };

    bool grant_or_wait(Share& share, Event& come) {
        const auto lock = std::lock_guard(mutex_);
        if (waiting_.empty() && share.bytes_ <= left_) return grant(share), true;
        waiting_.push_back({&share, &come});
        return false;
    }
    bool give_up(const Event& come) {
        const auto lock = std::lock_guard(mutex_);
        const auto had_none = std::erase_if(waiting_, [&](const Waiting& one) { return one.come == &come; }) != 0;
        grant_what_fits(); // it may have been in the way of a smaller one
        return had_none;
    }
    void give_back(const Share& share) {
        const auto lock = std::lock_guard(mutex_);
        if (!share.granted_) return;
        left_ += share.bytes_;
        std::erase(holders_, &share);
        grant_what_fits();
    }
    /// To those who wait, in order. Requires: the lock is held.
    void grant_what_fits() {
        while (!waiting_.empty() && waiting_.front().share->bytes_ <= left_) {
            grant(*waiting_.front().share);
            waiting_.front().come->set();
            waiting_.pop_front();
        }
    }
    /// Requires: the lock is held.
    void grant(Share& share) {
        share.granted_ = true;
        share.since_ = SteadyClock{}.now();
        left_ -= share.bytes_;
        holders_.push_back(&share);
    }
    /// Whoever has waited for longest decides, so that one goes at a time.
    void shed_worst(const Event& come) {
        auto leave = std::function<void()>();
        {
            const auto lock = std::lock_guard(mutex_);
            if (waiting_.empty() || waiting_.front().come != &come) return;
            const auto now = SteadyClock{}.now();
            auto soon = left_;
            for (const auto* share : holders_)
                if (share->leaving() && now - share->told_ < time_to_leave) soon += share->bytes_;
            if (soon >= waiting_.front().share->bytes_) return;
            const auto cost = [now](const Share* share) {
                const auto held = std::chrono::duration<double>(now - share->since_).count();
                return share->leaving() ? -1.0 : static_cast<double>(share->bytes_) * held;
            };
            const auto worst =
                std::max_element(holders_.begin(), holders_.end(), [&](auto* a, auto* b) { return cost(a) < cost(b); });
            if (worst == holders_.end() || (*worst)->leaving() || now - (*worst)->since_ < patience) return;
            (*worst)->told_ = now;
            leave = (*worst)->leave_;
        }
        leave();
    }

    const std::uint64_t limit_;
    mutable std::mutex mutex_; // of what follows
    std::uint64_t left_;
    std::list<Share*> holders_;
    std::list<Waiting> waiting_;
};

} // namespace mooncake::net::detail
