#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/engine/dispatch.hpp>
#include <mooncake/engine/paths.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <exception>
#include <list>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::engine::detail {

/// Gives bytes that nobody answered for back to be sent over another path, if there is time left; tells whether there were any.
inline bool pass_on_what_was_not_answered(const SliceGroup& attempt, Deadline deadline) {
    if (attempt.deadline == deadline || deadline.passed()) return false;
    auto silent = false;
    for (auto& slice : attempt.slices)
        if (slice.outcome == Errc::timed_out) slice.outcome = Errc::connection_lost, silent = true;
    return silent;
}

/// Whether something came back for any slice, and be it a refusal.
inline bool answered(const SliceGroup& attempt) {
    return std::any_of(attempt.slices.begin(), attempt.slices.end(), [](const Slice& slice) {
        return slice.outcome != Errc::timed_out && slice.outcome != Errc::cancelled;
    });
}

/// Moves one group over several paths at once, as a `Dispatcher` tells: in chunks of neighbouring slices, each over one path,
/// and over another one when that fails or is silent.
/// `Send`: `send(path, group)` moves a group over one of them, a `Task<void>` as `Transport::transfer` gives it.
/// Lifetime: it, and all that it is made from, outlives `run`.
template <class Send>
class Spreading {
  public:
    /// `mutex`: of `dispatch`, which others use as well.
    Spreading(Dispatcher& dispatch, std::mutex& mutex, const SliceGroup& group, Send send)
        : dispatch_(dispatch), mutex_(mutex), group_(group), send_(std::move(send)), work_{{0, group.slices.size(), 0}},
          left_(total_bytes(group.slices)) {}

    /// Errors: the sentence of the last path that failed, where slices are left that no path could move.
    Task<void> run() {
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        const auto executor = co_await asio::this_coro::executor;
        auto interrupt = Interrupt::yes;
        for (;;) {
            if (interrupt == Interrupt::yes && !group_.deadline.passed()) start_what_fits(executor);
            if (flying_.empty()) break;
            const auto wake = co_await step_.wait(Deadline::never(), interrupt);
            if (wake == Wake::cancelled) {
                interrupt = Interrupt::no;
                for (auto& chunk : flying_) chunk.child.cancel();
            }
            settle(interrupt == Interrupt::no);
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (thrown_) std::rethrow_exception(thrown_);
        const auto unsent = interrupt == Interrupt::no ? Errc::cancelled : Errc::timed_out;
        for (const auto& run : work_) set_outcome(group_.slices.subspan(run.first, run.count), unsent);
        if (!(failure_ == Errc::ok) && left_over_) co_return failure_;
        co_return ok;
    }

  private:
    /// Neighbouring slices, and the paths that could not move them.
    struct Run {
        std::size_t first = 0, count = 0;
        Dispatcher::Paths except = 0;
    };
    struct Flying {
        Run run;
        SliceGroup group;
        Dispatcher::Chunk chunk;
        core::detail::Child<void> child;
    };

    void start_what_fits(const Executor& executor) {
        while (!work_.empty()) {
            auto& run = work_.back();
            const auto slices = group_.slices.subspan(run.first, run.count);
            if (slices.empty()) {
                work_.pop_back();
                continue;
            }
            const auto all =
                dispatch_.paths() == 64 ? ~Dispatcher::Paths{0} : (Dispatcher::Paths{1} << dispatch_.paths()) - 1;
            if ((run.except & all) == all) {
                left_over_ = true; // with the outcomes that they had last
                left_ -= total_bytes(slices);
                work_.pop_back();
                continue;
            }
            const auto now = SteadyClock{}.now();
            const auto lock = std::lock_guard(mutex_);
            const auto choice = dispatch_.choose({slices.front().length, left_}, run.except, flying_.empty(), now);
            if (!choice) return;
            auto& chunk = flying_.emplace_back();
            chunk.run = cut(run, choice->bytes);
            chunk.group = group_;
            chunk.group.slices = group_.slices.subspan(chunk.run.first, chunk.run.count);
            const auto bytes = total_bytes(chunk.group.slices);
            left_ -= bytes;
            chunk.chunk = dispatch_.send(choice->path, bytes, now);
            chunk.group.deadline = group_.deadline.or_sooner(Deadline(chunk.chunk.patience));
            chunk.child.start(executor, send_(choice->path, chunk.group), [this, &chunk] {
                const auto over_lock = std::lock_guard(over_mutex_);
                over_.push_back(&chunk);
                step_.set(); // under the lock: this may be gone once somebody sees the last one over
            });
        }
    }

    /// Takes slices of at most `bytes`, at least one, from the front of `run`.
    Run cut(Run& run, std::uint64_t bytes) const {
        auto part = run;
        part.count = 0;
        for (auto sum = std::uint64_t{0}; part.count < run.count; ++part.count) {
            sum += group_.slices[run.first + part.count].length;
            if (part.count != 0 && sum > bytes) break;
        }
        run.first += part.count;
        run.count -= part.count;
        return part;
    }

    /// What those that are over have done.
    void settle(bool cancelled) {
        auto over = std::vector<Flying*>();
        {
            const auto lock = std::lock_guard(over_mutex_);
            over.swap(over_);
        }
        for (auto* const chunk : over) {
            settle(*chunk, cancelled);
            flying_.remove_if([&](const Flying& other) { return &other == chunk; });
        }
    }
    void settle(Flying& chunk, bool cancelled) {
        if (chunk.child.thrown) thrown_ = chunk.child.thrown;
        const auto silent = !cancelled && pass_on_what_was_not_answered(chunk.group, group_.deadline);
        const auto failed = chunk.child.result.has_error() && !chunk.child.thrown;
        {
            const auto now = SteadyClock{}.now();
            const auto lock = std::lock_guard(mutex_);
            if (cancelled || chunk.child.thrown) dispatch_.gave_up(chunk.chunk, now);
            else if (failed) dispatch_.failed(chunk.chunk, now);
            else if (silent) dispatch_.silent(chunk.chunk, now);
            else if (answered(chunk.group)) dispatch_.arrived(chunk.chunk, now);
            else dispatch_.gave_up(chunk.chunk, now);
        }
        if (failed) failure_ = chunk.child.result.error();
        else if (silent) failure_ = Error(Errc::connection_lost, "no answer over one of several paths in its time");
        if (cancelled) return;
        auto run = chunk.run;
        run.except |= Dispatcher::Paths{1} << chunk.chunk.path;
        for (auto i = chunk.run.first; i < chunk.run.first + chunk.run.count; i += run.count) {
            const auto again = retryable(group_.slices[i].outcome);
            run.first = i;
            for (run.count = 1; i + run.count < chunk.run.first + chunk.run.count &&
                                retryable(group_.slices[i + run.count].outcome) == again;)
                ++run.count;
            if (!again) continue;
            work_.push_back(run);
            left_ += total_bytes(group_.slices.subspan(run.first, run.count));
        }
    }

    Dispatcher& dispatch_;
    std::mutex& mutex_;
    const SliceGroup group_;
    Send send_;
    std::vector<Run> work_;  ///< what nobody has taken, or nobody could move: the last one is next
    std::uint64_t left_ = 0; ///< bytes of that
    std::list<Flying> flying_;
    Error failure_;
    std::exception_ptr thrown_;
    bool left_over_ = false;

    std::mutex over_mutex_; // of `over_`
    std::vector<Flying*> over_;
    Event step_;
};

} // namespace mooncake::engine::detail
