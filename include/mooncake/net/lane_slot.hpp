#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/secret.hpp>
#include <mooncake/health/backoff.hpp>
#include <mooncake/net/lane.hpp>
#include <mooncake/net/lane_pool.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

namespace mooncake {

/// A lane to one server, and a new one after it failed: at once if the old one had served somebody, else when the backoff
/// allows. In a pool, which may close a lane that nobody uses, there is a new one when somebody does.
/// Thread: any. Close it before it dies.
template <StreamPolicy P>
class LaneSlot final : public net::detail::PooledLane {
  public:
    /// Lifetime: `pool` outlives it.
    LaneSlot(Executor executor, LaneConfig config, BackoffConfig backoff = {}, P policy = {},
             net::detail::LanePool<>* pool = nullptr)
        : config_(std::move(config)), policy_(std::move(policy)), pool_(pool), backoff_(backoff, random_secret()),
          retired_(std::move(executor)) {}

    /// The lane to use now. `deadline`: of who asks. Where it never passes, and the last lane's peer fell silent, a new one is
    /// given up soon: nobody else says when it is over.
    /// Errors: `closed`; the last lane's failure while it is too early to try again.
    Result<std::shared_ptr<Lane<P>>> lane(Deadline deadline) {
        auto made = std::shared_ptr<Lane<P>>();
        {
            const auto lock = std::lock_guard(mutex_);
            if (closed_) return Errc::closed;
            if (lane_ && !lane_->failed()) return lane_;
            if (const auto may = make_lane(deadline); !may) return may.error();
            made = lane_;
        }
        if (pool_ != nullptr) pool_->add(*this);
        return made;
    }

    /// `Lane::submit` to the lane to use now, or to the next one where that was retired meanwhile.
    /// Errors: as `lane`; nothing was submitted then.
    Result<typename Lane<P>::Ticket> submit(LaneOperation& operation, Deadline deadline) {
        for (;;) {
            const auto lane = this->lane(deadline);
            if (!lane) return lane.error();
            if (auto ticket = (*lane)->submit_unless_retired(operation)) return std::move(*ticket);
        }
    }

    /// What `Lane::bytes_in_flight` says of the lane in use.
    [[nodiscard]] std::uint64_t bytes_in_flight() const {
        const auto lock = std::lock_guard(mutex_);
        return lane_ ? lane_->bytes_in_flight() : 0;
    }

    /// Whether the lanes are on the calling thread.
    [[nodiscard]] bool runs_here() const noexcept { return core::detail::runs_here(retired_.executor()); }

    /// Ends what is outstanding with `closed`. Idempotent, and over when it is closed, whoever else closes it.
    asio::awaitable<void> close() { return closing_.once(close_now()); }

    [[nodiscard]] net::detail::LaneSight sight() const override {
        const auto lock = std::lock_guard(mutex_);
        if (!lane_ || lane_->failed()) return {};
        return {.open = true, .busy = lane_->bytes_in_flight() != 0, .asked = lane_->asked()};
    }
    bool retire() override {
        const auto lock = std::lock_guard(mutex_);
        if (!lane_ || !lane_->retire()) return false;
        if (lane_->has_served()) {
            backoff_.succeeded();
            silent_ = false;
        }
        (void)retired_.spawn(let_go(std::move(lane_)));
        return true;
    }

  private:
    /// Requires: the lock is held, and the lane that there is has failed. Errors: it is too early.
    Result<void> make_lane(Deadline deadline) {
        const auto now = SteadyClock{}.now();
        if (lane_) {
            failure_ = lane_->failure();
            silent_ = lane_->fell_silent();
            lane_->has_served() ? backoff_.succeeded() : backoff_.failed(now);
            (void)retired_.spawn(let_go(std::move(lane_)));
        }
        if (!backoff_.may_try(now)) return failure_;
        auto config = config_;
        if (silent_ && deadline.is_never()) config.connect_within = std::min(config.connect_within, soon);
        lane_ = std::make_shared<Lane<P>>(retired_.executor(), std::move(config), policy_);
        lane_->start();
        return ok;
    }

    asio::awaitable<void> close_now() {
        auto last = std::shared_ptr<Lane<P>>();
        {
            const auto lock = std::lock_guard(mutex_);
            closed_ = true;
            last = std::move(lane_);
        }
        if (pool_ != nullptr) pool_->remove(*this);
        if (last) co_await last->close();
        co_await retired_.join();
    }

    static Task<void> let_go(std::shared_ptr<Lane<P>> lane) {
        co_await lane->close();
        co_return ok;
    }

    static constexpr auto soon = std::chrono::milliseconds{1'000};

    const LaneConfig config_;
    const P policy_;
    net::detail::LanePool<>* const pool_; ///< or none
    mutable std::mutex mutex_;
    std::shared_ptr<Lane<P>> lane_;
    Error failure_;
    bool silent_ = false; ///< the last lane's peer was
    Backoff backoff_;
    bool closed_ = false;
    TaskScope retired_;
    Closing closing_;
};

} // namespace mooncake
