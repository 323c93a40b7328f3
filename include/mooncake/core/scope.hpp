#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/launch.hpp>
#include <mooncake/core/serial.hpp>

#include <boost/asio/dispatch.hpp>

#include <cassert>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

namespace core::detail {

/// Runs `task`; an exception of its is said to `broken` instead of being thrown on.
template <class Broken>
Task<void> guarded(Task<void> task, Broken broken) {
    auto what = std::string();
    try {
        co_return co_await std::move(task);
    } catch (...) {
        what = what_is_thrown();
    }
    broken(std::move(what));
    co_return Errc::system;
}

} // namespace core::detail

/// Holds the coroutines somebody started, so that none outlives what it uses.
/// `spawn` starts one; `close` refuses new ones, cancels those that run, and returns when all are over. Closing is not
/// optional: the destructor asserts that nothing is left.
/// Thread: `spawn`, `cancel` and `close` from any; the coroutines run on the scope's executor, one at a time.
class TaskScope {
  public:
    /// `executor`: a runtime's, or an application's own, which gets a strand on top of it.
    template <class Void = void> // here and below: only who uses it pays for compiling it
    explicit TaskScope(Executor executor)
        : state_(std::make_shared<State>(core::detail::serial<Void>(std::move(executor)))) {}
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;
    ~TaskScope() { assert(state_->count() == 0 && "close a TaskScope before it dies"); }

    /// Starts `task`, whose result nobody looks at: it deals with its own errors, and its exceptions (see `guarded`). One that
    /// gets out all the same ends the task and nothing else.
    /// Errors: `closed` when the scope is closing; the task is dropped unstarted.
    template <class = void>
    Result<void> spawn(Task<void> task) {
        auto child = state_->add();
        if (!child) return Errc::closed;
        // On the executor, where `cancel` looks for what to cancel: a signal has no lock of its own.
        asio::dispatch(state_->executor, [state = state_, at = *child, task = std::move(task)]() mutable {
            auto over = [state, at](const std::exception_ptr&) { state->remove(at); };
            core::detail::launch(state->executor, core::detail::entry(std::move(task), at->result), at->signal.slot(),
                                 std::move(over));
            if (state->cancelled) at->signal.emit(asio::cancellation_type::terminal);
        });
        return ok;
    }

    /// Asks every coroutine to stop and refuses new ones. They are over when `join` returns.
    template <class = void>
    void cancel() {
        asio::dispatch(state_->executor, [state = state_] { state->cancel(); });
    }

    /// Waits for all to end by themselves; new ones are refused. Several may wait. Cancellation: none.
    template <class = void>
    asio::awaitable<void> join() {
        auto empty = Event();
        if (state_->close(&empty)) co_await empty.wait(Deadline::never(), Interrupt::no);
    }

    /// `cancel`, then `join`. Idempotent.
    template <class = void>
    asio::awaitable<void> close() {
        cancel();
        co_await join();
    }

    [[nodiscard]] const Executor& executor() const noexcept { return state_->executor; }

  private:
    struct Child {
        asio::cancellation_signal signal;
        Result<void> result = ok;
    };
    using Handle = std::list<Child>::iterator;

    struct State {
        explicit State(Executor ex) : executor(std::move(ex)) {}

        Result<Handle> add() {
            const auto lock = std::lock_guard(mutex);
            if (closing) return Errc::closed;
            return children.emplace(children.end());
        }
        void remove(Handle child) {
            const auto lock = std::lock_guard(mutex);
            children.erase(child);
            if (!children.empty()) return;
            for (auto* const empty : joining) empty->set();
            joining.clear();
        }
        /// Whether there is something to wait for; `empty` is set when there is not any more.
        bool close(Event* empty) {
            const auto lock = std::lock_guard(mutex);
            closing = true;
            if (!children.empty() && empty != nullptr) joining.push_back(empty);
            return !children.empty();
        }
        void cancel() {
            (void)close(nullptr);
            cancelled = true;
            // On the executor, where children end: the list cannot shrink under this loop, and `spawn` adds no more.
            for (auto& child : children) child.signal.emit(asio::cancellation_type::terminal);
        }
        std::size_t count() {
            const auto lock = std::lock_guard(mutex);
            return children.size();
        }

        Executor executor;
        std::mutex mutex;
        std::list<Child> children;
        bool closing = false;
        bool cancelled = false;      ///< looked at on the executor only
        std::vector<Event*> joining; ///< those who wait for its end
    };

    std::shared_ptr<State> state_;
};

} // namespace mooncake
