#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/connection.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace mooncake {

struct ServerConfig {
    ListenConfig listen = {};
    std::size_t most_connections = 4096; ///< further ones are closed at once
    ConnectionConfig connection = {};
    Log log = {};
};

/// Listens, and gives each connection to the next executor of the runtime. The constructor binds, and throws
/// `address_in_use` or `system` when it cannot; nothing is accepted before `start`. Close it before it dies.
template <StreamPolicy P>
class Server {
  public:
    Server(Runtime& runtime, FrameService& service, ServerConfig config)
        : runtime_(runtime), service_(service), config_(std::move(config)), scope_(runtime.next_executor()),
          acceptor_(scope_.executor()) {
        listen();
    }

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
        auto ignored = boost::system::error_code();
        acceptor_.close(ignored);
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

  private:
    using Connection = net::detail::Connection<P>;

    void listen() {
        const auto& bind = config_.listen.bind;
        auto error = boost::system::error_code();
        const auto address = asio::ip::make_address(bind.host == "localhost" ? "127.0.0.1" : bind.host, error);
        if (error)
            throw_error({Errc::invalid_argument, "cannot listen on '" + to_string(bind) +
                                                     "': the host to bind is an IP address, such as 0.0.0.0 or ::1"});
        const auto target = asio::ip::tcp::endpoint(address, bind.port);
        acceptor_.open(target.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(target, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            throw_error({Errc::address_in_use,
                         to_string(bind) + " is taken by another process; choose another port, or 0 for any free one"});
        if (error) throw_error({Errc::system, "cannot listen on " + to_string(bind) + ": " + error.message()});
        const auto& advertise = config_.listen.advertise;
        endpoint_ = {advertise.host.empty() ? bind.host : advertise.host,
                     advertise.port == 0 ? acceptor_.local_endpoint().port() : advertise.port};
    }

    Task<void> accept_all() {
        for (;;) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return ok;
            const auto executor = runtime_.next_executor();
            auto [error, socket] = co_await acceptor_.async_accept(executor, as_result);
            if (error == asio::error::operation_aborted) co_return ok;
            if (error) {
                // Most likely out of descriptors: existing connections go on, and may end.
                config_.log(Severity::warning,
                            "accepting a connection on " + to_string(endpoint_) + " failed: " + error.message());
                auto pause = Event();
                const auto wake = co_await pause.wait(std::chrono::milliseconds(100));
                if (wake == Wake::cancelled) co_return ok;
                continue;
            }
            co_await reap();
            admit(executor, std::move(socket));
        }
    }

    void admit(const Executor& executor, asio::ip::tcp::socket socket) {
        const auto lock = std::lock_guard(mutex_);
        if (connections_.size() >= config_.most_connections) {
            config_.log(Severity::warning,
                        "refused a connection: " + std::to_string(connections_.size()) + " are open, the limit");
            return;
        }
        connections_.push_back(std::make_shared<Connection>(executor, service_, config_.connection, config_.log));
        connections_.back()->start(std::move(socket));
    }

    /// Lets go of the connections that are over.
    asio::awaitable<void> reap() {
        auto over = std::list<std::shared_ptr<Connection>>();
        {
            const auto lock = std::lock_guard(mutex_);
            for (auto at = connections_.begin(); at != connections_.end();) {
                const auto connection = at++;
                if ((*connection)->over()) over.splice(over.end(), connections_, connection);
            }
        }
        for (const auto& connection : over) co_await connection->close();
    }

    Runtime& runtime_;
    FrameService& service_;
    const ServerConfig config_;
    TaskScope scope_;
    core::detail::later<asio::ip::tcp::acceptor, P> acceptor_;
    Endpoint endpoint_;
    std::mutex mutex_; // of `connections_`
    std::list<std::shared_ptr<Connection>> connections_;
};

} // namespace mooncake
