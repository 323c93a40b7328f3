#include <mooncake/core/combine.hpp>

#include "engine/segment.hpp"
#include "support/raw_socket.hpp"

/// Writes into another process's arena over loopback TCP, 1 GiB into 1 GiB. Peer: blocking sends of the same bytes over
/// one connection to a process that receives them into such an arena.
///
/// Depth: `in_flight` coroutines, each with one write (or one batch) on its way at a time, as a node that stores several
/// requests' blocks at once would have.
namespace {

using namespace mooncake;

constexpr std::uint64_t arena_bytes = 1 * GiB;
constexpr std::uint64_t in_flight = 8;

using Engine = TransferEngine<bench::Only<TcpTransport<>>>;

const auto roles = std::array{bench::Role("lend_tcp", &bench::lend<TcpTransport<>>), bench::Role("sink", &bench::sink)};

struct Job {
    Engine& engine;
    Engine::Segment segment;
    ConstBytes source;
    std::uint64_t block; ///< bytes of a request
    std::uint64_t batch; ///< requests of a batch
    std::uint64_t next = 0;
};

/// Takes one batch after another until all is written.
Task<void> write_some(Job* job) {
    while (job->next < job->source.size()) {
        auto batch = job->engine.batch();
        batch.reserve(job->batch);
        for (std::uint64_t i = 0; i < job->batch; ++i, job->next += job->block)
            batch.write(job->source.subspan(job->next, job->block), job->segment, job->next);
        const auto report = co_await batch.submit();
        if (!report) co_return report.error();
        if (!report->all_ok()) co_return Error(Errc::system, report->failure.message());
    }
    co_return ok;
}

Task<void> write_all(Job* job) {
    auto tasks = std::vector<Task<void>>();
    for (std::uint64_t i = 0; i < in_flight; ++i) tasks.push_back(write_some(job));
    co_return co_await all_or_cancel(std::move(tasks));
}

void write_tcp(benchmark::State& state, std::uint64_t block, std::uint64_t batch, std::uint64_t raw_piece) {
    const auto lender = bench::Child("lend_tcp", {std::to_string(arena_bytes)});
    const auto sink = bench::Child("sink", {std::to_string(arena_bytes), std::to_string(raw_piece)});
    auto runtime = Runtime();
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    const auto source = bench::cold_arena(arena_bytes);
    auto raw = bench::RawSocket(sink.address());
    const auto ours = [&] {
        auto job = Job{.engine = engine, .segment = segment, .source = source->bytes(), .block = block, .batch = batch};
        return bench::timed(arena_bytes, [&] { bench::must(runtime.run(write_all(&job))); });
    };
    bench::run(state, {.work_per_operation = static_cast<double>(block * batch),
                       .peer = "raw_socket",
                       .ours = ours,
                       .peers = {[&] { return raw.send_all(source->bytes(), raw_piece); }}});
}

const auto rows = std::array{
    bench::Row("transfer/write/tcp/1048576", [](benchmark::State& state) { write_tcp(state, 1 * MiB, 1, 1 * MiB); }),
    bench::Row("transfer/write/tcp/4096/batch:128",
               [](benchmark::State& state) { write_tcp(state, 4 * KiB, 128, 64 * KiB); }),
};

} // namespace
