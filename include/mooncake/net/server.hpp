#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/connection.hpp>
#include <mooncake/net/message_budget.hpp>
#include <mooncake/net/server_config.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace mooncake {

/// Listens, and gives each connection to the next executor of the runtime. The constructor binds, and throws
/// `address_in_use` or `system` when it cannot; nothing is accepted before `start`. Close it before it dies.
template <StreamPolicy P>
class Server {
  public:
    Server(Runtime& runtime, FrameService& service, ServerConfig config, P policy = {})
        : runtime_(runtime), tenant_(std::in_place, runtime), service_(service), config_(std::move(config)),
          policy_(std::move(policy)), budget_(std::make_shared<net::detail::MessageBudget>(config_.most_message_bytes)),
          scope_(runtime.next_executor()), listener_(policy_.listen(scope_.executor(), config_.listen)),
          endpoint_(listener_.endpoint()) {}

    /// Where peers reach this server.
    [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }

    void start() {
        (void)scope_.spawn(accept_all());
        (void)scope_.spawn(reap_every_now_and_then(this));
    }

    /// Stops listening and ends every connection. Idempotent, and over when it is closed, whoever else closes it.
    asio::awaitable<void> close() { return closing_.once(close_now()); }

  private:
    asio::awaitable<void> close_now() {
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await scope_.close();
        auto connections = std::list<std::shared_ptr<Connection>>();
        {
            const auto lock = std::lock_guard(mutex_);
            connections.swap(connections_);
        }
        for (const auto& connection : connections) co_await connection->close();
        listener_.close();
        tenant_.reset();
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

    using Connection = net::detail::Connection<P>;

    Task<void> accept_all() {
        for (;;) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return ok;
            const auto executor = runtime_.next_executor();
            auto accepted = co_await listener_.accept(executor);
            if (!accepted && accepted.error() != Errc::system) co_return ok;
            if (!accepted) {
                // Most likely out of descriptors: existing connections go on, and may end.
                (*log_)(Severity::warning, "accept",
                        "accepting a connection on " + to_string(endpoint_) + " failed: " + accepted.error().message());
                auto pause = Event();
                const auto wake = co_await pause.wait(std::chrono::milliseconds(100));
                if (wake == Wake::cancelled) co_return ok;
                continue;
            }
            admit(executor, std::move(*accepted));
            if (departures_->ended.load(std::memory_order_relaxed) >= reap_at_once) reap();
            auto wait = !pace_.take(SteadyClock{}.now());
            // Those who go are given the time for it, or there would be ever more of them.
            while (wait || departures_->leaving.load(std::memory_order_relaxed) > most_leaving) {
                auto pause = Event();
                const auto wake = co_await pause.wait(Deadline(Pace::pause));
                if (wake == Wake::cancelled) co_return ok;
                pace_.has_paused(SteadyClock{}.now());
                if (departures_->ended.load(std::memory_order_relaxed) != 0) reap();
                wait = false;
            }
        }
    }

    /// How fast connections are accepted: a flood of them leaves time for those that are there, and comes in by few at once.
    class Pace {
      public:
        static constexpr auto pause = std::chrono::milliseconds{1};

        /// Whether another one may be accepted at once.
        [[nodiscard]] bool take(TimePoint now) noexcept {
            const auto more = std::chrono::duration<double>(now - last_).count() * a_second;
            left_ = std::min(burst, left_ + more) - 1;
            last_ = now;
            return left_ >= 1;
        }
        /// However long the pause was in the end: a thread that is late has enough to do.
        void has_paused(TimePoint now) noexcept {
            left_ += std::chrono::duration<double>(pause).count() * a_second;
            last_ = now;
        }

      private:
        static constexpr double burst = 512, a_second = 2'000;
        double left_ = burst;
        TimePoint last_ = SteadyClock{}.now();
    };

