#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/net/plain_tcp_interface.hpp>
#include <mooncake/net/resolve.hpp>
#include <mooncake/net/scatter.hpp>
#include <mooncake/net/stream.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

namespace net::detail {

/// A socket that no program started by this one inherits. Not open: errno says why.
[[nodiscard]] inline FileDescriptor tcp_socket(const asio::ip::tcp& protocol) noexcept {
    return FileDescriptor(::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
}

inline void TcpPatience::apply(int socket) const noexcept {
    const auto set = [socket](int level, int name, std::int64_t value) {
        const auto number = static_cast<int>(std::clamp<std::int64_t>(value, 1, 1'000'000));
        (void)setsockopt(socket, level, name, &number, sizeof number);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, std::chrono::ceil<std::chrono::seconds>(silence).count());
    set(IPPROTO_TCP, TCP_KEEPINTVL, std::chrono::ceil<std::chrono::seconds>(sign).count());
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged.count());
}

/// Addresses in the order in which they are tried: the families in turn, the first address's first (RFC 8305, 4).
inline void interleave_families(std::vector<asio::ip::tcp::endpoint>& targets) {
    if (targets.empty()) return;
    const auto first = targets.front().address().is_v6();
    auto same = std::deque<asio::ip::tcp::endpoint>(), other = same;
    for (const auto& target : targets) (target.address().is_v6() == first ? same : other).push_back(target);
    targets.clear();
    while (!same.empty() || !other.empty())
        for (auto* const family : {&same, &other}) {
            if (family->empty()) continue;
            targets.push_back(family->front());
            family->pop_front();
        }
}

/// Connection attempts to several addresses of one host, each begun when the one before has failed or has been silent for a
/// while; the first that succeeds wins (RFC 8305, "Happy Eyeballs"). Thread: the executor's.
template <class Socket>
struct ConnectRace {
    explicit ConnectRace(const Executor& on) : executor(on) {}

    /// `from`: unspecified where the kernel chooses.
    static void start(const std::shared_ptr<ConnectRace>& self, const asio::ip::tcp::endpoint& target,
                      const asio::ip::address& from, const TcpPatience& patience) {
        ++self->running;
        const auto at = self->sockets.size();
        auto& socket = self->sockets.emplace_back(self->executor);
        auto fd = tcp_socket(target.protocol());
        if (!fd) return self->over(at, {errno, boost::system::system_category()});
        patience.apply(fd.get());
        auto error = boost::system::error_code();
        socket.assign(target.protocol(), fd.release(), error);
        if (!error && !from.is_unspecified()) bind(socket, from, error);
        if (error) return self->over(at, error);
        socket.async_connect(target, [self, at](const boost::system::error_code& why) { self->over(at, why); });
    }

    /// The port is chosen when it connects, so that connections to different peers may have the same.
    static void bind(Socket& socket, const asio::ip::address& from, boost::system::error_code& error) {
        const auto on = 1;
        (void)setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        socket.bind({from, 0}, error);
    }

    void over(std::size_t at, const boost::system::error_code& error) {
        --running;
        if (!error && !winner) winner = at;
        if (error) why = error;
        step.set();
    }

    void stop() {
        auto ignored = boost::system::error_code();
        for (std::size_t i = 0; i < sockets.size(); ++i)
            if (winner != i) sockets[i].close(ignored);
    }

    Executor executor;
    std::deque<Socket> sockets;
    std::optional<std::size_t> winner;
    std::size_t running = 0;
    boost::system::error_code why;
    Event step;
};

/// The address of this host that others most likely reach it by, for a server that listens on all of them: the first that
/// is up and no loopback's, of that family. Loopback's where there is no other.
[[nodiscard]] inline std::string reachable_address(bool v6) {
    auto* list = static_cast<ifaddrs*>(nullptr);
    auto found = std::string();
    if (getifaddrs(&list) == 0) {
        for (const auto* at = list; at != nullptr && found.empty(); at = at->ifa_next) {
            if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0)
                continue;
            if (at->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET)) continue;
            auto endpoint = asio::ip::tcp::endpoint();
            const auto size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
            std::memcpy(endpoint.data(), at->ifa_addr, size);
            endpoint.resize(size);
            if (v6 && endpoint.address().to_v6().is_link_local()) continue;
            found = endpoint.address().to_string();
        }
        freeifaddrs(list);
    }
    return !found.empty() ? found : v6 ? "::1" : "127.0.0.1";
}

/// A bound socket. `Void`: a template, so that a translation unit that serves nothing does not pay for it.
template <class Void>
class PlainTcpListener {
  public:
    using Socket = core::detail::later<asio::ip::tcp::socket, Void>;

