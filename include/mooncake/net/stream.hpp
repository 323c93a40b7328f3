#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/net/endpoint.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace mooncake {

namespace net::detail {

/// A completion token that asks whether an operation could be begun with any, and begins none: a concept that names a real
/// one compiles the whole operation for everybody who includes it.
struct TokenProbe {};

} // namespace net::detail

} // namespace mooncake

template <>
struct boost::asio::async_result<mooncake::net::detail::TokenProbe, void(boost::system::error_code, std::size_t)> {
    using return_type = void;
    template <class Initiation, class... Args>
    static void initiate(Initiation&&, mooncake::net::detail::TokenProbe, Args&&...) {}
};

namespace mooncake {

/// A connection as the frames above it see it: what Asio calls an async stream, and ways to stop.
/// `cancel` ends the operations in progress with `operation_aborted` and leaves the stream usable; `close` ends all.
template <class S>
concept AsyncStream =
    std::movable<S> && requires(S& stream, std::span<asio::mutable_buffer> in, std::span<asio::const_buffer> out) {
        stream.async_read_some(in, net::detail::TokenProbe());
        stream.async_write_some(out, net::detail::TokenProbe());
        stream.cancel();
        stream.close();
    };

/// What a stream value or a listener gives on its way out of a task, which needs an empty state where sockets have none.
template <class S>
struct Connected {
    std::optional<S> stream;
    std::string peer{}; ///< who is at the other end, for the log
};

/// Where connections come in.
///
/// | expression | effect | errors | cancellation |
/// |---|---|---|---|
/// | `l.endpoint()` | where peers reach it: the address to advertise | | |
/// | `l.accept(executor)` | the next connection, as it comes, on `executor` | `system` (out of descriptors: try again later), `cancelled`, `closed` | terminal |
/// | `l.close()` | accepts no more | | |
template <class L, class Incoming>
concept StreamListener = std::movable<L> && requires(L& listener, const L& constant, Executor executor) {
    { constant.endpoint() } -> std::same_as<Endpoint>;
    { listener.accept(executor) } -> std::same_as<asio::awaitable<Result<Connected<Incoming>>, Executor>>;
    { listener.close() } -> std::same_as<void>;
};

/// How connections come to be, over which network and with which security: a value, which is copied to whoever connects or
/// listens, and may hold certificates and the like.
///
/// | expression | effect | errors | cancellation |
/// |---|---|---|---|
/// | `p.listen(executor, config)` | a `P::Listener` that is bound | throws `boost::system::system_error`: `address_in_use`, `invalid_argument`, `system` | |
/// | `p.connect(executor, endpoint)` | looks the name up, connects and greets: a stream that is ready for frames | `unreachable` | terminal |
/// | `p.accept(incoming)` | greets at the server's end of what a listener gave | `connection_lost`, `access_denied` | terminal |
template <class P>
concept StreamPolicy = std::copyable<P> && std::default_initializable<P> && AsyncStream<typename P::Stream> &&
                       StreamListener<typename P::Listener, typename P::Incoming> &&
                       requires(const P& policy, Executor executor, Endpoint endpoint, ListenConfig config,
                                typename P::Incoming incoming) {
                           { policy.listen(executor, config) } -> std::same_as<typename P::Listener>;
                           {
                               policy.connect(executor, endpoint)
                           } -> std::same_as<asio::awaitable<Result<typename P::Connected>, Executor>>;
                           {
                               policy.accept(std::move(incoming))
                           } -> std::same_as<asio::awaitable<Result<typename P::Connected>, Executor>>;
                       };

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

} // namespace mooncake
