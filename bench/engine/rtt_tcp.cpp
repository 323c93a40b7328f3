#include "engine/segment.hpp"
#include "support/raw_socket.hpp"

#include <chrono>
#include <string>
#include <thread>

/// Reads of a few bytes of another process's memory over loopback TCP, one after another. Peers: as many bytes there and back in
/// bare `epoll_wait`, `recv` and `send`; and, of threads that spin on both sides, in bare `recv` and `send`.
namespace {

using namespace mooncake;

using Engine = TransferEngine<bench::Only<TcpTransport<>>>;

constexpr std::size_t bytes = 64;
constexpr auto spin = std::chrono::milliseconds(2);
constexpr std::uint64_t looks = 10'000; // in vain, before the peer sleeps: about as long

/// Lends over TCP with one thread, which spins: each that does so wants a core of its own.
void lend_busy(std::vector<std::string> arguments) {
    auto runtime = Runtime({.threads = 1, .spin = spin});
    bench::lend<TcpTransport<>>(runtime, std::move(arguments));
}

const auto roles = std::array{bench::Role("lend_tcp", &bench::lend<TcpTransport<>>),
                              bench::Role("lend_tcp_busy", &lend_busy), bench::Role("echo", &bench::echo)};

Task<void> read_all(Engine* engine, Engine::Segment segment, MutableBytes into, std::uint64_t reads) {
    for (std::uint64_t i = 0; i < reads; ++i) {
        const auto report = co_await engine->read(into, segment, 0);
        if (!report) co_return report.error();
    }
    co_return ok;
}

void round_trip(benchmark::State& state) {
    constexpr std::uint64_t reads = 5'000;
    const auto lender = bench::Child("lend_tcp", {std::to_string(4 * MiB)});
    const auto raw = bench::Child("echo", {std::to_string(bytes)});
    auto runtime = Runtime({.threads = 1});
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    auto into = std::array<std::byte, bytes>();
    auto echo = bench::RawEcho(raw.address(), bytes);
    const auto ours = [&] {
        return bench::timed(reads, [&] { bench::must(runtime.run(read_all(&engine, segment, into, reads))); });
    };
    bench::run(state,
               {.unit = bench::Unit::calls, .peer = "raw_epoll", .ours = ours, .peers = {[&] {
                                                                                   return echo.round_trips(reads);
                                                                               }}});
}

/// Of whoever measures: all sleep again before the other's turn, and what they spin until then counts as their own CPU.
bench::Sample until_asleep(bench::Sample sample) {
    std::this_thread::sleep_for(3 * spin);
    return sample;
}

void busy_round_trip(benchmark::State& state) {
    constexpr std::uint64_t reads = 5'000;
    const auto lender = bench::Child("lend_tcp_busy", {std::to_string(4 * MiB)});
    const auto raw = bench::Child("echo", {std::to_string(bytes), std::to_string(looks)});
    auto runtime = Runtime({.threads = 1, .spin = spin});
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    auto into = std::array<std::byte, bytes>();
    auto echo = bench::RawEcho(raw.address(), bytes, looks);
    const auto ours = [&] {
        return until_asleep(
            bench::timed(reads, [&] { bench::must(runtime.run(read_all(&engine, segment, into, reads))); }));
    };
    bench::run(state, {.unit = bench::Unit::calls,
                       .peer = "raw_busy",
                       .ours = ours,
                       .peers = {[&] { return until_asleep(echo.round_trips(reads)); }},
                       .pairs = 15});
}

const auto rows =
    std::array{bench::Row("transfer/rtt/tcp", &round_trip), bench::Row("transfer/rtt/tcp_busy", &busy_round_trip)};

} // namespace
