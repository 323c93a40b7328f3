#pragma once

#include <mooncake/engine/attempt.hpp>
#include <mooncake/engine/claims.hpp>
#include <mooncake/engine/paths.hpp>
#include <mooncake/engine/report.hpp>
#include <mooncake/engine/segment_state.hpp>
#include <mooncake/engine/spread.hpp>
#include <mooncake/engine/traits.hpp>
#include <mooncake/transport/handshakes.hpp>
#include <mooncake/transport/inbox.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mooncake::engine::detail {

template <class Set>
class TransportPool;

/// Bytes of a segment that are wanted as memory of this process.
struct WindowRequest {
    std::uint64_t offset = 0, length = 0, key = 0;
    Direction direction = Direction::read;
    Deadline deadline;
};

/// Makes a dispatcher for paths of these preferences.
using MakeDispatcher = std::function<std::unique_ptr<Dispatcher>(std::span<const unsigned>)>;
template <PathPolicy Policy = MeasuredPaths, WindowPolicy Window = DelayWindow>
std::unique_ptr<Dispatcher> make_dispatch(std::span<const unsigned> preferences) {
    return std::make_unique<Dispatch<Policy, Window>>(preferences, DispatchConfig());
}

/// The transports of an engine by number: makes them, counts what they do, and hands groups to one or another.
template <Transport... Ts>
class TransportPool<TransportSet<Ts...>> {
  public:
    using Set = TransportSet<Ts...>;
    using State = SegmentState<Set>;
    static constexpr std::size_t size = sizeof...(Ts);
    static constexpr std::array<std::string_view, size> names{Ts::name...};
    static constexpr std::array<unsigned, size> costs{Ts::cost...};
    static_assert(keep_their_claims<Ts...>());

    TransportPool(const TransportContext& context, const typename Set::Configs& configs,
                  MakeDispatcher make_dispatcher = make_dispatch<>)
        : make_dispatcher_(std::move(make_dispatcher)), handshakes_(context.handshakes),
          transports_(std::apply(
              [&](const auto&... config) { return std::tuple(std::make_unique<Ts>(context, config)...); }, configs)) {}

    void start() {
        for_each([&]<std::size_t I>(auto& transport) {
            if constexpr (TransportAt<I>::capabilities.handshakes)
                if (handshakes_) handshakes_->add(transport);
            transport.start();
        });
    }

    /// All devices of all transports.
    [[nodiscard]] std::vector<EndpointRecord> describe() const {
        auto all = std::vector<EndpointRecord>();
        for_each([&]<std::size_t I>(const auto& transport) {
            all.push_back({std::string(names[I]), transport.describe()});
            if constexpr (TransportAt<I>::capabilities.several_paths)
                for (auto& other : transport.describe_others())
                    all.push_back({std::string(names[I]), std::move(other)});
        });
        return all;
    }

    /// Marks the paths by which `state`'s segment may be reached, and tells whether there is one.
    bool find_paths(State& state) const {
        auto any = false;
        for_each([&]<std::size_t I>(const auto& transport) {
            auto& path = state.paths[I];
            const auto most = TransportAt<I>::capabilities.several_paths ? most_devices : std::size_t{1};
            for (const auto& endpoint : state.record().endpoints) {
                if (endpoint.protocol != names[I] || !transport.reaches(endpoint.description)) continue;
                for (auto& way : transport::detail::ways_to(transport, endpoint.description))
                    if (path.descriptions.size() < most &&
                        std::find(path.descriptions.begin(), path.descriptions.end(), way) == path.descriptions.end())
                        path.descriptions.push_back(std::move(way));
            }
            path.reachable = !path.descriptions.empty();
            std::get<I>(state.links).resize(path.descriptions.size());
            if (path.descriptions.size() > 1)
                path.dispatch = make_dispatcher_(std::vector<unsigned>(path.descriptions.size()));
            any |= path.reachable;
            if (path.reachable && (state.cheapest == State::none || costs[I] < costs[state.cheapest]))
                state.cheapest = I;
        });
        return any;
    }

