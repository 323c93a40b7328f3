#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/engine/paths.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/spread.hpp>
#include <mooncake/engine/transports.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::engine::detail {

/// Moves groups over the paths to a segment, one after the other until every slice has arrived or was refused for good.
///
/// Silence is a failure of the path: as long as another one is left, each has a time of its own, at most half of what there
/// is, after which the next one gets what has not arrived. A path that failed is probed by one operation at a time while the
/// others go another way. What ends because its owner gave up says nothing of a path, one way or the other.
template <class Pool>
class Mover {
  public:
    using State = typename Pool::State;

    /// `patience`: what a path may take beyond the time that the bytes need. Lifetime: `pool` outlives it.
    Mover(Pool& pool, Duration patience) : pool_(pool), patience_(patience) {}

    /// Errors: the sentence of the last path that failed; what became of each slice is in it.
    Task<void> move(std::shared_ptr<State> state, PlannedGroup group) {
        auto choice = choose(*state);
        auto failure = Error();
        auto left = std::vector<Slice>(); // what a path could not move, from the second path on
        auto origin = std::vector<std::size_t>();
        auto current = group.slices;
        do {
            for (auto path = choice.next(); path && !current.slices.empty(); path = choice.next()) {
                const auto deadline = group.slices.deadline;
                const auto patience = patience_within(deadline);
                current.deadline = choice.more() ? attempt_until(current, patience, deadline) : deadline;
                const auto began = begin_attempt(*state, *path);
                const auto moved = co_await pool_.transfer(*path, state, current);
                const auto silent = pass_on_what_was_not_answered(current, deadline);
                if (!moved || silent) {
                    failure = moved ? silence(*path) : moved.error();
                    choice.failed(*path);
                    if (!moved || says_something(patience)) failed(*state, *path, began);
                } else if (answered(current)) {
                    worked(*state, *path);
                }
                for (std::size_t i = 0; i < current.slices.size(); ++i) {
                    const auto at = origin.empty() ? i : origin[i];
                    group.moved_by[at] = static_cast<std::uint8_t>(*path);
                    if (!origin.empty()) group.slices.slices[at] = current.slices[i];
                }
                left.clear();
                origin.clear();
                for (std::size_t i = 0; i < group.slices.slices.size(); ++i)
                    if (retryable(group.slices.slices[i].outcome))
                        origin.push_back(i), left.push_back(group.slices.slices[i]);
                current.slices = left;
            }
            if (current.slices.empty()) break;
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(choice.pause).or_sooner(group.slices.deadline));
            if (wake == Wake::cancelled || group.slices.deadline.passed()) break;
        } while (choice.another_round());
        if (!(failure == Errc::ok)) co_return failure;
        co_return ok;
    }

    /// Errors: `not_mapped` (no transport can), and what the last one said that can.
    Task<MappedWindow> map(std::shared_ptr<State> state, WindowRequest request) {
        const auto deadline = request.deadline;
        const auto patience = patience_within(deadline);
        request.deadline = deadline.or_sooner(Deadline(patience));
        auto choice = choose(*state);
        auto why = Error(Errc::not_mapped);
        for (auto path = choice.next(); path; path = choice.next()) {
            if (!Pool::maps[*path]) continue;
            const auto began = begin_attempt(*state, *path);
            auto window = co_await pool_.map(*path, state, request);
            if (window) {
                worked(*state, *path);
                pool_.count_mapped(*path, request.direction, request.length);
                co_return std::move(*window);
            }
            why = window.error();
            const auto silent = why == Errc::timed_out && !deadline.passed();
            if (silent) why = silence(*path);
            if (!retryable(why.code())) break;
            if (why == Errc::connection_lost && (!silent || says_something(patience))) failed(*state, *path, began);
        }
        co_return why;
    }

    /// Says it once, over the cheapest path that carries words: a second attempt might say it twice.
    /// Errors: `not_supported` (no transport of both sides carries words), those of `NotifyingTransport`.
    Task<void> notify(std::shared_ptr<State> state, Notification notification, std::uint64_t key, Deadline deadline) {
        auto choice = choose(*state);
        for (auto path = choice.next(); path; path = choice.next()) {
            if (!Pool::notifies[*path]) continue;
            const auto began = begin_attempt(*state, *path);
            auto said = co_await pool_.notify(*path, state, std::move(notification), key, deadline);
            if (said) worked(*state, *path);
            else if (said.error() == Errc::connection_lost || said.error() == Errc::unreachable)
                failed(*state, *path, began);
            co_return said;
        }
        co_return Error(Errc::not_supported, "no transport that reaches the segment carries notifications; tcp and "
                                             "loopback do");
    }

    /// What the cheapest path costs.
    [[nodiscard]] unsigned cost(const State& state) const {
        auto best = std::numeric_limits<unsigned>::max();
        const auto lock = std::lock_guard(state.mutex);
        for (std::size_t i = 0; i < Pool::size; ++i)
            if (state.paths[i].reachable) best = std::min(best, Pool::costs[i]);
        return best;
    }

    /// How long `bytes` would take over the way that is tried first, if any moved over it before.
    [[nodiscard]] std::optional<Duration> expected(const State& state, std::uint64_t bytes) const {
        const auto first = choose(state).next();
        return first ? state.paths[*first].pace.expected(bytes) : std::nullopt;
    }

    /// Reads a byte over one device of one transport, and says what came of it. What is believed of the path stays as it is.
    Task<PathProbe> probe(std::size_t path, std::size_t device, std::shared_ptr<State> state, Deadline deadline) {
        auto byte = std::byte();
        auto slice = Slice{.local = &byte, .length = 1};
        if (const auto& buffers = state->record().buffers; !buffers.empty())
            slice.remote = buffers.front().offset, slice.key = buffers.front().read_key;
        const auto group =
            SliceGroup{.slices = std::span(&slice, 1), .deadline = deadline, .priority = Priority::urgent};
        auto report = PathProbe{.transport = Pool::names[path], .description = state->paths[path].descriptions[device]};
        const auto began = SteadyClock{}.now();
        const auto moved = co_await pool_.transfer_over(path, device, std::move(state), group);
        report.round_trip = SteadyClock{}.now() - began;
        report.outcome = moved ? Error(slice.outcome) : moved.error();
        co_return report;
    }

    /// Of all ways to the segment.
    [[nodiscard]] std::vector<Task<PathProbe>> probes(const std::shared_ptr<State>& state, Deadline deadline) {
        auto all = std::vector<Task<PathProbe>>();
        for (std::size_t path = 0; path < Pool::size; ++path)
            for (std::size_t device = 0; device < state->paths[path].descriptions.size(); ++device)
                all.push_back(probe(path, device, state, deadline));
        return all;
    }

  private:
    static constexpr std::uint64_t slowest_bytes_per_microsecond = 20;

    /// The others are left some time as well.
    [[nodiscard]] Duration patience_within(Deadline deadline) const {
        return std::min(patience_, deadline.left(SteadyClock{}.now()) / 2);
    }
    /// Whether silence for so long is charged to the path, and not to the haste of its user.
    [[nodiscard]] bool says_something(Duration patience) const { return patience >= patience_ / 16; }

    static Deadline attempt_until(const SliceGroup& group, Duration patience, Deadline deadline) {
        const auto moving = std::chrono::microseconds{total_bytes(group.slices) / slowest_bytes_per_microsecond};
        return deadline.or_sooner(Deadline(patience + moving));
    }

    [[nodiscard]] Error silence(std::size_t path) const {
        return {Errc::connection_lost,
                "no answer over " + std::string(Pool::names[path]) + " in the time that a way has"};
    }

    auto choose(const State& state) const {
        auto reachable = std::array<bool, Pool::size>();
        auto rested = std::array<bool, Pool::size>();
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(state.mutex);
        for (std::size_t i = 0; i < Pool::size; ++i) {
            reachable[i] = state.paths[i].reachable;
            rested[i] = state.paths[i].breaker.may_try(now);
        }
        return PathChoice<Pool::size>(reachable, rested, Pool::costs);
    }

    /// When it began. Nobody else need find out at the same time whether a path that failed is back.
    TimePoint begin_attempt(State& state, std::size_t path) const {
        const auto now = SteadyClock{}.now();
        if (!state.paths[path].failed.load(std::memory_order_relaxed)) return now;
        const auto lock = std::lock_guard(state.mutex);
        state.paths[path].breaker.tried(now);
        return now;
    }
    void failed(State& state, std::size_t path, TimePoint began) const {
        const auto lock = std::lock_guard(state.mutex);
        auto& what = state.paths[path];
        what.breaker.failed(began, SteadyClock{}.now());
        what.failed.store(true, std::memory_order_relaxed);
        what.connected = 0;
    }
    void worked(State& state, std::size_t path) const {
        if (!state.paths[path].failed.load(std::memory_order_relaxed)) return;
        const auto lock = std::lock_guard(state.mutex);
        state.paths[path].breaker.worked();
        state.paths[path].failed.store(false, std::memory_order_relaxed);
    }

    Pool& pool_;
    const Duration patience_;
};

} // namespace mooncake::engine::detail
