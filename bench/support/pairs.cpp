#include "support/pairs.hpp"

#include "support/cpu.hpp"
#include "support/system_calls.hpp"

#include <algorithm>
#include <exception>
#include <iostream>
#include <optional>

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

/// A round before the first that counts. System calls of a unit of work, where they can be counted.
std::optional<double> warm_up(const Measure& what, Unit unit) {
    if (unit != Unit::calls) {
        (void)what();
        return std::nullopt;
    }
    const auto counted = SystemCalls();
    const auto sample = what();
    const auto calls = counted.so_far();
    return calls ? std::optional(*calls / sample.work) : std::nullopt;
}

/// A way in which a peer does it, and ours beside it.
struct Line {
    Measure measure;
    std::vector<double> rates, ratios, cpu;
    std::optional<double> calls;
};

struct Side {
    std::string name;
    std::vector<Line> lines;
};

std::vector<Side> sides_of(const Contest& contest) {
    auto rivals = contest.rivals;
    if (!contest.peers.empty()) rivals.insert(rivals.begin(), {contest.peer, contest.peers});
    auto sides = std::vector<Side>();
    for (const auto& rival : rivals) {
        auto& side = sides.emplace_back();
        side.name = rival.name;
        for (const auto& way : rival.ways) side.lines.emplace_back().measure = way;
    }
    return sides;
}

void report(benchmark::State& state, Unit unit, const Side& side) {
    const auto& best = *std::min_element(side.lines.begin(), side.lines.end(), [](const Line& a, const Line& b) {
        return median(a.ratios) < median(b.ratios);
    });
    const auto calls = unit == Unit::calls;
    state.counters["vs_" + side.name] = calls ? 1 / median(best.ratios) : median(best.ratios);
    state.counters["cpu_vs_" + side.name] = median(best.cpu);
    const auto* const suffix = calls ? "_seconds" : unit == Unit::bytes ? "_bytes_per_second" : "_items_per_second";
    state.counters[side.name + suffix] = calls ? 1 / median(best.rates) : median(best.rates);
    if (best.calls) state.counters[side.name + "_system_calls"] = *best.calls;
}

} // namespace

void run(benchmark::State& state, const Contest& contest) {
    auto ours = std::vector<double>(), cpu = std::vector<double>();
    auto sides = sides_of(contest);
    const auto calls = warm_up(contest.ours, contest.unit);
    for (auto& side : sides)
        for (auto& line : side.lines) line.calls = warm_up(line.measure, contest.unit);
    const auto others = OthersCpu();
    for (auto pair = 0; pair < std::max(7, contest.pairs); ++pair) {
        const auto mine = measure(contest.ours);
        ours.push_back(mine.rate);
        cpu.push_back(mine.cpu);
        for (auto& side : sides)
            for (auto& line : side.lines) {
                const auto theirs = measure(line.measure);
                line.rates.push_back(theirs.rate);
                line.ratios.push_back(mine.rate / theirs.rate);
                line.cpu.push_back(mine.cpu / theirs.cpu);
            }
    }
    const auto busy = others.cores();
    const auto rate = median(ours);
    for ([[maybe_unused]] auto once : state) state.SetIterationTime(contest.work_per_operation / rate);
    const auto work = static_cast<std::int64_t>(contest.work_per_operation);
    if (contest.unit == Unit::bytes) state.SetBytesProcessed(work);
    if (contest.unit == Unit::items) state.SetItemsProcessed(work);
    state.counters["others_cpu"] = busy;
    if (contest.unit == Unit::calls) state.counters["cpu_seconds"] = median(cpu);
    if (calls) state.counters["system_calls"] = *calls;
    for (const auto& side : sides) report(state, contest.unit, side);
    if (contest.note.empty()) return;
    state.SetLabel(contest.note);
    std::cerr << "bench: " << contest.note << '\n';
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
