#include "engine/segment.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

/// Memory that is lent: made, touched and registered, 4 GiB at once and in buffers. The peer lets two threads of its own touch
/// as much shared memory through the same call of the kernel, and does nothing else.
namespace {

using namespace mooncake;

using Engine = TransferEngine<bench::Only<TcpTransport<>>>;

constexpr std::uint64_t large = 4 * GiB, page = 4 * KiB;

/// Touches `large` bytes of a memfd from two threads.
bench::Sample populate() {
    const auto fd = memfd_create("bench-populate", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, large) != 0) throw_error(errno_error("memfd_create", errno));
    auto* const base = mmap(nullptr, large, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) throw_error(errno_error("mmap", errno));
    const auto half = [&](std::uint64_t at) {
        (void)madvise(static_cast<std::byte*>(base) + at, large / 2, MADV_POPULATE_WRITE);
    };
    const auto sample = bench::timed(large, [&] {
        auto other = std::jthread(half, large / 2);
        half(0);
    });
    munmap(base, large);
    close(fd);
    return sample;
}

void register_large(benchmark::State& state) {
    if (Arena::available_memory() < 2 * large) return state.SkipWithError("needs 8 GiB of free memory");
    auto runtime = Runtime({.threads = 1});
    auto engine = Engine(runtime);
    const auto ours = [&] {
        auto region = RegionPin();
        const auto sample = bench::timed(large, [&] {
            auto arena = bench::must(Arena::create({.bytes = large, .prefault_threads = 2}));
            region = bench::must(runtime.run(engine.register_arena(std::move(arena), Rights::read_write)));
        });
        bench::must(runtime.run(engine.unregister(std::move(region))));
        return sample;
    };
    bench::run(state,
               {.work_per_operation = large, .peer = "populate", .ours = ours, .peers = {&populate}, .pairs = 7});
}

Task<void> register_each(Engine* engine, MutableBytes pages) {
    for (std::size_t at = 0; at < pages.size(); at += page) {
        const auto registered = co_await engine->register_memory(pages.subspan(at, page), Rights::read);
        if (!registered) co_return registered.error();
    }
    co_return ok;
}

/// One buffer after another, ten thousand of them: what each costs, and each of the last hundred, compared with the first hundred.
void register_many(benchmark::State& state) {
    constexpr auto buffers = std::uint64_t{10'000}, few = std::uint64_t{100};
    auto memory = std::vector<std::byte>(buffers * page);
    auto of_all = std::vector<double>(), of_last = std::vector<double>();
    auto last = bench::Sample();
    for (auto _ : state) {
        for (auto round = 0; round < 7; ++round) {
            auto runtime = Runtime({.threads = 1});
            auto engine = Engine(runtime);
            auto next = std::uint64_t{0};
            const auto some = [&](std::uint64_t count) {
                const auto pages = MutableBytes(memory).subspan(next * page, count * page);
                next += count;
                return bench::timed(count, [&] { bench::must(runtime.run(register_each(&engine, pages))); });
            };
            (void)some(few); // warm
            const auto first = some(few);
            const auto between = some(buffers - 3 * few);
            last = some(few);
            of_all.push_back((between.seconds + last.seconds) / (buffers - 2 * few) / (first.seconds / few));
            of_last.push_back(last.seconds / first.seconds);
            runtime.run(engine.close());
        }
        state.SetIterationTime(last.seconds / few);
    }
    const auto median = [](std::vector<double> values) {
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    };
    state.counters["vs_first_hundred"] = median(of_all);
    state.counters["last_vs_first_hundred"] = median(of_last);
}

const auto rows = std::array{bench::Row("transfer/register/4294967296", &register_large),
                             bench::Row("transfer/register/10000th", &register_many)};

} // namespace
