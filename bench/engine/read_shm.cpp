#include "engine/segment.hpp"

/// Reads of 1 MiB, one after another, out of another process's arena: 1 GiB in order into 256 MiB, no checksums. The peer
/// copies the same bytes out of the same mapping, on the same thread.
namespace {

using namespace mooncake;

constexpr std::uint64_t block = 1 * MiB, source_bytes = 1 * GiB, target_bytes = 256 * MiB;

using Engine = TransferEngine<bench::Only<ShmTransport>>;

const auto role = bench::Role("lend_shm", &bench::lend<ShmTransport>);

Task<void> read_all(Engine& engine, Engine::Segment segment, MutableBytes into) {
    for (std::uint64_t at = 0; at < source_bytes; at += block) {
        const auto report = co_await engine.read(into.subspan(at % into.size(), block), segment, at);
        if (!report) co_return report.error();
    }
    co_return ok;
}

void read_shm(benchmark::State& state) {
    const auto lender = bench::Child("lend_shm", {std::to_string(source_bytes)});
    auto runtime = Runtime();
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    const auto window = bench::must(runtime.run(engine.map(segment, 0, source_bytes, Direction::read)));
    const auto target = bench::cold_arena(target_bytes);
    const auto ours = [&] {
        return bench::timed(source_bytes,
                            [&] { bench::must(runtime.run(read_all(engine, segment, target->bytes()))); });
    };
    auto peers = bench::copies(runtime, target->bytes(), {window.bytes, source_bytes}, block);
    bench::run(state,
               {.work_per_operation = block, .peer = "copy", .ours = ours, .peers = std::move(peers), .pairs = 15});
}

const auto row = bench::Row("transfer/read/shm/1048576", &read_shm);

} // namespace
