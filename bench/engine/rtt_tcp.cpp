#include "engine/segment.hpp"
#include "support/raw_socket.hpp"

/// Reads of a few bytes of another process's memory over loopback TCP, one after another. Peer: as many bytes there and back in
/// bare `epoll_wait`, `recv` and `send`.
namespace {

using namespace mooncake;

constexpr std::uint64_t reads = 5'000;

using Engine = TransferEngine<bench::Only<TcpTransport<>>>;

const auto role = bench::Role("echo", &bench::echo);

Task<void> read_all(Engine* engine, Engine::Segment segment, MutableBytes into) {
    for (std::uint64_t i = 0; i < reads; ++i) {
        const auto report = co_await engine->read(into, segment, 0);
        if (!report) co_return report.error();
    }
    co_return ok;
}

void round_trip(benchmark::State& state) {
    constexpr std::size_t bytes = 64;
    const auto lender = bench::Child("lend_tcp", {std::to_string(4 * MiB)});
    const auto raw = bench::Child("echo", {std::to_string(bytes)});
    auto runtime = Runtime({.threads = 1});
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    auto into = std::array<std::byte, bytes>();
    auto echo = bench::RawEcho(raw.address(), bytes);
    bench::run(
        state,
        {.unit = bench::Unit::calls,
         .peer = "raw_epoll",
         .ours =
             [&] { return bench::timed(reads, [&] { bench::must(runtime.run(read_all(&engine, segment, into))); }); },
         .peers = {[&] { return echo.round_trips(reads); }}});
}

const auto row = bench::Row("transfer/rtt/tcp", &round_trip);

} // namespace
