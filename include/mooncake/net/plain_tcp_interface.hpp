#pragma once

/// What `PlainTcp` is to those who configure it; `plain_tcp.hpp` has the insides.

#include <mooncake/core/task_fwd.hpp>
#include <mooncake/net/endpoint.hpp>

#include <chrono>
#include <cstddef>

namespace boost::asio {
template <typename Protocol, typename Executor>
class basic_stream_socket;
namespace ip {
class tcp;
}
} // namespace boost::asio

namespace mooncake {

template <class S>
struct Connected;

namespace net::detail {

template <class Void = void>
class PlainTcpListener;

/// How soon a host that vanished is noticed. Without these a connection that went silent is kept for hours.
struct TcpPatience {
    std::chrono::milliseconds silence{5'000};         ///< of an idle peer, before it is asked for a sign of life
    std::chrono::milliseconds sign{2'000};            ///< to wait for each of three signs
    std::chrono::milliseconds unacknowledged{12'000}; ///< most that sent bytes may stay so

    inline void apply(int socket) const noexcept;
};

} // namespace net::detail

/// Choose this when: the network is trusted. Plain TCP, without Nagle's delay.
struct PlainTcp {
    using Stream = asio::basic_stream_socket<asio::ip::tcp, Executor>;
    using Incoming = Stream;
    using Connected = mooncake::Connected<Stream>;
    using Listener = net::detail::PlainTcpListener<>;

    net::detail::TcpPatience patience = {};
    std::chrono::milliseconds next_address{
        250}; ///< silence of an address after which the host's next one is tried, too

    // Templates, so that a translation unit that makes no connection does not pay for compiling them.
    template <class L = Listener>
    [[nodiscard]] L listen(const Executor& executor, const ListenConfig& config) const;
    template <class S = Stream>
    [[nodiscard]] asio::awaitable<Result<Connected>, Executor> connect(Executor executor, Endpoint endpoint) const;
    template <class S = Stream>
    [[nodiscard]] asio::awaitable<Result<Connected>, Executor> accept(S socket) const;

    /// See `ImmediateStreamPolicy`.
    template <class S, class Buffers, class Error>
    [[nodiscard]] static std::size_t write_now(S& socket, const Buffers& buffers, Error& error);

  private:
    template <class S>
    static asio::awaitable<Result<Connected>, Executor> race(PlainTcp self, Executor executor, Endpoint endpoint);
    template <class S>
    static asio::awaitable<Result<Connected>, Executor> greet(S socket);
};

} // namespace mooncake
