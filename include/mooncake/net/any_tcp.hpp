#pragma once

#include <mooncake/net/stream.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace mooncake {

namespace net::detail {

/// A stream of whichever policy was chosen. One branch an operation.
template <AsyncStream... Streams>
class AnyStream {
  public:
    template <class S>
        requires(std::same_as<S, Streams> || ...)
    explicit AnyStream(S stream) : stream_(std::in_place_type<S>, std::move(stream)) {}

    template <class Token>
    auto async_read_some(std::span<asio::mutable_buffer> buffers, Token&& token) {
        return std::visit([&](auto& stream) { return stream.async_read_some(buffers, std::forward<Token>(token)); },
                          stream_);
    }
    template <class Token>
    auto async_write_some(std::span<const asio::const_buffer> buffers, Token&& token) {
        return std::visit([&](auto& stream) { return stream.async_write_some(buffers, std::forward<Token>(token)); },
                          stream_);
    }

    void cancel() {
        std::visit([](auto& stream) { stream.cancel(); }, stream_);
    }
    void cancel(boost::system::error_code& error) {
        std::visit([&](auto& stream) { stream.cancel(error); }, stream_);
    }
    void close() {
        std::visit([](auto& stream) { stream.close(); }, stream_);
    }
    void close(boost::system::error_code& error) {
        std::visit([&](auto& stream) { stream.close(error); }, stream_);
    }

    /// What it is: calls `with(stream)`.
    template <class With>
    decltype(auto) visit(With&& with) {
        return std::visit(std::forward<With>(with), stream_);
    }

  private:
    std::variant<Streams...> stream_;
};

} // namespace net::detail

/// Choose this when: how connections are secured is an option of the program, such as `AnyTcp<PlainTcp, TlsTcp>`. It does as the
/// policy does that it was made of, the first where it was made of none; both ends must be of the same. Connections of all
/// of them come in the same way.
template <ImmediateStreamPolicy First, ImmediateStreamPolicy... Others>
class AnyTcp {
    static_assert((std::same_as<typename First::Listener, typename Others::Listener> && ...),
                  "the policies of an AnyTcp listen by one and the same kind of listener");

  public:
    using Stream = net::detail::AnyStream<typename First::Stream, typename Others::Stream...>;
    using Incoming = typename First::Incoming;
    using Connected = mooncake::Connected<Stream>;
    using Listener = typename First::Listener;

    AnyTcp() = default;
    template <class P>
        requires(std::same_as<P, First> || (std::same_as<P, Others> || ...))
    AnyTcp(P policy) : chosen_(std::in_place_type<P>, std::move(policy)) {} // NOLINT(google-explicit-constructor)

    [[nodiscard]] Listener listen(const Executor& executor, const ListenConfig& config) const {
        return std::visit([&](const auto& policy) { return policy.listen(executor, config); }, chosen_);
    }
    [[nodiscard]] Task<Connected> connect(Executor executor, Endpoint endpoint) const {
        return std::visit(
            [&](const auto& policy) { return connect_by(policy, std::move(executor), std::move(endpoint)); }, chosen_);
    }
    [[nodiscard]] Task<Connected> accept(Incoming incoming) const {
        return std::visit([&](const auto& policy) { return accept_by(policy, std::move(incoming)); }, chosen_);
    }

    /// See `ImmediateStreamPolicy`.
    [[nodiscard]] std::size_t write_now(Stream& stream, std::span<const asio::const_buffer> buffers,
                                        boost::system::error_code& error) const {
        return stream.visit([&](auto& each) { return write_now(each, buffers, error, Index<0>()); });
    }

  private:
    template <std::size_t I>
    using Index = std::integral_constant<std::size_t, I>;

    /// By the policy of that kind of stream.
    template <class S, std::size_t I>
    std::size_t write_now(S& stream, std::span<const asio::const_buffer> buffers, boost::system::error_code& error,
                          Index<I>) const {
        using Policy = std::variant_alternative_t<I, decltype(chosen_)>;
        if constexpr (!std::same_as<S, typename Policy::Stream>)
            return write_now(stream, buffers, error, Index<I + 1>());
        else return std::get<I>(chosen_).write_now(stream, buffers, error);
    }

    template <class P>
    static Task<Connected> connect_by(P policy, Executor executor, Endpoint endpoint) {
        auto made = co_await policy.connect(std::move(executor), std::move(endpoint));
        if (!made) co_return made.error();
        co_return any(std::move(*made));
    }
    template <class P>
    static Task<Connected> accept_by(P policy, Incoming incoming) {
        auto made = co_await policy.accept(std::move(incoming));
        if (!made) co_return made.error();
        co_return any(std::move(*made));
    }
    template <class S>
    static Connected any(mooncake::Connected<S> made) {
        auto connected = Connected();
        connected.stream.emplace(std::move(*made.stream));
        connected.peer = std::move(made.peer);
        return connected;
    }

    std::variant<First, Others...> chosen_;
};

} // namespace mooncake
