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

} // namespace

void run(benchmark::State& state, const Contest& contest) {
    struct Line {
        std::vector<double> rates, ratios;
    };
    auto ours = std::vector<double>();
    auto peers = std::vector<Line>(contest.peers.size());
    (void)contest.ours();
    for (const auto& peer : contest.peers) (void)peer();
    const auto others = OthersCpu();
    for (auto pair = 0; pair < std::max(7, contest.pairs); ++pair) {
        ours.push_back(contest.ours().rate());
        for (std::size_t i = 0; i < peers.size(); ++i) {
            peers[i].rates.push_back(contest.peers[i]().rate());
            peers[i].ratios.push_back(ours.back() / peers[i].rates.back());
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
    const auto best = *std::min_element(peers.begin(), peers.end(), [](const Line& a, const Line& b) {
        return median(a.ratios) < median(b.ratios);
    });
    const auto calls = contest.unit == Unit::calls;
    state.counters["vs_" + contest.peer] = calls ? 1 / median(best.ratios) : median(best.ratios);
    const auto* const suffix = calls                          ? "_seconds"
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
