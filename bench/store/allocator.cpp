#include <mooncake/core/bytes.hpp>
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/allocator/striped.hpp>

#include "support/mimalloc.hpp"
#include "support/pairs.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

/// Replacing extents in a space that is nine tenths full: free a random one, allocate one of a random size in its place; that pair
/// is what a row's time is for, and mimalloc does the same beside it. Nobody touches what it is given, since ours is not
/// memory at all: mimalloc pays for no page that it does not itself write into.
namespace {

using namespace mooncake;

/// In ticks of the finest clock there is.
std::uint64_t now() noexcept {
#if defined(__x86_64__)
    auto which = 0U;
    return __rdtscp(&which); // not before what is before it is done
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

struct Load {
    std::uint64_t least, most; ///< bytes of an extent
    std::uint32_t live;        ///< extents
    double level;              ///< of the space is in use

    [[nodiscard]] std::uint64_t capacity() const noexcept {
        return static_cast<std::uint64_t>(static_cast<double>((least + most) / 2 * live) / level);
    }
};

constexpr auto mixed = Load{.least = 64 * KiB, .most = MiB, .live = 8'192, .level = .9}; // 4.4 GiB
constexpr auto equal = Load{.least = 4 * KiB, .most = 4 * KiB, .live = 16'384, .level = .9};

/// What to do, drawn beforehand: drawing is not what is measured.
struct Plan {
    struct Step {
        std::uint32_t which, bytes;
    };
    explicit Plan(const Load& load) : steps(std::size_t{1} << 15) {
        auto random = std::mt19937_64(1);
        auto which = std::uniform_int_distribution<std::uint32_t>(0, load.live - 1);
        auto bytes = std::uniform_int_distribution<std::uint64_t>(load.least, load.most);
        for (auto& step : steps) step = {which(random), static_cast<std::uint32_t>(bytes(random))};
        first.resize(load.live);
        for (auto& one : first) one = static_cast<std::uint32_t>(bytes(random));
    }
    std::vector<std::uint32_t> first; ///< sizes of those that are there before the first step
    std::vector<Step> steps;
};

/// Our allocator, or mimalloc, as the same thing.
class Ours {
  public:
    struct Place {
        Allocation at;
        std::uint64_t bytes = 0;
    };
    explicit Ours(const Load& load) : allocator_(load.capacity()) {}
    [[nodiscard]] Place allocate(std::uint64_t bytes) {
        const auto allocation = allocator_.allocate(bytes);
        if (!allocation) throw std::runtime_error("the space is not full, and a request failed");
        return {*allocation, bytes};
    }
    void free(const Place& place) { allocator_.free(place.at, place.bytes); }
    [[nodiscard]] const OffsetAllocator& space() const noexcept { return allocator_; }

  private:
    OffsetAllocator allocator_;
};

class Theirs {
  public:
    using Place = void*;
    explicit Theirs(const Load&) {}
    [[nodiscard]] Place allocate(std::uint64_t bytes) { return mimalloc_.allocate(bytes); }
    void free(Place place) { mimalloc_.free(place); }

  private:
    const bench::Mimalloc& mimalloc_ = bench::Mimalloc::get();
};

template <class Allocator>
class Run {
  public:
    Run(const Load& load, const Plan& plan) : allocator_(load), plan_(&plan) {
        for (const auto bytes : plan.first) live_.push_back(allocator_.allocate(bytes));
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
        for (auto& place : live_) allocator_.free(place);
    }

    [[nodiscard]] bench::Sample all() {
        constexpr auto times = 8; // the first finds the caches full of what the other did
        return bench::timed(static_cast<double>(times * plan_->steps.size()), [this] {
            for (auto i = 0; i < times; ++i)
                for (const auto& step : plan_->steps) {
                    auto& place = live_[step.which];
                    allocator_.free(place);
                    place = allocator_.allocate(step.bytes);
                }
        });
    }

    /// Calls `note(ticks)` for each call of `free`, and of `allocate`.
    template <class Note>
    void each(const Note& note) {
        for (const auto& step : plan_->steps) {
            auto place = live_[step.which];
            benchmark::DoNotOptimize(place); // its own cache misses are not the allocator's
            const auto start = now();
            allocator_.free(place);
            const auto freed = now();
            place = allocator_.allocate(step.bytes);
            const auto allocated = now();
            live_[step.which] = place;
            note(freed - start);
            note(allocated - freed);
        }
    }

    [[nodiscard]] const Allocator& allocator() const noexcept { return allocator_; }

  private:
    Allocator allocator_;
    const Plan* plan_;
    std::vector<typename Allocator::Place> live_;
};

/// How often a call took how many ticks, or very many: small, so that it does not push out of the caches what is measured.
class Histogram {
  public:
    void add(std::uint64_t ticks) { ++counts_[std::min<std::uint64_t>(ticks, counts_.size() - 1)]; }

    /// What a share of them does not exceed. Clocks that tick in steps (of 10 ns here) tell many the same: those are taken to lie
    /// evenly in the step around it.
    [[nodiscard]] double quantile(double share) const {
        const auto all = std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
        auto last = std::size_t{0}, step = counts_.size();
        for (std::size_t ticks = 1; ticks < counts_.size(); ++ticks) {
            if (counts_[ticks] == 0) continue;
            if (last != 0) step = std::min(step, ticks - last);
            last = ticks;
        }
        auto rest = share * static_cast<double>(all);
        auto at = std::size_t{0};
        for (; at < last && rest >= counts_[at]; ++at) rest -= counts_[at];
        return static_cast<double>(at) + (rest / counts_[at] - .5) * static_cast<double>(step);
    }

  private:
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(8'192);
};

/// Single calls: the median and the slowest in a thousand, in seconds, less what looking at the clock takes. Of seven runs the
/// median of each.
void single_calls(benchmark::State& state, Run<Ours>& run) {
    constexpr auto rounds = 7;
    auto medians = std::vector<double>(), slowest = std::vector<double>();
    const auto begin = std::chrono::steady_clock::now();
    const auto begin_ticks = now();
    for (auto round = 0; round < rounds; ++round) {
        auto clock = Histogram(), calls = Histogram();
        for (auto i = 0; i < 100'000; ++i) {
            const auto start = now();
            clock.add(now() - start);
        }
        run.each([](std::uint64_t) {}); // warm, as in the middle of such work
        run.each([&](std::uint64_t ticks) { calls.add(ticks); });
        medians.push_back(calls.quantile(.5) - clock.quantile(.5));
        slowest.push_back(calls.quantile(.999) - clock.quantile(.5));
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto tick = seconds / static_cast<double>(now() - begin_ticks);
    std::sort(medians.begin(), medians.end());
    std::sort(slowest.begin(), slowest.end());
    state.counters["call_p50_seconds"] = medians[rounds / 2] * tick;
    state.counters["call_p999_seconds"] = slowest[rounds / 2] * tick;
    state.counters["call_p999_vs_p50"] = slowest[rounds / 2] / medians[rounds / 2];
}

/// The share in use when the first request fails: replaced ten times over at the row's level, then filled.
double use_at_first_failure(const Load& load, std::uint64_t seed) {
    auto random = std::mt19937_64(seed);
    auto bytes_of = std::uniform_int_distribution<std::uint64_t>(load.least, load.most);
    auto allocator = OffsetAllocator(load.capacity());
    auto live = std::vector<Ours::Place>();
    const auto put = [&] {
        const auto bytes = bytes_of(random);
        const auto allocation = allocator.allocate(bytes);
        if (allocation) live.push_back({*allocation, bytes});
        return allocation.has_value();
    };
    const auto below = [&](double level) {
        return static_cast<double>(allocator.free_bytes()) > (1 - level) * static_cast<double>(load.capacity());
    };
    while (below(load.level) && put()) {
    }
    for (auto left = 10 * live.size(); left != 0; --left) {
        std::swap(live[random() % live.size()], live.back());
        allocator.free(live.back().at, live.back().bytes);
        live.pop_back();
        while (below(load.level) && put()) {
        }
    }
    while (put()) {
    }
    return allocator.statistics().use();
}

/// The share in use when 8 MiB find no place, in up to 256 stripes, where a random half of 32 KiB extents was freed.
double use_after_phase_change() {
    constexpr auto small = 32 * KiB, large = 8 * MiB;
    auto allocator = OffsetAllocator(4 * GiB);
    auto live = std::vector<Allocation>();
    while (const auto allocation = allocator.allocate(small)) live.push_back(*allocation);
    std::shuffle(live.begin(), live.end(), std::mt19937_64(1));
    for (std::size_t i = 0; i < live.size() / 2; ++i) allocator.free(live[i], small);
    auto stripes = std::vector<Stripe>();
    while (allocate_striped(allocator, large, 256, stripes)) stripes.clear();
    return allocator.statistics().use();
}

void replace(benchmark::State& state, const Load& load) {
    const auto plan = Plan(load);
    auto ours = Run<Ours>(load, plan);
    auto contest = bench::Contest{.unit = bench::Unit::calls,
                                  .peer = "mimalloc",
                                  .ours = [&] { return ours.all(); },
                                  .note = bench::Mimalloc::get().problem()};
    if (contest.note.empty()) {
        auto theirs = Run<Theirs>(load, plan);
        contest.peers = {[&] { return theirs.all(); }};
        bench::run(state, contest);
    } else {
        bench::run(state, contest);
    }
    single_calls(state, ours);
    const auto statistics = ours.allocator().space().statistics();
    state.counters["use"] = statistics.use();
    state.counters["fragmentation"] = statistics.fragmentation();
    state.counters["metadata_per_live"] =
        static_cast<double>(statistics.metadata_bytes) / static_cast<double>(statistics.live_extents);
    state.counters["metadata_per_extent"] = static_cast<double>(statistics.metadata_bytes) /
                                            static_cast<double>(statistics.live_extents + statistics.free_extents);
}

void replace_mixed(benchmark::State& state) {
    replace(state, mixed);
    auto uses = std::vector<double>();
    for (std::uint64_t seed = 1; seed <= 5; ++seed) uses.push_back(use_at_first_failure(mixed, seed));
    state.counters["use_at_first_failure"] = *std::min_element(uses.begin(), uses.end());
    state.counters["use_after_phase_change"] = use_after_phase_change();
}

void replace_equal(benchmark::State& state) { replace(state, equal); }

const bench::Row rows[] = {bench::Row("store/allocator/mixed", &replace_mixed),
                           bench::Row("store/allocator/4096", &replace_equal)};

} // namespace
