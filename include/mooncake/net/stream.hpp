#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/scatter.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <concepts>
#include <cstddef>
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

/// A policy whose streams take bytes without a wait: for answers that are all there is to send.
///
/// | expression | effect |
/// |---|---|
/// | `p.write_now(stream, buffers, error)` | the bytes that were taken at once, 0 where that would block; sets `error` when the stream is broken. Thread: who turns the stream's executor, while no other write is under way |
template <class P>
concept ImmediateStreamPolicy =
    StreamPolicy<P> && requires(const P& policy, typename P::Stream& stream,
                                std::span<const asio::const_buffer> buffers, boost::system::error_code& error) {
        { policy.write_now(stream, buffers, error) } -> std::same_as<std::size_t>;
    };

namespace net::detail {

/// Writes what `gather(buffers)` gives, as far as that goes at once.
template <ImmediateStreamPolicy P, class Gather>
std::size_t write_gathered_now(const P& policy, typename P::Stream& stream, const Gather& gather,
                               boost::system::error_code& error) {
    auto buffers = std::array<asio::const_buffer, most_buffers>();
    const auto count = gather(buffers);
    return policy.write_now(stream, std::span<const asio::const_buffer>(buffers).first(count), error);
}

} // namespace net::detail

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

} // namespace mooncake
