#pragma once

#include <mooncake/core/event.hpp>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake {

/// Lets an object be closed by several at once: the first does it, and the others wait until it is done. After that it is
/// closed, and asking again costs nothing. Thread: any. Lifetime: whoever has seen it closed may destroy it.
class Closing {
  public:
    /// `close`: what closing is, as a coroutine that has yet to begin. Cancellation: none while somebody else does it.
    template <class = void> // only who uses it pays for compiling it
    asio::awaitable<void> once(asio::awaitable<void> close) {
        auto over = Event();
        const auto mine = begin(over);
        if (mine == State::closing) co_await over.wait(Deadline::never(), Interrupt::no);
        if (mine != State::open) co_return;
        const auto done = Done{this};
        co_await std::move(close);
    }

    [[nodiscard]] bool is_over() const {
        const auto lock = std::lock_guard(mutex_);
        return state_ == State::closed;
    }

  private:
    enum class State : std::uint8_t { open, closing, closed };

    struct Done {
        Closing* closing;
        ~Done() { closing->done(); }
    };

    /// As it was before.
    State begin(Event& over) {
        const auto lock = std::lock_guard(mutex_);
        if (state_ == State::closing) waiting_.push_back(&over);
        if (state_ != State::open) return state_;
        state_ = State::closing;
        return State::open;
    }
    void done() noexcept {
        auto waiting = std::vector<Event*>();
        {
            const auto lock = std::lock_guard(mutex_);
            state_ = State::closed;
            waiting.swap(waiting_);
        }
        for (auto* const over : waiting) over->set(); // this may be gone by now, and they are not
    }

    mutable std::mutex mutex_; // of what follows
    State state_ = State::open;
    std::vector<Event*> waiting_;
};

} // namespace mooncake
