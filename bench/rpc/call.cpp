#include <mooncake/core/combine.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>

#include "cluster/daemon.hpp"
#include "support/pairs.hpp"
#include "support/raw_socket.hpp"
#include "support/redis.hpp"
#include "support/serve.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <string>
#include <vector>

/// Round trips of a call, one after another, to another process. The peers: a plain Asio coroutine on each side that
/// exchanges as many bytes, without frames, messages, or several calls at a time; and the same in bare `epoll_wait`, `recv` and
/// `send`, which is the least that two processes which sleep in between can do.
namespace {

using namespace mooncake;

constexpr std::size_t frame_bytes = 128;
constexpr std::size_t text_of_frame(std::size_t bytes) { return bytes - FrameHeader::size - 4; } // 4: the text's length
constexpr std::uint64_t calls = 5'000;

struct EchoReply {
    std::string text;
};
struct Echo {
    static constexpr std::uint32_t method = 1;
    using Reply = EchoReply;
    std::string text;
};

void serve_rpc(std::vector<std::string>) {
    auto runtime = Runtime({.threads = 1});
    auto service = RpcService();
    service.on<Echo>([](Echo& echo) -> Result<EchoReply> { return EchoReply{std::move(echo.text)}; });
    auto server = Server<PlainTcp>(runtime, service, {});
    server.start();
    cluster::announce(to_string(server.endpoint()));
    cluster::wait_for_stop();
    runtime.run(server.close());
}

Task<void> echo(asio::ip::tcp::acceptor* acceptor) {
    auto [error, socket] = co_await acceptor->async_accept(as_result);
    if (!error) socket.set_option(asio::ip::tcp::no_delay(true), error);
    auto bytes = std::array<std::byte, frame_bytes>();
    while (!error) {
        const auto [unread, read] = co_await asio::async_read(socket, asio::buffer(bytes), as_result);
        error = unread;
        if (error) break;
        const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(bytes), as_result);
        error = unsent;
    }
    co_return ok;
}

void serve_asio(std::vector<std::string>) {
    auto runtime = Runtime({.threads = 1});
    auto acceptor = asio::ip::tcp::acceptor(runtime.executor(), {asio::ip::address_v4::loopback(), 0});
    cluster::announce(std::to_string(acceptor.local_endpoint().port()));
    (void)runtime.run(echo(&acceptor));
    cluster::wait_for_stop();
}

const auto roles =
    std::array{bench::Role("rpc", &serve_rpc), bench::Role("asio", &serve_asio), bench::Role("echo", &bench::echo)};

Task<void> call_in_turn(RpcClient<>* client, std::size_t bytes, std::uint64_t count) {
    const auto text = std::string(text_of_frame(bytes), 'x');
    for (std::uint64_t i = 0; i < count; ++i) {
        auto request = Echo{text};
        const auto reply = co_await client->call(std::move(request));
        if (!reply) co_return reply.error();
    }
    co_return ok;
}

Task<void> exchange(asio::ip::tcp::socket* socket) {
    auto bytes = std::array<std::byte, frame_bytes>();
    for (std::uint64_t i = 0; i < calls; ++i) {
        const auto [unsent, sent] = co_await asio::async_write(*socket, asio::buffer(bytes), as_result);
        if (unsent) co_return Error(Errc::connection_lost, unsent.message());
        const auto [unread, read] = co_await asio::async_read(*socket, asio::buffer(bytes), as_result);
        if (unread) co_return Error(Errc::connection_lost, unread.message());
    }
    co_return ok;
}

void round_trip(benchmark::State& state) {
    const auto rpc = bench::Child("rpc", {}), plain = bench::Child("asio", {});
    auto runtime = Runtime({.threads = 1});
    auto client = RpcClient<>(runtime.executor(), {.server = bench::must(parse_endpoint(rpc.address()))});
    auto socket = asio::ip::tcp::socket(runtime.executor());
    socket.connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoul(plain.address()))});
    socket.set_option(asio::ip::tcp::no_delay(true));
    bench::run(state,
               {.unit = bench::Unit::calls,
                .peer = "asio",
                .ours =
                    [&] {
                        return bench::timed(
                            calls, [&] { bench::must(runtime.run(call_in_turn(&client, frame_bytes, calls))); });
                    },
                .peers = {[&] { return bench::timed(calls, [&] { bench::must(runtime.run(exchange(&socket))); }); }}});
    runtime.run(client.close());
}

void against_epoll(benchmark::State& state) {
    constexpr std::size_t bytes = 64;
    const auto rpc = bench::Child("rpc", {}), raw = bench::Child("echo", {std::to_string(bytes)});
    auto runtime = Runtime({.threads = 1});
    auto client = RpcClient<>(runtime.executor(), {.server = bench::must(parse_endpoint(rpc.address()))});
    auto echo = bench::RawEcho(raw.address(), bytes);
    bench::run(state, {.unit = bench::Unit::calls,
                       .peer = "raw_epoll",
                       .ours =
                           [&] {
                               return bench::timed(
                                   calls, [&] { bench::must(runtime.run(call_in_turn(&client, bytes, calls))); });
                           },
                       .peers = {[&] { return echo.round_trips(calls); }}});
    runtime.run(client.close());
}

constexpr std::size_t depth = 64;
constexpr std::uint64_t rounds = 1'000;

Task<void> call_at_once(RpcClient<>* client, std::size_t bytes) {
    auto tasks = std::vector<Task<void>>();
    for (std::size_t i = 0; i < depth; ++i) tasks.push_back(call_in_turn(client, bytes, rounds));
    co_return co_await all_or_cancel(std::move(tasks));
}

/// As many calls at a time over one connection as a pipelining client of redis has gets on their way.
void against_redis(benchmark::State& state) {
    constexpr std::size_t bytes = 64;
    const auto rpc = bench::Child("rpc", {});
    auto runtime = Runtime({.threads = 1});
    auto client = RpcClient<>(runtime.executor(), {.server = bench::must(parse_endpoint(rpc.address()))});
    auto redis = bench::Redis();
    redis.set("key", std::string(bytes, 'x'));
    bench::run(state, {.unit = bench::Unit::items,
                       .peer = "redis_get_d64",
                       .ours =
                           [&] {
                               return bench::timed(rounds * depth,
                                                   [&] { bench::must(runtime.run(call_at_once(&client, bytes))); });
                           },
                       .peers = {[&] { return redis.get("key", bytes, rounds, depth); }}});
    runtime.run(client.close());
}

const auto rows = std::array{bench::Row("rpc/call/128", &round_trip), bench::Row("rpc/rtt/64", &against_epoll),
                             bench::Row("rpc/call/64/depth:64", &against_redis)};

} // namespace
