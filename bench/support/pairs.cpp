#include "support/pairs.hpp"

#include "support/cpu.hpp"

#include <algorithm>
#include <exception>
#include <limits>

namespace bench {
namespace {

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Measured {
    double rate = 0;
    double cpu = 0; ///< per unit of work
};

Measured measure(const Measure& what) {
    const auto before = own_cpu();
    const auto sample = what();
    return {.rate = sample.rate(), .cpu = (own_cpu() - before) / sample.work};
}

} // namespace

void run(benchmark::State& state, const Contest& contest) {
    struct Line {
        std::vector<double> rates, ratios, cpu;
    };
    auto ours = std::vector<double>();
    auto peers = std::vector<Line>(contest.peers.size());
    (void)contest.ours();
    for (const auto& peer : contest.peers) (void)peer();
    const auto others = OthersCpu();
    for (auto pair = 0; pair < std::max(7, contest.pairs); ++pair) {
        const auto mine = measure(contest.ours);
        ours.push_back(mine.rate);
        for (std::size_t i = 0; i < peers.size(); ++i) {
            const auto theirs = measure(contest.peers[i]);
            peers[i].rates.push_back(theirs.rate);
            peers[i].ratios.push_back(mine.rate / theirs.rate);
            peers[i].cpu.push_back(mine.cpu / theirs.cpu);
        }
    }
    const auto busy = others.cores();
    const auto rate = median(ours);
    for ([[maybe_unused]] auto once : state) state.SetIterationTime(contest.work_per_operation / rate);
    const auto work = static_cast<std::int64_t>(contest.work_per_operation);
    if (contest.unit == Unit::bytes) state.SetBytesProcessed(work);
    if (contest.unit == Unit::items) state.SetItemsProcessed(work);
    state.counters["others_cpu"] = busy;
    if (peers.empty()) return;
    const auto best = *std::min_element(
        peers.begin(), peers.end(), [](const Line& a, const Line& b) { return median(a.ratios) < median(b.ratios); });
    const auto calls = contest.unit == Unit::calls;
    state.counters["vs_" + contest.peer] = calls ? 1 / median(best.ratios) : median(best.ratios);
    state.counters["cpu_vs_" + contest.peer] = median(best.cpu);
    const auto* const suffix = calls                         ? "_seconds"
                               : contest.unit == Unit::bytes ? "_bytes_per_second"
                                                             : "_items_per_second";
    state.counters[contest.peer + suffix] = calls ? 1 / median(best.rates) : median(best.rates);
}

Row::Row(const std::string& name, void (*function)(benchmark::State&)) {
    auto guarded = [function](benchmark::State& state) {
        try {
            function(state);
        } catch (const std::exception& error) {
            state.SkipWithError(error.what());
        }
    };
    benchmark::RegisterBenchmark(name.c_str(), guarded)->Iterations(1)->UseManualTime();
}

} // namespace bench