    /// Moves `group` over transport number `index`, connecting first if need be, over several devices at once where the segment
    /// has such. Errors: the path failed.
    Task<void> transfer(std::size_t index, std::shared_ptr<State> state, SliceGroup group) {
        if (auto* const dispatch = state->paths[index].dispatch.get())
            return spread(index, std::move(state), *dispatch, group);
        return transfer_over(index, 0, std::move(state), group);
    }

    /// Moves a group over the cheapest transport at once, where that one can, is connected and did not fail lately; gives its
    /// number, or `State::none` where nothing was done. See `ImmediateTransport`.
    [[nodiscard]] std::size_t transfer_now(State& state, SliceGroup group) {
        auto by = State::none;
        for_each([&]<std::size_t I>(const auto&) {
            if (state.cheapest == I && this->template transfer_now_by<I>(state, group)) by = I;
        });
        return by;
    }

    /// The same over one device.
    Task<void> transfer_over(std::size_t index, std::size_t device, std::shared_ptr<State> state, SliceGroup group) {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::transfer_by<I>...};
        }(std::make_index_sequence<size>());
        return (this->*table[index])(device, std::move(state), group);
    }

    /// See `FencingTransport`: whether all of them say so.
    [[nodiscard]] bool fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
        auto all = true;
        for_each([&]<std::size_t I>(auto& transport) {
            if constexpr (FencingTransport<std::remove_cvref_t<decltype(transport)>>)
                all &= transport.fence(offset, length, epoch);
        });
        return all;
    }

    /// Whether transport number `index` can give a peer's memory as memory of this process.
    static constexpr std::array<bool, size> maps{Ts::capabilities.maps...};
    static constexpr std::array<bool, size> self_verifying{Ts::capabilities.self_verifying...};

    Task<MappedWindow> map(std::size_t index, std::shared_ptr<State> state, WindowRequest request) {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::map_over<I>...};
        }(std::make_index_sequence<size>());
        return (this->*table[index])(std::move(state), request);
    }

    static constexpr std::array<bool, size> notifies{Ts::capabilities.notifies...};

    Task<void> notify(std::size_t index, std::shared_ptr<State> state, Notification notification, std::uint64_t key,
                      Deadline deadline) {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::notify_over<I>...};
        }(std::make_index_sequence<size>());
        return (this->*table[index])(std::move(state), std::move(notification), key, deadline);
    }

    static constexpr bool any_registers = (Ts::capabilities.registers || ...);
    static constexpr bool any_handshakes = (Ts::capabilities.handshakes || ...);

    /// Makes the region known to the devices of all that register. Errors: what the one says that could not; then none knows it.
    Task<void> attach(RegionPin region) {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::attach_to<I>...};
        }(std::make_index_sequence<size>());
        for (std::size_t i = 0; i < size; ++i) {
            auto attached = co_await (this->*table[i])(region);
            if (attached) continue;
            detach(*region);
            co_return Error(attached.error().code(), "registering " + std::to_string(region->bytes.size()) +
                                                         " bytes with the devices of " + std::string(names[i]) + ": " +
                                                         attached.error().message());
        }
        co_return ok;
    }
    void detach(const Region& region) {
        for_each([&]<std::size_t I>(auto& transport) {
            if constexpr (TransportAt<I>::capabilities.registers) transport.detach(region);
        });
    }

    /// Counts bytes that moved through a window rather than in a group.
    void count_mapped(std::size_t index, Direction direction, std::uint64_t bytes) noexcept {
        (direction == Direction::read ? counters_[index].read : counters_[index].written)
            .fetch_add(bytes, std::memory_order_relaxed);
    }

    [[nodiscard]] std::vector<TransportStatistics> statistics() const {
        auto all = std::vector<TransportStatistics>();
        for (std::size_t i = 0; i < size; ++i)
            all.push_back({.name = names[i],
                           .read_bytes = counters_[i].read,
                           .written_bytes = counters_[i].written,
                           .groups = counters_[i].groups,
                           .failures = counters_[i].failures});
        return all;
    }

    asio::awaitable<void> close() {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::close_one<I>...};
        }(std::make_index_sequence<size>());
        if (handshakes_) handshakes_->close();
        for (const auto close : table) co_await (this->*close)();
    }

  private:
    template <class F>
    void for_each(F&& f) const {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (f.template operator()<I>(*std::get<I>(transports_)), ...);
        }(std::make_index_sequence<size>());
    }

    static constexpr std::size_t most_devices = 16; ///< of one transport of a segment that are used

    Task<void> spread(std::size_t index, std::shared_ptr<State> state, Dispatcher& dispatch, SliceGroup group) {
        auto send = [this, index, &state](std::size_t device, SliceGroup chunk) {
            return this->transfer_over(index, device, state, chunk);
        };
        const auto began = SteadyClock{}.now();
        auto spreading = Spreading<decltype(send)>(dispatch, state->dispatch_mutex, group, std::move(send));
        const auto result = co_await spreading.run();
        if (result) learn(state->paths[index].pace, group.slices, SteadyClock{}.now() - began);
        co_return result;
    }

    template <std::size_t I>
    using TransportAt = std::tuple_element_t<I, std::tuple<Ts...>>;

    /// The link that is there.
    template <std::size_t I>
    static std::optional<typename TransportAt<I>::Link> connected(State& state, std::size_t device) {
        const auto lock = std::lock_guard(state.mutex);
        if ((state.paths[I].connected >> device & 1) == 0) return std::nullopt;
        return std::get<I>(state.links)[device];
    }

    /// The next one connects anew: the link leads nowhere any more.
    template <std::size_t I>
    static void disconnected(State& state, std::size_t device) {
        const auto lock = std::lock_guard(state.mutex);
        state.paths[I].connected &= ~(std::uint64_t{1} << device);
    }

    /// The link that is there, or a new one.
    template <std::size_t I>
    Task<typename TransportAt<I>::Link> link(std::size_t device, std::shared_ptr<State> state, Deadline deadline) {
        if (auto there = connected<I>(*state, device)) co_return std::move(*there);
        auto peer = PeerDescription{.description = state->paths[I].descriptions[device],
                                    .generation = state->record().generation};
        if constexpr (TransportAt<I>::capabilities.handshakes)
            peer.handshake = [this, weak = std::weak_ptr(state)](std::string question, Deadline within) {
                return this->ask_peer(I, weak.lock(), std::move(question), within);
            };
        auto made = co_await std::get<I>(transports_)->connect(std::move(peer), deadline);
        if (!made) co_return made.error();
        const auto lock = std::lock_guard(state->mutex);
        std::get<I>(state->links)[device] = *made;
        state->paths[I].connected |= std::uint64_t{1} << device;
        co_return std::move(*made);
    }

    template <std::size_t I>
    Task<void> attach_to(RegionPin region) {
        if constexpr (TransportAt<I>::capabilities.registers)
            return std::get<I>(transports_)->attach(std::move(region));
        else return nothing();
    }
    static Task<void> nothing() { co_return ok; }

    /// By what they cost: who may carry a handshake.
    static constexpr auto carriers = cheapest_first(costs);

    /// Carries a handshake of transport number `asking` over the cheapest way that can, and over the next when that fails.
    Task<std::string> ask_peer(std::size_t asking, std::shared_ptr<State> state, std::string question,
                               Deadline deadline) {
        static constexpr auto table = []<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{&TransportPool::ask_over<I>...};
        }(std::make_index_sequence<size>());
        if (!state) co_return Error(Errc::closed, "the segment is not open any more");
        auto failure = Error(Errc::no_path, "nothing that reaches the segment carries the handshakes of " +
                                                std::string(names[asking]) + "; tcp and loopback do");
        for (const auto by : carriers) {
            const auto devices = carries[by] ? state->paths[by].descriptions.size() : 0;
            for (std::size_t device = 0; device < devices; ++device) {
                const auto more = device + 1 < devices; // then each has half of what time there is
                const auto half = Deadline(deadline.left(SteadyClock{}.now()) / 2);
                const auto within = more ? deadline.or_sooner(half) : deadline;
                auto answer = co_await (this->*table[by])(asking, device, state, question, within);
                if (answer) co_return answer;
                failure = answer.error();
                const auto way_failed = failure == Errc::connection_lost || failure == Errc::unreachable ||
                                        (failure == Errc::timed_out && !deadline.passed());
                if (!way_failed) co_return failure;
            }
        }
        co_return failure;
    }
    static constexpr std::array<bool, size> carries{(Ts::capabilities.carries && !Ts::capabilities.handshakes)...};

    template <std::size_t I>
    Task<std::string> ask_over(std::size_t asking, std::size_t device, std::shared_ptr<State> state,
                               std::string question, Deadline deadline) {
        if constexpr (carries[I]) {
            auto connection = co_await link<I>(device, std::move(state), deadline);
            if (!connection) co_return connection.error();
            co_return co_await std::get<I>(transports_)
                ->ask(std::move(*connection), std::string(names[asking]), std::move(question), deadline);
        } else {
            co_return Errc::not_supported;
        }
    }

    template <std::size_t I>
    Task<void> transfer_by(std::size_t device, std::shared_ptr<State> state, SliceGroup group) {
        begin_attempt(group.slices, device);
        auto connection = connected<I>(*state, device);
        if (!connection) {
            auto made = co_await link<I>(device, state, group.deadline);
            if (!made) {
                counters_[I].failures.fetch_add(1, std::memory_order_relaxed);
                set_outcome(group.slices, made.error().code());
                co_return made.error();
            }
            connection = std::move(*made);
        }
        const auto began = SteadyClock{}.now();
        const auto result = co_await std::get<I>(transports_)->transfer(std::move(*connection), group);
        const auto took = SteadyClock{}.now() - began;
        end_attempt(group.slices, took);
        auto& path = state->paths[I];
        if (result && !path.dispatch) learn(path.pace, group.slices, took);
        if (!result) disconnected<I>(*state, device);
        counters_[I].count(group, result.has_value());
        co_return result;
    }

    template <std::size_t I>
    bool transfer_now_by(State& state, SliceGroup group) {
        if constexpr (!TransportAt<I>::capabilities.immediate) {
            return false;
        } else {
            const auto& path = state.paths[I];
            if (path.dispatch || path.failed.load(std::memory_order_relaxed)) return false;
            const auto link = connected<I>(state, 0);
            if (!link || !std::get<I>(transports_)->transfer_now(*link, group)) return false;
            begin_attempt(group.slices, 0);
            counters_[I].count(group, true);
            return true;
        }
    }

    template <std::size_t I>
    Task<MappedWindow> map_over(std::shared_ptr<State> state, WindowRequest request) {
        if constexpr (maps[I]) {
            auto connection = co_await link<I>(0, std::move(state), request.deadline);
            if (!connection) co_return connection.error();
            co_return co_await std::get<I>(transports_)
                ->map(std::move(*connection), request.offset, request.length, request.key, request.direction,
                      request.deadline);
        } else {
            co_return Errc::not_mapped;
        }
    }

    template <std::size_t I>
    Task<void> notify_over(std::shared_ptr<State> state, Notification notification, std::uint64_t key,
                           Deadline deadline) {
        if constexpr (notifies[I]) {
            auto connection = co_await link<I>(0, std::move(state), deadline);
            if (!connection) co_return connection.error();
            co_return co_await std::get<I>(transports_)
                ->notify(std::move(*connection), std::move(notification), key, deadline);
        } else {
            co_return Errc::not_supported;
        }
    }

    template <std::size_t I>
    asio::awaitable<void> close_one() {
        return std::get<I>(transports_)->close();
    }

    const MakeDispatcher make_dispatcher_;
    const std::shared_ptr<Handshakes> handshakes_; ///< may be none
    std::tuple<std::unique_ptr<Ts>...> transports_;
    std::array<TransportCounters, size> counters_;
};

} // namespace mooncake::engine::detail
