#include "engine/segment.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <vector>

/// Allocations of the process that asks, in the long run: for a request, and for each further slice of one. All of malloc's
/// family count, on all threads.
namespace {

std::atomic<std::uint64_t> allocations = 0;

} // namespace

// glibc's own, under the names by which it lets itself be replaced. Sanitizers have replaced it already.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOONCAKE_BENCH_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOONCAKE_BENCH_SANITIZED
#endif
#endif
#ifndef MOONCAKE_BENCH_SANITIZED
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    *out = __libc_memalign(alignment, bytes);
    return *out == nullptr ? ENOMEM : 0;
}
} // extern "C"
#endif

namespace {

using namespace mooncake;

#ifdef MOONCAKE_BENCH_SANITIZED
constexpr auto counts = false;
#else
constexpr auto counts = true;
#endif
constexpr std::uint64_t page = 4 * KiB, most_slices = 128;

const auto roles = std::array{bench::Role("lend_shm", &bench::lend<ShmTransport>),
                              bench::Role("lend_tcp", &bench::lend<TcpTransport<>>)};

template <class Engine>
Task<void> submit(typename Engine::PreparedBatch* prepared, int times) {
    for (auto i = 0; i < times; ++i) {
        const auto report = co_await prepared->submit();
        if (!report) co_return report.error();
        if (!report->all_ok()) co_return report->failure;
    }
    co_return ok;
}
template <class Engine>
Task<void> read_one(Engine* engine, typename Engine::Segment segment, MutableBytes into, int times) {
    for (auto i = 0; i < times; ++i) {
        const auto report = co_await engine->read(into, segment, 0);
        if (!report) co_return report.error();
    }
    co_return ok;
}

template <Transport T>
void count(benchmark::State& state) {
    if (!counts) return state.SkipWithError("a sanitizer has the heap");
    using Engine = TransferEngine<bench::Only<T>>;
    constexpr auto times = 2'000;
    const auto lender = bench::Child("lend_" + std::string(T::name), {std::to_string(most_slices * page)});
    auto runtime = Runtime({.threads = 1});
    auto engine = Engine(runtime);
    const auto segment = bench::must(runtime.run(engine.open(lender.address())));
    auto memory = std::vector<std::byte>(most_slices * page);
    const auto counted = [&](const auto& run) {
        bench::must(runtime.run(run(200)));
        const auto before = allocations.load();
        bench::must(runtime.run(run(times)));
        return static_cast<double>(allocations.load() - before) / times;
    };
    /// A request of so many pages, one slice each.
    const auto of_pages = [&](std::uint64_t pages) {
        auto spans = std::vector<MutableBytes>();
        for (std::uint64_t i = 0; i < pages; ++i) spans.push_back(MutableBytes(memory).subspan(i * page, page));
        auto batch = engine.batch();
        batch.read(spans, segment, 0);
        auto prepared = engine.prepare(std::move(batch));
        return counted([&](int n) { return submit<Engine>(&prepared, n); });
    };
    for (auto _ : state) {
        const auto began = std::chrono::steady_clock::now();
        const auto read =
            counted([&](int n) { return read_one(&engine, segment, MutableBytes(memory).first(page), n); });
        const auto few = of_pages(1), many = of_pages(most_slices);
        state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
        state.counters["heap_per_read"] = read;
        state.counters["heap_per_prepared"] = few;
        state.counters["heap_per_slice"] = (many - few) / (most_slices - 1);
    }
}

const auto rows = std::array{bench::Row("transfer/heap/shm", &count<ShmTransport>),
                             bench::Row("transfer/heap/tcp", &count<TcpTransport<>>)};

} // namespace
