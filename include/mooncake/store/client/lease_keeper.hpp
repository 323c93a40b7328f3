#pragma once

#include <mooncake/core/scope.hpp>
#include <mooncake/store/client/cached_lease.hpp>
#include <mooncake/store/master_link.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Until when a client trusts a lease of `ttl_ms` that was asked for at `asked`: less than the master grants, since its
/// answer took time and clocks differ.
[[nodiscard]] inline TimePoint trusted_until(TimePoint asked, std::uint64_t ttl_ms) noexcept {
    const auto ttl = std::chrono::milliseconds{ttl_ms};
    return asked + ttl - std::min<Duration>(ttl / 10, std::chrono::milliseconds{500});
}

/// Renews the leases of what is open and gives back those that are not needed any more, many in one message, behind the
/// backs of those who use them. Complexity: O(log leases) for one that is opened, renewed or closed.
template <class Master>
class LeaseKeeper {
  public:
    LeaseKeeper(Executor executor, Master& master) : master_(master), scope_(std::move(executor)) {}

    void start() { (void)scope_.spawn(run()); }

    [[nodiscard]] std::shared_ptr<OpenLease> keep(std::uint64_t id, TimePoint trusted) {
        auto open = std::make_shared<Kept>(state_, id, trusted);
        watch(open);
        return open;
    }

    /// The same of one that is renewed while views are open under it, and that the client who was told its number releases.
    [[nodiscard]] std::shared_ptr<CachedLease> cache(std::uint64_t id, TimePoint trusted, CachedLease::Told told) {
        return std::make_shared<Cached>(state_, id, trusted, told);
    }

    /// Asks whether it is wanted when it is to be renewed. Thread: any.
    void watch(const std::shared_ptr<OpenLease>& lease) {
        const auto due = due_at(SteadyClock{}.now(), lease->trusted_until());
        const auto lock = std::lock_guard(state_->mutex);
        const auto at = state_->open.emplace(due, lease);
        if (at == state_->open.begin()) state_->changed.set();
    }

    /// Releases it soon. Thread: any.
    void release(std::uint64_t id) { state_->release(id); }

    /// Releases what is to be released, and waits for that.
    asio::awaitable<void> flush() {
        auto message = Release();
        {
            const auto lock = std::lock_guard(state_->mutex);
            message.leases.swap(state_->done);
        }
        // A lease that could not be released ends by itself.
        while (!message.leases.empty()) {
            auto part = Release();
            const auto count = std::min(most, message.leases.size());
            part.leases.assign(message.leases.end() - static_cast<std::ptrdiff_t>(count), message.leases.end());
            message.leases.resize(message.leases.size() - count);
            (void)co_await master_.call(part, Deadline(std::chrono::seconds(1)));
        }
    }

    /// Releases what is left to release, and renews no more.
    asio::awaitable<void> close() {
        co_await scope_.close();
        co_await flush();
    }

  private:
    /// A lease has this much time left, or half of what it had, when it is renewed.
    static constexpr Duration margin = std::chrono::seconds{2};
    /// A renewal that could not be asked for is asked for again so soon: what is open must not be lost to one lost message.
    static constexpr Duration pause = std::chrono::milliseconds{100};
    static constexpr auto patience = std::chrono::milliseconds{500}; ///< with one message
    static constexpr std::size_t most = 4096;                        ///< leases in one message

    struct State {
        void release(std::uint64_t id) {
            const auto lock = std::lock_guard(mutex);
            done.push_back(id);
            if (done.size() == 1) changed.set();
        }
        std::mutex mutex; // of what follows
        std::vector<std::uint64_t> done;
        std::multimap<TimePoint, std::weak_ptr<OpenLease>> open; ///< by when they are to be renewed
        Event changed;
    };
    struct Kept final : OpenLease {
        Kept(std::shared_ptr<State> in, std::uint64_t id, TimePoint trusted)
            : OpenLease(id, trusted), state(std::move(in)) {}
        ~Kept() override { state->release(id()); }
        const std::shared_ptr<State> state;
    };
    struct Cached final : CachedLease {
        Cached(std::shared_ptr<State> in, std::uint64_t id, TimePoint trusted, Told told)
            : CachedLease(id, trusted, told), state(std::move(in)) {}
        ~Cached() override {
            if (!told() && !was_given_up()) state->release(id());
        }
        const std::shared_ptr<State> state;
    };
    using Open = std::vector<std::shared_ptr<OpenLease>>;

    static TimePoint due_at(TimePoint now, TimePoint trusted) noexcept {
        return trusted - std::min<Duration>(margin, (trusted - now) / 2);
    }

    Task<void> run() {
        for (auto wake = Wake::set; wake != Wake::cancelled;) {
            co_await flush();
            auto due = take_due();
            if (!due.empty()) co_await renew(std::move(due));
            wake = co_await state_->changed.wait(next());
        }
        co_return ok;
    }

    Open take_due() {
        auto due = Open(), idle = Open(); // none ends under the lock, which its end takes
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(state_->mutex);
        auto& open = state_->open;
        while (!open.empty() && open.begin()->first <= now && due.size() < most) {
            if (auto lease = open.begin()->second.lock()) {
                auto& to = lease->wanted() ? due : idle;
                to.push_back(std::move(lease));
            }
            open.erase(open.begin());
        }
        return due;
    }

    Deadline next() {
        const auto lock = std::lock_guard(state_->mutex);
        return state_->open.empty() ? Deadline::never() : Deadline(state_->open.begin()->first);
    }

    asio::awaitable<void> renew(Open due) {
        const auto asked = SteadyClock{}.now();
        auto message = RenewMany();
        message.leases.reserve(due.size());
        for (const auto& lease : due) message.leases.push_back(lease->id());
        const auto renewed = co_await master_.call(message, Deadline(patience));
        const auto now = SteadyClock{}.now();
        for (std::size_t i = 0; i < due.size(); ++i) {
            auto& lease = *due[i];
            const auto answered = renewed && i < renewed->ttls_ms.size();
            const auto over = answered && renewed->ttls_ms[i] == 0;
            // One whose time passed unheard is lost: what the master says now cannot vouch for the time between.
            if (over || asked >= lease.trusted_until()) lease.lose();
            else if (answered) lease.renewed(trusted_until(asked, renewed->ttls_ms[i]));
            if (!lease.holds()) continue;
            const auto again = answered ? due_at(now, lease.trusted_until()) : now + pause;
            const auto lock = std::lock_guard(state_->mutex);
            state_->open.emplace(again, due[i]);
        }
    }

    Master& master_;
    const std::shared_ptr<State> state_ = std::make_shared<State>();
    TaskScope scope_;
};

} // namespace mooncake::store::detail
