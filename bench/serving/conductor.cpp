#include <mooncake/core/random.hpp>
#include <mooncake/serving/conductor.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace {

using namespace mooncake;

/// Decisions for prompts of `range(0)` blocks with 500 prefill and 500 decode instances, each of which has a few requests.
/// Half of the prompts' heads are cached at four instances each.
void decide(benchmark::State& state) {
    constexpr std::size_t instances = 500, prompts = 2'000, in_flight = 3'000;
    const auto blocks = static_cast<std::size_t>(state.range(0));
    auto conductor = Conductor<>({.prefill_instances = instances, .decode_instances = instances, .ttft_slo = 1e6});
    auto random = SplitMix64(1);
    auto keys = std::vector<std::vector<BlockKey>>(prompts);
    auto sequence = std::vector<std::uint64_t>(instances);
    for (auto& prompt : keys) {
        prompt.resize(blocks);
        prompt[0] = 1; // the head that all share
        for (std::size_t i = 1; i < blocks; ++i) prompt[i] = random();
        for (int copies = 0; copies < 4; ++copies) {
            const auto at = static_cast<InstanceId>(random() % instances);
            const auto head =
                std::vector<BlockKey>(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(blocks / 2));
            conductor.event({.instance = at, .sequence = ++sequence[at], .blocks = head});
        }
    }
    auto times = std::vector<double>();
    auto live = std::deque<std::uint64_t>();
    auto id = std::uint64_t{0};
    const auto next = [&] {
        const auto& prompt = keys[random() % prompts];
        return ServeRequest{
            .id = ++id, .now = static_cast<double>(id) * 1e-3, .tokens = blocks * 512, .blocks = prompt};
    };
    const auto leave = [&] { // one that decodes is over, one in the middle begins to decode
        conductor.finished(live.front(), static_cast<double>(id) * 1e-3, 300);
        live.pop_front();
        benchmark::DoNotOptimize(conductor.prefill_finished(live[live.size() / 2], static_cast<double>(id) * 1e-3));
    };
    for (auto _ : state) {
        const auto request = next();
        const auto begin = std::chrono::steady_clock::now();
        const auto decision = conductor.route(request);
        const auto end = std::chrono::steady_clock::now();
        times.push_back(std::chrono::duration<double, std::micro>(end - begin).count());
        state.SetIterationTime(times.back() * 1e-6);
        if (decision.verdict.admitted()) live.push_back(request.id);
        if (live.size() > in_flight) leave();
    }
    std::sort(times.begin(), times.end());
    state.counters["p50 us"] = times[times.size() / 2];
    state.counters["p99 us"] = times[times.size() * 99 / 100];
    state.counters["live"] = static_cast<double>(live.size());
}
BENCHMARK(decide)
    ->Name("conductor/route/1000_instances")
    ->Arg(155)
    ->Arg(1'700)
    ->UseManualTime()
    ->Iterations(20'000)
    ->Unit(benchmark::kMicrosecond);

} // namespace