    PlainTcpListener(const Executor& executor, const ListenConfig& config, const TcpPatience& patience)
        : acceptor_(executor), patience_(patience) {
        const auto& bind = config.bind;
        auto error = boost::system::error_code();
        const auto address = asio::ip::make_address(bind.host == "localhost" ? "127.0.0.1" : bind.host, error);
        if (error)
            throw_error({Errc::invalid_argument, "cannot listen on '" + to_string(bind) +
                                                     "': the host to bind is an IP address, such as 0.0.0.0 or ::1"});
        const auto target = asio::ip::tcp::endpoint(address, bind.port);
        auto fd = tcp_socket(target.protocol());
        if (!fd) throw_error(errno_error("a socket to listen on " + to_string(bind), errno));
        acceptor_.assign(target.protocol(), fd.release(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(target, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error == asio::error::address_in_use)
            throw_error({Errc::address_in_use,
                         to_string(bind) + " is taken by another process; choose another port, or 0 for any free one"});
        if (error) throw_error({Errc::system, "cannot listen on " + to_string(bind) + ": " + error.message()});
        const auto& advertise = config.advertise;
        endpoint_.host = !advertise.host.empty()    ? advertise.host
                         : address.is_unspecified() ? reachable_address(address.is_v6())
                                                    : bind.host;
        endpoint_.port = advertise.port == 0 ? acceptor_.local_endpoint().port() : advertise.port;
    }

    [[nodiscard]] Endpoint endpoint() const { return endpoint_; }

    Task<Connected<Socket>> accept(Executor executor) {
        for (;;) {
            auto from = asio::ip::tcp::endpoint();
            auto length = static_cast<socklen_t>(from.capacity());
            auto fd = FileDescriptor(
                ::accept4(acceptor_.native_handle(), from.data(), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd && errno == EAGAIN) {
                const auto [error] = co_await acceptor_.async_wait(asio::socket_base::wait_read, as_result);
                if (error) co_return error == asio::error::operation_aborted ? Errc::cancelled : Errc::closed;
                continue;
            }
            if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
            if (!fd) co_return errno_error("accept", errno);
            from.resize(length);
            patience_.apply(fd.get());
            auto accepted = Connected<Socket>();
            accepted.stream.emplace(executor);
            auto error = boost::system::error_code();
            accepted.stream->assign(from.protocol(), fd.release(), error);
            if (error) co_return Error(Errc::system, "a connection could not be watched: " + error.message());
            accepted.peer = from.address().to_string() + ":" + std::to_string(from.port());
            co_return accepted;
        }
    }

    void close() {
        auto ignored = boost::system::error_code();
        acceptor_.close(ignored);
    }

  private:
    core::detail::later<asio::ip::tcp::acceptor, Void> acceptor_;
    TcpPatience patience_;
    Endpoint endpoint_;
};

} // namespace net::detail

template <class S, class Buffers, class Error>
std::size_t PlainTcp::write_now(S& socket, const Buffers& buffers, Error& error) {
    auto pieces = std::array<iovec, net::detail::most_buffers>();
    const auto count = std::min(buffers.size(), pieces.size());
    for (std::size_t i = 0; i < count; ++i) pieces[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};
    auto message = msghdr();
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const auto sent = ::sendmsg(socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) error = {errno, boost::system::system_category()};
    return 0;
}

template <class L>
L PlainTcp::listen(const Executor& executor, const ListenConfig& config) const {
    return L(executor, config, patience);
}

template <class S>
auto PlainTcp::connect(Executor executor, Endpoint endpoint) const -> Task<Connected> {
    return race<S>(*this, std::move(executor), std::move(endpoint));
}

template <class S>
auto PlainTcp::accept(S socket) const -> Task<Connected> {
    return greet(std::move(socket));
}

template <class S>
auto PlainTcp::race(PlainTcp self, Executor executor, Endpoint endpoint) -> Task<Connected> {
    auto targets = co_await net::detail::resolve(endpoint);
    if (!targets) co_return targets.error();
    net::detail::interleave_families(*targets);
    auto from = asio::ip::address();
    if (!endpoint.from.empty()) {
        auto error = boost::system::error_code();
        from = asio::ip::make_address(endpoint.from, error);
        if (error)
            co_return Error(Errc::invalid_argument, in_quotes(endpoint.from) + " is no IP address to connect from");
    }
    const auto race = std::make_shared<net::detail::ConnectRace<S>>(executor);
    auto wake = Wake::set;
    for (auto next = targets->begin(); !race->winner && wake != Wake::cancelled;) {
        if (next == targets->end() && race->running == 0) break;
        const auto more = next != targets->end();
        if (more) race->start(race, *next++, from, self.patience);
        auto until = Deadline::never();
        if (next != targets->end()) until = Deadline(self.next_address);
        wake = co_await race->step.wait(until);
    }
    race->stop();
    if (wake == Wake::cancelled) {
        race->winner.reset();
        race->stop();
        co_return Errc::cancelled;
    }
    if (!race->winner)
        co_return Error(Errc::unreachable, to_string(endpoint) +
                                               (endpoint.from.empty() ? "" : " from " + endpoint.from) + ": " +
                                               (race->why ? race->why.message() : std::string("no address")) +
                                               "; is the process there running, and is the address right?");
    auto connected = Connected();
    connected.stream.emplace(std::move(race->sockets[*race->winner]));
    connected.peer = to_string(endpoint);
    co_return connected;
}

template <class S>
auto PlainTcp::greet(S socket) -> Task<Connected> {
    auto connected = Connected();
    connected.stream.emplace(std::move(socket));
    co_return connected;
}

} // namespace mooncake
