#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/engine/dispatch.hpp>
#include <mooncake/engine/paths.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <mutex>
#include <span>
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
            if (interrupt == Interrupt::yes) start_what_fits(executor);
            if (flying_.empty()) break;
            if (thrown_ && interrupt == Interrupt::yes) interrupt = stop();
            const auto wake = co_await step_.wait(Deadline::never(), interrupt);
            if (wake == Wake::cancelled) interrupt = stop();
            settle();
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (thrown_) std::rethrow_exception(thrown_);
        const auto unsent = stopped_ ? Errc::cancelled : Errc::timed_out;
        for (const auto& run : work_) set_outcome(slices_of(run), unsent);
        if (!(failure_ == Errc::ok) && left_over_) co_return failure_;
        co_return ok;
    }

  private:
    /// Neighbouring slices, and what paths have done with them.
    struct Run {
        std::size_t first = 0, count = 0;
        Dispatcher::Paths except = 0; ///< could not move them, or not in this round
        Dispatcher::Paths silent = 0; ///< of those, the ones that only had too little time
        unsigned round = 0;           ///< in each one paths have twice the time
    };
    struct Flying {
        Run run;
        SliceGroup group;
        Dispatcher::Chunk chunk;
        core::detail::Child<void> child;
    };

    static constexpr unsigned most_doublings = 10;

    [[nodiscard]] std::span<Slice> slices_of(const Run& run) const {
        return group_.slices.subspan(run.first, run.count);
    }

    /// The children give the memory back, and are waited for.
    Interrupt stop() {
        stopped_ = true;
        for (auto& chunk : flying_) chunk.child.cancel();
        return Interrupt::no;
    }

    /// What throws here, such as the memory for one more, ends the operation once those under way are over.
    void start_what_fits(const Executor& executor) {
        try {
            while (!thrown_ && !group_.deadline.passed() && start_one(executor)) continue;
        } catch (...) {
            thrown_ = std::current_exception();
        }
    }

    bool start_one(const Executor& executor) {
        give_up_on_what_no_path_can_move();
        const auto now = SteadyClock{}.now();
        auto full = Dispatcher::Paths{0}; // what was asked for in vain: others may still go elsewhere
        for (auto at = work_.size(); at-- != 0;) {
            auto& run = work_[at];
            if (at + 1 != work_.size() && run.except == full) continue;
            auto& chunk = flying_.emplace_back();
            try {
                if (take(run, chunk, now)) {
                    if (run.count == 0) work_.erase(work_.begin() + static_cast<std::ptrdiff_t>(at));
                    start(executor, chunk);
                    return true;
                }
            } catch (...) {
                flying_.pop_back();
                throw;
            }
            full = run.except;
            flying_.pop_back();
        }
        return false;
    }

    /// Cuts the next bytes of `run` off, if a path has room for them.
    bool take(Run& run, Flying& chunk, TimePoint now) {
        const auto lock = std::lock_guard(mutex_);
        const auto must = flying_.size() == 1; // nothing else is under way
        const auto choice = dispatch_.choose({slices_of(run).front().length, left_}, run.except, must, now);
        if (!choice) return false;
        chunk.run = cut(run, choice->bytes);
        chunk.group = group_;
        chunk.group.slices = slices_of(chunk.run);
        const auto bytes = total_bytes(chunk.group.slices);
        left_ -= bytes;
        chunk.chunk = dispatch_.send(choice->path, bytes, now);
        // As long as others were not tried they are left some time as well.
        auto patience = chunk.chunk.patience * (1U << std::min(chunk.run.round, most_doublings));
        const auto others = (chunk.run.except | bit(choice->path)) != all();
        if (others) patience = std::min(patience, std::max(group_.deadline.left(now) / 2, least_patience));
        chunk.group.deadline = group_.deadline.or_sooner(Deadline(patience));
        return true;
    }

    void start(const Executor& executor, Flying& chunk) {
        auto over = [this, &chunk] {
            const auto lock = std::lock_guard(over_mutex_);
            over_.push_back(&chunk);
            step_.set(); // under the lock: this may be gone once somebody sees the last one over
        };
        try {
            {
                const auto lock = std::lock_guard(over_mutex_);
                over_.reserve(flying_.size());
            }
            chunk.child.start(executor, send_(chunk.chunk.path, chunk.group), std::move(over));
        } catch (...) {
            const auto lock = std::lock_guard(mutex_);
            dispatch_.gave_up(chunk.chunk, chunk.chunk.sent_at);
            throw;
        }
    }

    /// Where every path was tried, the silent ones have more time as long as there is some; the rest stays as it is.
    void give_up_on_what_no_path_can_move() {
        std::erase_if(work_, [this](Run& run) {
            if (run.count == 0) return true;
            if (run.except != all()) return false;
            if (run.silent != 0) {
                run.except &= ~std::exchange(run.silent, 0);
                ++run.round;
                return false;
            }
            left_over_ = true;
            left_ -= total_bytes(slices_of(run));
            return true;
        });
    }

    [[nodiscard]] static Dispatcher::Paths bit(std::size_t path) noexcept { return Dispatcher::Paths{1} << path; }
    [[nodiscard]] Dispatcher::Paths all() const noexcept {
        const auto paths = dispatch_.paths();
        return paths >= Dispatcher::most_paths ? ~Dispatcher::Paths{0} : bit(paths) - 1;
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
    void settle() {
        auto over = std::vector<Flying*>();
        {
            const auto lock = std::lock_guard(over_mutex_);
            over.swap(over_);
        }
        for (auto* const chunk : over) {
            try {
                settle(*chunk);
            } catch (...) {
                thrown_ = std::current_exception();
            }
            flying_.remove_if([&](const Flying& other) { return &other == chunk; });
        }
    }
    void settle(Flying& chunk) {
        if (chunk.child.thrown) thrown_ = chunk.child.thrown;
        const auto why = chunk.child.thrown ? Errc::ok : chunk.child.result.error().code();
        const auto failed = why != Errc::ok && why != Errc::cancelled && why != Errc::timed_out; // as a path
        const auto silent = !stopped_ && pass_on_what_was_not_answered(chunk.group, group_.deadline);
        {
            const auto now = SteadyClock{}.now();
            const auto lock = std::lock_guard(mutex_);
            if (failed) dispatch_.failed(chunk.chunk, now);
            else if (silent) dispatch_.silent(chunk.chunk, now);
            else if (!chunk.child.thrown && answered(chunk.group))
                dispatch_.arrived(chunk.chunk, arrived_bytes(chunk.group.slices), now);
            else dispatch_.gave_up(chunk.chunk, now);
        }
        if (failed) failure_ = chunk.child.result.error();
        else if (silent) failure_ = Error(Errc::connection_lost, "no answer over one of several paths in its time");
        if (stopped_ || chunk.child.thrown) return;
        // What a path could not do another may; and what leads to somebody else, as an address of another network can, is no
        // answer of the segment's.
        const auto again = [why](const Slice& slice) {
            return retryable(slice.outcome) || (why == Errc::stale_generation && slice.outcome == why);
        };
        auto run = chunk.run;
        const auto end = run.first + run.count;
        run.except |= bit(chunk.chunk.path);
        if (silent) run.silent |= bit(chunk.chunk.path);
        for (auto i = run.first; i < end; i += run.count) {
            const auto wanted = again(group_.slices[i]);
            run.first = i;
            for (run.count = 1; i + run.count < end && again(group_.slices[i + run.count]) == wanted;) ++run.count;
            if (!wanted) continue;
            work_.push_back(run);
            left_ += total_bytes(slices_of(run));
        }
    }
    [[nodiscard]] static std::uint64_t arrived_bytes(std::span<const Slice> slices) noexcept {
        auto bytes = std::uint64_t{0};
        for (const auto& slice : slices) bytes += slice.outcome == Errc::ok ? slice.length : 0;
        return bytes;
    }

    static constexpr Duration least_patience = std::chrono::milliseconds{20};

    Dispatcher& dispatch_;
    std::mutex& mutex_;
    const SliceGroup group_;
    Send send_;
    std::vector<Run> work_;  ///< what nobody has taken, or nobody could move: the last one is next
    std::uint64_t left_ = 0; ///< bytes of that
    std::list<Flying> flying_;
    Error failure_;
    std::exception_ptr thrown_;
    bool left_over_ = false; ///< some that no path could move
    bool stopped_ = false;   ///< nobody wants the rest

    std::mutex over_mutex_; // of `over_`
    std::vector<Flying*> over_;
    Event step_;
};

} // namespace mooncake::engine::detail
