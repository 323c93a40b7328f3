#include <mooncake/core/combine.hpp>

#include "engine/segment.hpp"
#include "support/perftest.hpp"
#include "support/raw_socket.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

/// Writes into, and reads from, another process's arena over loopback TCP, 1 GiB in all. Peer: blocking sends of the same bytes over
/// one connection to a process that receives them into such an arena, or the other way round.
///
/// Rows that end in `hot` write to and from the same few blocks again and again, which caches hold: so do UCX and iperf3, which
/// are beside some of the other rows, too, and have it easier there.
///
/// Depth: `in_flight` coroutines, each with one request (or one batch) on its way at a time, as a node that stores or loads several
/// requests' blocks at once would have.
namespace {

using namespace mooncake;

constexpr std::uint64_t all_bytes = 1 * GiB;
constexpr std::uint64_t in_flight = 8;
constexpr std::uint64_t raw_piece = 1 * MiB;

using Engine = TransferEngine<bench::Only<TcpTransport<>>>;

const auto roles = std::array{bench::Role("lend_tcp", &bench::lend<TcpTransport<>>), bench::Role("sink", &bench::sink),
                              bench::Role("source", &bench::source)};

struct Job {
    Engine& engine;
    Engine::Segment segment;
    Direction direction;
    MutableBytes memory;
    std::uint64_t block; ///< bytes of a request
    std::uint64_t batch; ///< requests of a batch
    std::uint64_t next = 0;
};

/// Takes one batch after another until all is moved.
Task<void> move_some(Job* job) {
    while (job->next < all_bytes) {
        auto batch = job->engine.batch();
        batch.reserve(job->batch);
        for (std::uint64_t i = 0; i < job->batch; ++i, job->next += job->block) {
            const auto at = job->next % job->memory.size();
            const auto bytes = job->memory.subspan(at, job->block);
            if (job->direction == Direction::write) batch.write(bytes, job->segment, at);
            else batch.read(bytes, job->segment, at);
        }
        const auto report = co_await batch.submit();
        if (!report) co_return report.error();
        if (!report->all_ok()) co_return Error(Errc::system, report->failure.message());
    }
    co_return ok;
}

Task<void> move_all(Job* job) {
    auto tasks = std::vector<Task<void>>();
    for (std::uint64_t i = 0; i < in_flight; ++i) tasks.push_back(move_some(job));
    co_return co_await all_or_cancel(std::move(tasks));
}

enum class Rivals : std::uint8_t { none, both };

struct Shape {
    Direction direction;
    std::uint64_t block;
    std::uint64_t batch = 1;
    std::uint64_t arena_bytes = all_bytes;
    Rivals rivals = Rivals::none;
    bool checked = false; ///< see `TcpTransportConfig::check_frames`
};

void move_tcp(benchmark::State& state, const Shape& shape) {
    const auto lender = bench::Child("lend_tcp", {std::to_string(shape.arena_bytes)});
    const auto* const role = shape.direction == Direction::write ? "sink" : "source";
    const auto other = bench::Child(role, {std::to_string(shape.arena_bytes), std::to_string(raw_piece)});
    auto runtime = Runtime();
    auto config = Engine::Config();
    config.transport<TcpTransport<>>().check_frames = shape.checked;
    auto engine = Engine(runtime, std::move(config));
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    const auto memory = bench::cold_arena(shape.arena_bytes);
    auto raw = bench::RawSocket(other.address());
    const auto ours = [&] {
        auto job = Job{.engine = engine,
                       .segment = segment,
                       .direction = shape.direction,
                       .memory = memory->bytes(),
                       .block = shape.block,
                       .batch = shape.batch};
        return bench::timed(all_bytes, [&] { bench::must(runtime.run(move_all(&job))); });
    };
    const auto theirs = [&] {
        return bench::timed(all_bytes, [&] {
            for (std::uint64_t at = 0; at < all_bytes; at += shape.arena_bytes)
                if (shape.direction == Direction::write) raw.send_all(memory->bytes(), raw_piece);
                else raw.receive_all(memory->bytes(), raw_piece);
        });
    };
    auto contest = bench::Contest{.work_per_operation = static_cast<double>(shape.block * shape.batch),
                                  .peer = "raw_socket",
                                  .ours = ours,
                                  .peers = {theirs}};
    if (shape.rivals == Rivals::both) {
        bench::add_ucx_over_tcp(contest, shape.block);
        bench::add_iperf3(contest);
    }
    bench::run(state, contest);
}

template <Direction direction, std::uint64_t block, std::uint64_t batch = 1>
void move(benchmark::State& state) {
    move_tcp(state, {.direction = direction, .block = block, .batch = batch});
}

template <Direction direction, std::uint64_t block>
void move_checked(benchmark::State& state) {
    move_tcp(state, {.direction = direction, .block = block, .checked = true});
}

template <std::uint64_t block, std::uint64_t batch = 1>
void write_beside(benchmark::State& state) {
    move_tcp(state, {.direction = Direction::write, .block = block, .batch = batch, .rivals = Rivals::both});
}

/// 16 MiB, so that each of those in flight has a block, or a batch, of its own.
template <std::uint64_t block, std::uint64_t batch = 1>
void write_hot(benchmark::State& state) {
    constexpr auto bytes = std::max<std::uint64_t>(block * batch, 2 * MiB) * in_flight;
    move_tcp(
        state,
        {.direction = Direction::write, .block = block, .batch = batch, .arena_bytes = bytes, .rivals = Rivals::both});
}

const auto rows = std::array{
    bench::Row("transfer/write/tcp/1048576", &write_beside<1 * MiB>),
    bench::Row("transfer/write/tcp/1048576/hot", &write_hot<1 * MiB>),
    bench::Row("transfer/write/tcp/1048576/checked", &move_checked<Direction::write, 1 * MiB>),
    bench::Row("transfer/write/tcp/16777216", &move<Direction::write, 16 * MiB>),
    bench::Row("transfer/write/tcp/65536/batch:128", &write_beside<64 * KiB, 128>),
    bench::Row("transfer/write/tcp/65536/batch:128/hot", &write_hot<64 * KiB, 128>),
    bench::Row("transfer/write/tcp/4096/batch:128", &write_beside<4 * KiB, 128>),
    bench::Row("transfer/write/tcp/4096/batch:128/hot", &write_hot<4 * KiB, 128>),
    bench::Row("transfer/read/tcp/1048576", &move<Direction::read, 1 * MiB>),
    bench::Row("transfer/read/tcp/1048576/checked", &move_checked<Direction::read, 1 * MiB>),
    bench::Row("transfer/read/tcp/16777216", &move<Direction::read, 16 * MiB>),
    bench::Row("transfer/read/tcp/65536/batch:128", &move<Direction::read, 64 * KiB, 128>),
    bench::Row("transfer/read/tcp/4096/batch:128", &move<Direction::read, 4 * KiB, 128>),
};

} // namespace
