#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/connection.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace mooncake {

struct ServerConfig {
    ListenConfig listen = {};
    std::size_t most_connections =
        4096; ///< beyond, the one that is idle for longest makes room, or a new one is closed at once
    std::size_t most_greeting = 128; ///< that have yet to say what they want: beyond, the oldest of them makes room
    ConnectionConfig connection = {};
    Log log = {};
};

/// Listens, and gives each connection to the next executor of the runtime. The constructor binds, and throws
/// `address_in_use` or `system` when it cannot; nothing is accepted before `start`. Close it before it dies.
template <StreamPolicy P>
class Server {
  public:
    Server(Runtime& runtime, FrameService& service, ServerConfig config, P policy = {})
        : runtime_(runtime), service_(service), config_(std::move(config)), policy_(std::move(policy)),
          scope_(runtime.next_executor()), listener_(policy_.listen(scope_.executor(), config_.listen)),
          endpoint_(listener_.endpoint()) {}

    /// Where peers reach this server.
    [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }

    void start() { (void)scope_.spawn(accept_all()); }

    /// Stops listening and ends every connection. Idempotent.
    asio::awaitable<void> close() {
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
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

  private:
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
                config_.log(Severity::warning, "accepting a connection on " + to_string(endpoint_) +
                                                   " failed: " + accepted.error().message());
                auto pause = Event();
                const auto wake = co_await pause.wait(std::chrono::milliseconds(100));
                if (wake == Wake::cancelled) co_return ok;
                continue;
            }
            reap();
            admit(executor, std::move(*accepted));
        }
    }

    void admit(const Executor& executor, typename Connection::Incoming incoming) {
        const auto lock = std::lock_guard(mutex_);
        if (!make_room()) {
            config_.log(Severity::warning,
                        "refused a connection: " + std::to_string(connections_.size()) + " are open, the limit");
            return;
        }
        connections_.push_back(
            std::make_shared<Connection>(executor, service_, config_.connection, config_.log, policy_));
        connections_.back()->start(std::move(incoming));
    }

    /// Whether there may be one more. Requires: the lock is held.
    bool make_room() {
        auto open = std::size_t{0}, greeting = std::size_t{0};
        auto* idlest = static_cast<Connection*>(nullptr);
        auto* oldest = static_cast<Connection*>(nullptr);
        auto since = TimePoint::max();
        for (const auto& connection : connections_) {
            if (connection->over()) continue;
            ++open;
            if (!connection->greeted()) {
                if (++greeting == 1) oldest = connection.get();
            } else if (connection->idle_since() < since) {
                idlest = connection.get();
                since = connection->idle_since();
            }
        }
        auto* const leaves = greeting >= config_.most_greeting    ? oldest
                             : open < config_.most_connections    ? nullptr
                             : idlest != nullptr && greeting == 0 ? idlest
                             : oldest != nullptr                  ? oldest
                                                                  : idlest;
        if (leaves != nullptr) leaves->shed();
        return leaves != nullptr || open < config_.most_connections;
    }

    /// Lets go of the connections that are over, without waiting for what still uses them.
    void reap() {
        const auto lock = std::lock_guard(mutex_);
        std::erase_if(connections_, [this](std::shared_ptr<Connection>& connection) {
            const auto over = connection->over();
            if (over) (void)scope_.spawn(retire(std::move(connection)));
            return over;
        });
    }
    static Task<void> retire(std::shared_ptr<Connection> connection) {
        co_await connection->close();
        co_return ok;
    }

    Runtime& runtime_;
    FrameService& service_;
    const ServerConfig config_;
    const P policy_;
    TaskScope scope_;
    typename P::Listener listener_;
    const Endpoint endpoint_;
    std::mutex mutex_; // of `connections_`
    std::list<std::shared_ptr<Connection>> connections_;
};

} // namespace mooncake