    void admit(const Executor& executor, typename Connection::Incoming incoming) {
        const auto lock = std::lock_guard(mutex_);
        if (!make_room(host_of(incoming.peer))) {
            (*log_)(Severity::warning, "full",
                    "refused a connection: " + std::to_string(connections_.size()) + " are open, the limit");
            return;
        }
        connections_.push_back(std::make_shared<Connection>(executor, service_, config_.connection, budget_,
                                                            departures_, host_of(incoming.peer), log_, policy_));
        connections_.back()->start(std::move(incoming));
    }
    static std::string host_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

    /// Whether there may be one more, from `host`; makes another one leave where that is the price.
    /// Requires: the lock is held.
    bool make_room(const std::string& host) {
        const auto least = std::min({config_.most_greeting, config_.most_of_a_peer, config_.most_connections});
        if (connections_.size() < least) return true;
        auto open = std::size_t{0}, greeting = std::size_t{0}, of_host = std::size_t{0};
        auto* oldest = static_cast<Connection*>(nullptr); // of those that are greeting
        auto idlest = Idlest(), idlest_of_host = Idlest();
        for (const auto& connection : connections_) {
            if (connection->leaving()) continue;
            ++open;
            const auto same = connection->host() == host;
            of_host += same ? 1 : 0;
            if (!connection->greeted()) {
                if (++greeting == 1) oldest = connection.get();
                continue;
            }
            idlest.look_at(*connection);
            if (same) idlest_of_host.look_at(*connection);
        }
        const auto one_too_many = of_host >= config_.most_of_a_peer;
        auto* const leaves = greeting >= config_.most_greeting    ? oldest
                             : one_too_many                       ? idlest_of_host.connection
                             : open < config_.most_connections    ? nullptr
                             : idlest.connection && greeting == 0 ? idlest.connection
                             : oldest != nullptr                  ? oldest
                                                                  : idlest.connection;
        if (leaves != nullptr) leaves->shed();
        return leaves != nullptr || (open < config_.most_connections && !one_too_many);
    }
    struct Idlest {
        Connection* connection = nullptr;
        TimePoint since = TimePoint::max();

        void look_at(Connection& other) {
            if (other.idle_since() >= since) return;
            connection = &other;
            since = other.idle_since();
        }
    };

    static Task<void> reap_every_now_and_then(Server* self) {
        for (;;) {
            auto pause = Event();
            const auto wake = co_await pause.wait(std::chrono::milliseconds(500));
            if (wake == Wake::cancelled) co_return ok;
            if (self->departures_->ended.load(std::memory_order_relaxed) != 0) self->reap();
        }
    }
    static constexpr std::size_t reap_at_once = 32, most_leaving = 128;

    /// Lets go of the connections that are over, without waiting for what still uses them.
    void reap() {
        const auto lock = std::lock_guard(mutex_);
        departures_->ended.store(0, std::memory_order_relaxed);
        // Once the server is closing none is retired: it closes them itself.
        std::erase_if(connections_, [this](const std::shared_ptr<Connection>& connection) {
            return connection->over() && scope_.spawn(retire(connection));
        });
    }
    static Task<void> retire(std::shared_ptr<Connection> connection) {
        co_await connection->close();
        co_return ok;
    }

    Runtime& runtime_;
    std::optional<Runtime::Tenant> tenant_; ///< until it is closed
    FrameService& service_;
    const ServerConfig config_;
    const std::shared_ptr<Repeats> log_ = std::make_shared<Repeats>(config_.log);
    const P policy_;
    const std::shared_ptr<net::detail::MessageBudget> budget_;
    const std::shared_ptr<net::detail::Departures> departures_ = std::make_shared<net::detail::Departures>();
    Pace pace_;
    TaskScope scope_;
    typename P::Listener listener_;
    const Endpoint endpoint_;
    std::mutex mutex_; // of `connections_`
    std::list<std::shared_ptr<Connection>> connections_;
    Closing closing_;
};

} // namespace mooncake
