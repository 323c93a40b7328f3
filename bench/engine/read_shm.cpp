#include "engine/segment.hpp"
#include "support/perftest.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// Reads of 1 MiB, one after another, out of another process's arena: 1 GiB in order into 256 MiB, no checksums. The peer
/// copies the same bytes out of the same mapping, on the same thread.
namespace {

using namespace mooncake;

constexpr std::uint64_t block = 1 * MiB, source_bytes = 1 * GiB, target_bytes = 256 * MiB;

using Engine = TransferEngine<bench::Only<ShmTransport>>;

/// Lends memory that is no arena of ours.
template <Transport T>
void lend_own(std::vector<std::string> arguments) {
    auto runtime = Runtime();
    auto engine = TransferEngine<bench::Only<T>>(runtime);
    auto memory = std::vector<std::byte>(std::stoull(arguments.at(0)));
    (void)bench::must(runtime.run(engine.register_memory(memory, Rights::read_write)));
    cluster::announce(engine.locator());
    cluster::wait_for_stop();
    runtime.run(engine.close());
}

const auto roles =
    std::array{bench::Role("lend_shm", &bench::lend<ShmTransport>), bench::Role("lend_own", &lend_own<ShmTransport>),
               bench::Role("lend_own_tcp", &lend_own<TcpTransport<>>)};

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

/// The same few blocks again and again, in batches: what a decode step reads that was read before. Peers: copies of them, one after
/// another, in the same order; and, for blocks of 64 KiB and more, UCX, which reads one again and again.
template <std::uint64_t block, std::uint64_t batch>
void read_hot(benchmark::State& state) {
    constexpr auto bytes = block * batch;
    constexpr auto rounds = std::uint64_t{512 * MiB / bytes};
    const auto lender = bench::Child("lend_shm", {std::to_string(bytes)});
    auto runtime = Runtime();
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    const auto window = bench::must(runtime.run(engine.map(segment, 0, bytes, Direction::read)));
    const auto target = bench::cold_arena(bytes);
    const auto into = target->bytes();
    const auto read = [&]() -> Task<void> {
        for (std::uint64_t round = 0; round < rounds; ++round) {
            if (batch == 1) {
                const auto report = co_await engine.read(into.first(block), segment, 0);
                if (!report) co_return report.error();
                continue;
            }
            auto requests = engine.batch();
            requests.reserve(batch);
            for (std::uint64_t at = 0; at < bytes; at += block) requests.read(into.subspan(at, block), segment, at);
            const auto report = co_await requests.submit();
            if (!report) co_return report.error();
            if (!report->all_ok()) co_return Error(Errc::system, report->failure.message());
        }
        co_return ok;
    };
    const auto ours = [&] { return bench::timed(bytes * rounds, [&] { bench::must(runtime.run(read())); }); };
    const auto copy = [&]<class C>() {
        return bench::on(runtime, [=] {
            return bench::timed(bytes * rounds, [&] {
                for (std::uint64_t round = 0; round < rounds; ++round)
                    for (std::uint64_t at = 0; at < bytes; at += block)
                        C::copy(into.data() + at, window.bytes + at, block);
            });
        });
    };
    auto peers = std::vector<bench::Measure> { copy.template operator()<MemcpyCopier>() };
#if defined(__x86_64__)
    peers.push_back(copy.template operator()<RepMovsbCopier>());
#endif
    auto contest = bench::Contest{
        .work_per_operation = bytes, .peer = "copy", .ours = ours, .peers = std::move(peers), .pairs = 15};
    if (block >= 64 * KiB) bench::add_ucx_over_shm(contest, block);
    bench::run(state, contest);
}

/// Memory that is no arena of ours, where it is. Peer: the same over tcp.
template <std::uint64_t block, std::uint64_t batch>
void read_own(benchmark::State& state) {
    constexpr auto bytes = block * batch;
    constexpr auto rounds = std::uint64_t{256 * MiB / bytes};
    const auto lender = bench::Child("lend_own", {std::to_string(bytes)});
    const auto over_tcp = bench::Child("lend_own_tcp", {std::to_string(bytes)});
    auto runtime = Runtime();
    auto into = std::vector<std::byte>(bytes);
    const auto read = [&](auto& engine, const auto& segment) -> Task<void> {
        for (std::uint64_t round = 0; round < rounds; ++round) {
            auto requests = engine.batch();
            requests.reserve(batch);
            for (std::uint64_t at = 0; at < bytes; at += block)
                requests.read(MutableBytes(into).subspan(at, block), segment, at);
            const auto report = co_await requests.submit();
            if (!report) co_return report.error();
            if (!report->all_ok()) co_return Error(Errc::system, report->failure.message());
        }
        co_return ok;
    };
    auto engine = Engine(runtime);
    auto other = TransferEngine<bench::Only<TcpTransport<>>>(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    const auto distant = bench::must(runtime.run(other.open(over_tcp.address())));
    const auto ours = [&] {
        return bench::timed(bytes * rounds, [&] { bench::must(runtime.run(read(engine, segment))); });
    };
    const auto theirs = [&] {
        return bench::timed(bytes * rounds, [&] { bench::must(runtime.run(read(other, distant))); });
    };
    bench::run(state, {.work_per_operation = bytes, .peer = "tcp", .ours = ours, .peers = {theirs}});
}

const auto rows = std::array{bench::Row("transfer/read/shm/1048576", &read_shm),
                             bench::Row("transfer/read/shm/1048576/hot", &read_hot<1 * MiB, 1>),
                             bench::Row("transfer/read/shm/65536/batch:32", &read_hot<64 * KiB, 32>),
                             bench::Row("transfer/read/shm/4096/batch:128", &read_hot<4 * KiB, 128>),
                             bench::Row("transfer/read/shm/4096/hot", &read_hot<4 * KiB, 1>),
                             bench::Row("transfer/read/shm_own/65536/batch:32", &read_own<64 * KiB, 32>),
                             bench::Row("transfer/read/shm_own/4096/batch:128", &read_own<4 * KiB, 128>)};

} // namespace
