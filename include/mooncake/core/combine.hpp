#pragma once

#include <mooncake/core/with_deadline.hpp>

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace mooncake {

namespace core::detail {

/// Several coroutines at once on the caller's executor, each for itself where several threads turn it.
template <class T>
class Together {
  public:
    void start(const Executor& executor, std::vector<Task<T>> tasks) {
        order_.reserve(tasks.size());
        for (auto& task : tasks) {
            auto& child = children_.emplace_back();
            try {
                child.start(executor, std::move(task), [this, at = children_.size() - 1] { over_now(at); });
            } catch (...) { // those that were begun are not left alone with this
                child.thrown = std::current_exception();
                over_now(children_.size() - 1);
                break;
            }
        }
    }

    /// Waits until all are over. Cancels the rest when the caller is cancelled or `enough(result)` says so.
    template <class Enough>
    asio::awaitable<void> finish(Enough enough) {
        auto interrupt = Interrupt::yes;
        for (std::size_t seen = 0; seen < children_.size();) {
            const auto next = over(seen);
            if (!next) {
                const auto wake = co_await step_.wait(Deadline::never(), interrupt);
                if (wake == Wake::cancelled) cancel(interrupt);
                continue;
            }
            ++seen;
            auto& ended = children_[*next];
            if (interrupt == Interrupt::yes && (ended.thrown || enough(ended.result))) {
                if (!decided_) decided_ = *next;
                cancel(interrupt);
            }
        }
        for (auto& child : children_)
            if (child.thrown) std::rethrow_exception(child.thrown);
    }

    [[nodiscard]] std::optional<std::size_t> decided() const noexcept { return decided_; }
    Result<T>& result(std::size_t at) noexcept { return children_[at].result; }
    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }

  private:
    void over_now(std::size_t at) {
        const auto lock = std::lock_guard(mutex_);
        order_.push_back(at);
        step_.set(); // under the lock: this may be gone once somebody sees the last one over
    }

    /// The child that was over as the `at`-th, if one was.
    [[nodiscard]] std::optional<std::size_t> over(std::size_t at) {
        const auto lock = std::lock_guard(mutex_);
        return at < order_.size() ? std::optional(order_[at]) : std::nullopt;
    }

    void cancel(Interrupt& interrupt) {
        interrupt = Interrupt::no;
        for (auto& child : children_) child.cancel();
    }

    std::deque<Child<T>> children_;
    std::mutex mutex_; // of what follows; children may be over on several threads
    std::vector<std::size_t> order_;
    std::optional<std::size_t> decided_;
    Event step_;
};

} // namespace core::detail

/// Runs all of them at once and gives every result, in their order; a failure stops nobody.
/// Cancellation: passed on to each; their results say what became of them. Thread: as `with_deadline`.
template <class T>
asio::awaitable<std::vector<Result<T>>> all_settled(std::vector<Task<T>> tasks) {
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto together = core::detail::Together<T>();
    together.start(executor, std::move(tasks));
    co_await together.finish([](const Result<T>&) { return false; });
    co_await asio::this_coro::throw_if_cancelled(throws);
    auto results = std::vector<Result<T>>();
    results.reserve(together.size());
    for (std::size_t i = 0; i < together.size(); ++i) results.push_back(std::move(together.result(i)));
    co_return results;
}

/// Runs all of them at once; the first failure cancels the rest and is the result. All are over when it returns.
/// Cancellation: passed on to each. Thread: as `with_deadline`.
template <class T>
Task<void> all_or_cancel(std::vector<Task<T>> tasks) {
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto together = core::detail::Together<T>();
    together.start(executor, std::move(tasks));
    co_await together.finish([](const Result<T>& result) { return result.has_error(); });
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (const auto at = together.decided()) co_return together.result(*at).error();
    for (std::size_t i = 0; i < together.size(); ++i)
        if (together.result(i).has_error()) co_return together.result(i).error();
    co_return ok;
}

/// Runs all of them at once; the first success cancels the rest and is the result, and so does the last failure when
/// none succeeds. All are over when it returns. Errors: `invalid_argument` for no task at all.
/// Cancellation: passed on to each. Thread: as `with_deadline`.
template <class T>
Task<T> first_of(std::vector<Task<T>> tasks) {
    if (tasks.empty()) co_return Error(Errc::invalid_argument, "first_of needs at least one task");
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    auto together = core::detail::Together<T>();
    together.start(executor, std::move(tasks));
    co_await together.finish([](const Result<T>& result) { return result.has_value(); });
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return std::move(together.result(together.decided().value_or(together.size() - 1)));
}

} // namespace mooncake
