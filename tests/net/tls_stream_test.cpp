// labels: io coroutine
// needs: tls
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/tls_stream.hpp>

#include "certificates.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

using Stream = TlsTcp::Stream;

/// Both ends of one connection, on one thread.
struct Ends {
    Ends() {
        auto listener = TestTls().listen(executor, {});
        auto accepted = spawn(executor, accept_one(&listener, &server), asio::use_future);
        REQUIRE(runtime.run(connect_one(listener.endpoint(), executor, &client)).has_value());
        REQUIRE(accepted.get().has_value());
    }

    static Task<void> accept_one(TlsTcp::Listener* listener, std::optional<Stream>* end) {
        const auto on = co_await asio::this_coro::executor;
        auto incoming = co_await listener->accept(on);
        if (!incoming) co_return incoming.error();
        const auto tls = TestTls();
        auto greeted = co_await tls.accept(std::move(*incoming->stream));
        if (!greeted) co_return greeted.error();
        end->emplace(std::move(*greeted->stream));
        co_return ok;
    }
    static Task<void> connect_one(Endpoint to, Executor on, std::optional<Stream>* end) {
        const auto tls = TestTls();
        auto connected = co_await tls.connect(on, to);
        if (!connected) co_return connected.error();
        end->emplace(std::move(*connected->stream));
        co_return ok;
    }

    Runtime runtime{{.threads = 1}};
    Executor executor = runtime.executor();
    std::optional<Stream> client, server;
};

/// Bytes that tell where they are: so many of what is sent, from `from` on.
std::string_view bytes_at(std::uint64_t from, std::size_t count) {
    constexpr auto period = std::size_t{251};
    static const auto all = [] {
        auto text = std::string(period + 100'040, '\0');
        for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i % period * 31);
        return text;
    }();
    return std::string_view(all).substr(from % period, count);
}

/// Sends bytes, from `from` on, until it is told to stop; where that is.
Task<std::uint64_t> send_on(Stream* stream, std::uint64_t from) {
    auto head = std::string(), body = std::string();
    for (;;) {
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) co_return from;
        head = bytes_at(from, 40);
        body = bytes_at(from + 40, 100'000);
        const auto buffers =
            std::array{asio::const_buffer(head.data(), head.size()), asio::const_buffer(body.data(), body.size())};
        const auto all = std::span<const asio::const_buffer>(buffers);
        const auto [error, sent] = co_await stream->async_write_some(all, as_result);
        std::fill(head.begin(), head.end(), 'x'); // it is ours again
        std::fill(body.begin(), body.end(), 'x');
        from += sent;
        if (error == asio::error::operation_aborted) co_return from;
        if (error) co_return Error(Errc::connection_lost, error.message());
    }
}

/// Reads from `from` to `to`. Errors: `corrupt`, where a byte is not what was sent; `cancelled`.
Task<void> receive(Stream* stream, std::uint64_t from, std::uint64_t to) {
    auto bytes = std::vector<char>(30'000);
    while (from < to) {
        const auto most = std::min<std::uint64_t>(bytes.size(), to - from);
        auto buffers = std::array{asio::mutable_buffer(bytes.data(), most / 2),
                                  asio::mutable_buffer(bytes.data() + most / 2, most - most / 2)};
        const auto all = std::span<asio::mutable_buffer>(buffers);
        const auto [error, read] = co_await stream->async_read_some(all, as_result);
        if (error == asio::error::operation_aborted) co_return Errc::cancelled;
        if (error) co_return Error(Errc::connection_lost, error.message());
        if (std::string_view(bytes.data(), read) != bytes_at(from, read)) co_return Errc::corrupt;
        from += read;
    }
    co_return ok;
}

} // namespace

TEST_CASE("tls stream: a write that is cancelled lets go of its buffers, and the stream goes on where it was") {
    auto ends = Ends();
    auto received = std::uint64_t{0}, sent = received;
    for (auto round = 0; round < 3; ++round) {
        const auto until = ends.runtime.run(with_deadline(send_on(&*ends.client, sent), 500ms)); // nobody reads
        REQUIRE_MESSAGE(until.has_value(), (until ? "" : until.error().message()));
        sent = *until;
        // All of what was taken comes, without another write.
        const auto got = ends.runtime.run(with_deadline(receive(&*ends.server, received, sent), 10s));
        CHECK_MESSAGE(got.has_value(), (got ? "" : got.error().message()));
        received = sent;
    }
    CHECK(received > 3 * 100'000);
}

TEST_CASE("tls stream: a write that has not begun when it is cancelled has sent nothing") {
    auto ends = Ends();
    auto sent = ends.runtime.run(with_deadline(send_on(&*ends.client, 0), 1s));
    REQUIRE(sent.has_value());
    auto in_vain = 0; // in a row: the network takes no more, and so much is encrypted as may be
    for (auto tries = 0; tries < 100 && in_vain < 3; ++tries) {
        const auto before = *sent;
        sent = ends.runtime.run(with_deadline(send_on(&*ends.client, before), 20ms));
        REQUIRE(sent.has_value());
        in_vain = *sent == before ? in_vain + 1 : 0;
    }
    CHECK(in_vain == 3);
    CHECK(ends.runtime.run(with_deadline(receive(&*ends.server, 0, *sent), 10s)).has_value());
}

TEST_CASE("tls stream: a read that is cancelled has taken nothing, and neither has one that `cancel` ends") {
    auto ends = Ends();
    const auto early = ends.runtime.run(with_deadline(receive(&*ends.server, 0, 1), 20ms));
    REQUIRE(early.has_error());
    CHECK(early.error() == Errc::timed_out);
    auto waiting = spawn(ends.executor, receive(&*ends.server, 0, 1), asio::use_future);
    asio::post(ends.executor, [&] { ends.server->cancel(); });
    CHECK(waiting.get().error() == Errc::cancelled);
    const auto sent = ends.runtime.run(with_deadline(send_on(&*ends.client, 0), 50ms));
    REQUIRE(sent.has_value());
    CHECK(ends.runtime.run(with_deadline(receive(&*ends.server, 0, *sent), 10s)).has_value());
}

TEST_CASE("tls stream: an end that is closed is told of, and what is read or written after that fails") {
    auto ends = Ends();
    asio::post(ends.executor, [&] { ends.client->close(); });
    const auto theirs = ends.runtime.run(with_deadline(receive(&*ends.server, 0, 1), 10s));
    REQUIRE(theirs.has_error());
    CHECK(theirs.error().message().find("End of file") != std::string::npos);
    const auto read = ends.runtime.run(with_deadline(receive(&*ends.client, 0, 1), 10s));
    CHECK(read.has_error());
    CHECK(ends.runtime.run(with_deadline(send_on(&*ends.client, 0), 10s)).value() == 0);
}
