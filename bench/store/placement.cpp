#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/store/master/segment_table.hpp>
#include <mooncake/store/placement/policies.hpp>

#include "support/pairs.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// What a choice takes, one replica and then two, of 16, 256 and 4096 segments that are half full, a host each, sixteen hosts a
/// rack, for writers everywhere; beside the power of two choices, in the same order. And what a master pays for it: space
/// taken and given back in a segment table.
namespace {

using namespace mooncake;

/// Segments that fill and empty as they are written to.
template <class Policy>
class Cluster {
  public:
    Cluster(std::uint32_t segments, std::uint32_t replicas) : replicas_(replicas) {
        for (std::uint32_t i = 0; i < segments; ++i)
            all_.push_back({.id = i + 1,
                            .at = {.host = i + 1, .rack = i / 16 + 1},
                            .free_bytes = 1'000'000 + i * 97ULL % 1'000,
                            .capacity = 2'000'000});
        place(64 + 64 * segments); // so that something is known of the shares
    }

    void place(std::uint32_t count) {
        while (count-- != 0) {
            const auto& near = all_[random_() % all_.size()];
            policy_.choose(all_, {.bytes = 1, .replicas = replicas_, .evenly = true, .near = near.at}, chosen_);
            for (const auto index : chosen_) {
                if (--all_[index].free_bytes == 0) all_[index].free_bytes = all_[index].capacity;
                ++chosen_of_all_;
            }
        }
    }
    [[nodiscard]] std::uint64_t chosen_of_all() const noexcept { return chosen_of_all_; }

  private:
    std::uint32_t replicas_;
    Policy policy_;
    std::vector<SegmentCandidate> all_;
    std::vector<std::uint32_t> chosen_;
    std::uint64_t chosen_of_all_ = 0;
    std::minstd_rand random_{1};
};

template <class Policy, std::uint32_t segments, std::uint32_t replicas>
void choose(benchmark::State& state) {
    constexpr auto choices = 2'000'000 / (segments + 64);
    auto ours = Cluster<Policy>(segments, replicas);
    auto two = Cluster<PowerOfTwoChoices>(segments, replicas);
    const auto choices_of = [](auto& cluster) {
        return [&cluster] { return bench::timed(choices, [&] { cluster.place(choices); }); };
    };
    bench::run(
        state,
        {.unit = bench::Unit::calls, .peer = "power_of_two", .ours = choices_of(ours), .peers = {choices_of(two)}});
    if (ours.chosen_of_all() == 0) state.SkipWithError("nothing was chosen");
}

/// `segments` of 16 MiB, kept almost full of extents of 4 to 64 KiB: each step gives one back and takes another, and where no piece is large
/// enough, gives back more.
template <std::uint32_t segments, std::uint32_t replicas>
void table(benchmark::State& state) {
    using store::detail::Extents;
    auto table = store::detail::SegmentTable<OffsetAllocator, PowerOfTwoChoices>(PowerOfTwoChoices(1));
    for (std::uint32_t i = 0; i < segments; ++i)
        bench::must(table.mount({.name = "segment-" + std::to_string(i),
                                 .generation = 1,
                                 .host = "host-" + std::to_string(i),
                                 .bytes = 16 << 20},
                                TimePoint{}));
    struct Held {
        Extents extents;
        std::uint64_t bytes = 0;
    };
    auto held = std::vector<Held>();
    auto random = std::minstd_rand(1);
    const auto take = [&](std::uint64_t bytes) {
        auto extents = Extents();
        if (!table.allocate({.bytes = bytes, .replicas = replicas, .evenly = true}, extents)) return false;
        held.push_back({std::move(extents), bytes});
        return true;
    };
    const auto give = [&] {
        std::swap(held[random() % held.size()], held.back());
        for (const auto& extent : held.back().extents) table.free(extent, held.back().bytes);
        held.pop_back();
    };
    const auto size = [&] { return std::uint64_t{4096} * (1 + random() % 16); };
    while (take(size())) {
    }
    for (std::uint32_t i = 0; i < 16 * segments; ++i) give(); // some room everywhere
    const auto steps = 50'000;
    bench::run(state, {.unit = bench::Unit::calls, .ours = [&] {
                           return bench::timed(steps, [&] {
                               for (auto step = 0; step < steps; ++step) {
                                   give();
                                   for (const auto bytes = size(); !take(bytes);) give();
                               }
                           });
                       }});
}

const auto rows = [] {
    auto all = std::vector<bench::Row>();
    PlacementPolicies::for_each([&]<class Policy>() {
        const auto name = "store/placement/" + std::string(Policy::name) + "/";
        all.emplace_back(name + "16", &choose<Policy, 16, 1>);
        all.emplace_back(name + "256", &choose<Policy, 256, 1>);
        all.emplace_back(name + "4096", &choose<Policy, 4096, 1>);
        all.emplace_back(name + "256/replicas:2", &choose<Policy, 256, 2>);
    });
    all.emplace_back("store/placement/table/256", &table<256, 1>);
    all.emplace_back("store/placement/table/256/replicas:2", &table<256, 2>);
    return all;
}();

} // namespace
