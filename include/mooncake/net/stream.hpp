#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/resolve.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace mooncake {

/// A connection as the frames above it see it: what Asio calls an async stream, and ways to stop.
/// `cancel` ends the operations in progress with `operation_aborted` and leaves the stream usable; `close` ends all.
template <class S>
concept AsyncStream =
    std::movable<S> && requires(S& stream, std::span<asio::mutable_buffer> in, std::span<asio::const_buffer> out) {
        stream.async_read_some(in, asio::as_tuple(asio::use_awaitable));
        stream.async_write_some(out, asio::as_tuple(asio::use_awaitable));
        stream.cancel();
        stream.close();
    };

/// How connections come to be, and with which security.
///
/// | expression | effect | errors | cancellation |
/// |---|---|---|---|
/// | `P::connect(executor, endpoint)` | a `Task<P::Stream>` that is ready for frames | `unreachable` | terminal |
/// | `P::accept(socket)` | the same for the server's end of an accepted socket | `connection_lost`, `access_denied` | terminal |
template <class P>
concept StreamPolicy =
    AsyncStream<typename P::Stream> && requires(Executor executor, Endpoint endpoint, asio::ip::tcp::socket socket) {
        { P::connect(executor, endpoint) } -> std::same_as<asio::awaitable<Result<typename P::Connected>>>;
        { P::accept(std::move(socket)) } -> std::same_as<asio::awaitable<Result<typename P::Connected>>>;
    };

/// A stream on its way out of a task, which needs an empty state where Asio's sockets have none.
template <class S>
struct Connected {
    std::optional<S> stream;
};

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Choose this when: the network is trusted. Plain TCP, without Nagle's delay.
struct PlainTcp {
    using Stream = asio::ip::tcp::socket;
    using Connected = mooncake::Connected<Stream>;

    // Templates, so that a translation unit that makes no connection does not pay for compiling them.
    template <class S = Stream>
    static Task<Connected> connect(Executor executor, Endpoint endpoint) {
        const auto targets = co_await net::detail::resolve<core::detail::later<asio::ip::tcp::resolver, S>>(endpoint);
        if (!targets) co_return targets.error();
        auto why = std::string("no address");
        for (const auto& target : *targets) {
            auto connected = mooncake::Connected<S>{S(executor)};
            auto [error] = co_await connected.stream->async_connect(target, as_result);
            if (!error) {
                connected.stream->set_option(asio::ip::tcp::no_delay(true), error);
                co_return connected;
            }
            if (error == asio::error::operation_aborted) co_return Errc::cancelled;
            why = error.message();
        }
        co_return Error(Errc::unreachable,
                        to_string(endpoint) + ": " + why + "; is the process there running, and is the address right?");
    }

    template <class S = Stream>
    static Task<Connected> accept(S socket) {
        auto ignored = boost::system::error_code();
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        co_return mooncake::Connected<S>{std::move(socket)};
    }
};

} // namespace mooncake
