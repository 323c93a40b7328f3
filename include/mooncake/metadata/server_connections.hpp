#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/stream.hpp>

#include <boost/asio/this_coro.hpp>

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace mooncake::metadata::detail {

inline constexpr auto longest_poll = std::chrono::milliseconds{20'000}; ///< that a server is asked to wait for changes

/// Connections to a server that answers one question after the other. Each serves one call at a time; an idle one waits for the
/// next call, and one whose call failed is closed: what it would say next may be an answer to somebody else.
/// Thread: `run` and `close` from any; what is run, and all connections, live on one executor.
template <StreamPolicy P>
class ServerConnections {
  public:
    struct Connection {
        typename P::Stream stream;
        bool greeted = false; ///< whoever uses them has said what comes first on a new one
    };

    ServerConnections(Runtime& runtime, Endpoint server, std::chrono::milliseconds answer_within, P policy)
        : executor_(runtime.next_executor()), server_(std::move(server)), answer_within_(answer_within),
          policy_(std::move(policy)), tenant_(std::in_place, runtime) {}

    [[nodiscard]] const Endpoint& server() const noexcept { return server_; }

    /// Runs a call, until it is over, its deadline passes, or this closes.
    /// Errors: `timed_out` (with the server's name), `closed`, `cancelled`, those of the call. Cancellation: passed on.
    template <class T>
    Task<T> run(Task<T> call, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        if (deadline.is_never()) deadline = Deadline(answer_within_);
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto child = core::detail::Child<T>();
        auto over = Event(), end = Event();
        const auto running = Running(*this, end);
        child.start(executor_, std::move(call), [&] {
            end.set(); // which the closing sets, too
            over.set();
        });
        const auto wake = co_await end.wait(deadline);
        const auto ended_early = wake != Wake::set || is_closed();
        if (ended_early) child.cancel();
        co_await over.wait(Deadline::never(), Interrupt::no);
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (child.thrown) std::rethrow_exception(child.thrown);
        if (!child.result.has_error() || !ended_early) co_return std::move(child.result);
        if (wake == Wake::timed_out) co_return Error(Errc::timed_out, to_string(server_) + " did not answer in time");
        if (wake == Wake::cancelled) co_return Errc::cancelled;
        co_return closed();
    }

    /// One that is idle, or a new one. Errors: `unreachable`, `cancelled`. To be called by what is run.
    Task<std::unique_ptr<Connection>> take() {
        while (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            if (!is_stale(*connection)) co_return connection;
        }
        auto connected = co_await policy_.connect(executor_, server_);
        if (!connected) co_return connected.error();
        co_return std::make_unique<Connection>(Connection{std::move(*connected->stream)});
    }

    /// It answered, and waits for the next question. To be called by what is run.
    void give_back(std::unique_ptr<Connection> connection) {
        if (idle_.size() < most_idle) idle_.push_back(std::move(connection));
    }

    /// Ends what runs, and closes every connection. Idempotent.
    asio::awaitable<void> close() {
        gate_.shut();
        {
            const auto lock = std::lock_guard(mutex_);
            closed_ = true;
            for (auto* const end : running_) end->set();
        }
        co_await closing_.once(close_now());
    }

  private:
    static constexpr std::size_t most_idle = 8;

    struct Running {
        Running(ServerConnections& connections, Event& end) : self(connections) {
            const auto lock = std::lock_guard(self.mutex_);
            place = self.running_.insert(self.running_.end(), &end);
            if (self.closed_) end.set();
        }
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() {
            const auto lock = std::lock_guard(self.mutex_);
            self.running_.erase(place);
        }
        ServerConnections& self;
        std::list<Event*>::iterator place;
    };

    [[nodiscard]] static Error closed() { return {Errc::closed, "this metadata backend was closed"}; }
    [[nodiscard]] bool is_closed() const {
        const auto lock = std::lock_guard(mutex_);
        return closed_;
    }

    /// An idle connection on which something came has been closed by the server, or is out of step with it.
    [[nodiscard]] static bool is_stale([[maybe_unused]] Connection& connection) {
        if constexpr (requires { connection.stream.native_handle(); }) {
            auto look = pollfd{.fd = static_cast<int>(connection.stream.native_handle()), .events = POLLIN | POLLRDHUP};
            return ::poll(&look, 1, 0) != 0;
        } else {
            return false;
        }
    }

    asio::awaitable<void> close_now() {
        co_await gate_.wait();
        auto dropped = core::detail::Child<void>();
        auto over = Event();
        dropped.start(executor_, drop_idle(), [&over] { over.set(); });
        co_await over.wait(Deadline::never(), Interrupt::no);
        tenant_.reset();
    }

    Task<void> drop_idle() {
        idle_.clear();
        co_return ok;
    }

    const Executor executor_;
    const Endpoint server_;
    const std::chrono::milliseconds answer_within_;
    const P policy_;
    std::vector<std::unique_ptr<Connection>> idle_; ///< on the executor
    Gate gate_;
    Closing closing_;
    std::optional<Runtime::Tenant> tenant_; ///< until it is closed
    mutable std::mutex mutex_;              // of what follows
    std::list<Event*> running_;
    bool closed_ = false;
};

} // namespace mooncake::metadata::detail
