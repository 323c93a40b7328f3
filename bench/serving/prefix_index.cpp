#include <mooncake/serving/index/prefix_index.hpp>

#include <benchmark/benchmark.h>

#include <vector>

namespace {

using namespace mooncake;

constexpr std::size_t prompt_blocks = 32;

/// Prompts of 32 blocks: the first four shared by 64 prompts each, the rest their own.
std::vector<BlockKey> prompt(std::uint64_t number) {
    auto keys = std::vector<BlockKey>(prompt_blocks);
    for (std::size_t i = 0; i < keys.size(); ++i)
        keys[i] = ((i < 4 ? number / 64 : number) * 64 + i + 1) * 0x9e3779b97f4a7c15ULL ^ (i < 4 ? 1 : 0);
    return keys;
}

std::vector<std::vector<BlockKey>> prompts(std::size_t count) {
    auto all = std::vector<std::vector<BlockKey>>();
    for (std::size_t n = 0; n < count; ++n) all.push_back(prompt(n));
    return all;
}

void index_match(benchmark::State& state) {
    const auto instances = static_cast<std::size_t>(state.range(0));
    const auto all = prompts(1 << 15); // a million references: far more than the caches of a core
    auto index = PrefixIndex();
    for (std::size_t n = 0; n < all.size(); ++n) index.stored(static_cast<InstanceId>(n * 7919 % instances), all[n]);
    auto held = std::vector<std::uint32_t>(instances);
    auto n = std::size_t{0};
    for (auto _ : state) benchmark::DoNotOptimize(index.match(all[(n += 7919) % all.size()], held));
    state.counters["blocks/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()) * prompt_blocks, benchmark::Counter::kIsRate);
    state.counters["bytes/block"] = static_cast<double>(index.bytes()) / static_cast<double>(index.size());
}
BENCHMARK(index_match)->Name("prefix_index/match")->Arg(8)->Arg(64)->Arg(1'000);

void index_insert(benchmark::State& state) {
    const auto instances = static_cast<std::size_t>(state.range(0));
    const auto all = prompts(1 << 15);
    auto bytes = 0.0;
    for (auto _ : state) {
        auto index = PrefixIndex();
        for (std::size_t n = 0; n < all.size(); ++n)
            index.stored(static_cast<InstanceId>(n * 7919 % instances), all[n]);
        bytes = static_cast<double>(index.bytes()) / static_cast<double>(index.size());
    }
    state.counters["blocks/s"] = benchmark::Counter(
        static_cast<double>(state.iterations() * all.size()) * prompt_blocks, benchmark::Counter::kIsRate);
    state.counters["bytes/block"] = bytes;
}
BENCHMARK(index_insert)->Name("prefix_index/insert")->Arg(8)->Arg(1'000)->Unit(benchmark::kMillisecond);

void index_replace(benchmark::State& state) { // a full cluster: each prompt that comes in pushes one out
    constexpr std::size_t instances = 64;
    const auto all = prompts(1 << 15);
    auto index = PrefixIndex();
    for (std::size_t n = 0; n < all.size() / 2; ++n) index.stored(static_cast<InstanceId>(n % instances), all[n]);
    auto in = all.size() / 2, out = std::size_t{0};
    for (auto _ : state) {
        index.stored(static_cast<InstanceId>(in % instances), all[in]);
        index.removed(static_cast<InstanceId>(out % instances), all[out]);
        in = (in + 1) % all.size(), out = (out + 1) % all.size();
    }
    state.counters["blocks/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()) * 2 * prompt_blocks, benchmark::Counter::kIsRate);
}
BENCHMARK(index_replace)->Name("prefix_index/replace");

} // namespace
