#pragma once

#include <mooncake/core/runtime.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// One measurement: how much was done, and in how long.
struct Sample {
    double work = 0; ///< in the contest's unit
    double seconds = 0;
    [[nodiscard]] double rate() const noexcept { return work / seconds; }
};

using Measure = std::function<Sample()>;

enum class Unit : std::uint8_t {
    bytes, ///< ratios are of throughput: 1 and above is good
    items, ///< the same
    calls, ///< ratios are of time per call: 1 and below is good
};

/// Another peer of a row, with counters of its own.
struct Rival {
    std::string name = {};
    std::vector<Measure> ways = {}; ///< of doing it; the best counts
};

/// Ours against a peer that does the same without us; of several peers the best counts.
struct Contest {
    Unit unit = Unit::bytes;
    double work_per_operation = 1; ///< what the row's time is for
    std::string peer = {};         ///< `vs_<peer>`; empty: there is none
    Measure ours = {};
    std::vector<Measure> peers = {};
    std::vector<Rival> rivals = {}; ///< further ones
    std::string note = {};          ///< what is to be said of the row, beside it and on stderr
    int pairs = 9;                  ///< at least 7
};

/// Measures ours and the peers in turn, ABAB…, after a round to warm up. The row shows the median of ours and, as
/// counters, the median ratio of neighbours in time, the peer's own rate, what CPU ours takes for the same work compared with the peer's (which noise
/// hardly touches; below 1 is good), and how busy others kept the machine. Of calls also the CPU time of one, both sides
/// together, and its system calls, which are counted in the first round where the kernel allows it.
void run(benchmark::State& state, const Contest& contest);

/// Registers a row that calls `run` once, from a variable at namespace scope:
/// `const auto row = bench::Row("store/get/embedded/1048576", &get);` What `function` throws becomes the row's error.
struct Row {
    Row(const std::string& name, void (*function)(benchmark::State&));
};

/// How long `function` takes.
template <class F>
[[nodiscard]] Sample timed(double work, F&& function) {
    const auto start = std::chrono::steady_clock::now();
    std::forward<F>(function)();
    return {.work = work, .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

/// The value, or the end of the row with the error's sentence.
template <class T>
T must(mooncake::Result<T> result) {
    if (!result) mooncake::throw_error(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

} // namespace bench
