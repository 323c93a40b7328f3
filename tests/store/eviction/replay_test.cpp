// labels: unit
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/eviction/replay.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include "../../support/reference_trace.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

using Requests = std::vector<std::vector<std::uint64_t>>;

/// A column of a table: the capacity in blocks, and hit ratios in the order of the rows, to four digits.
struct Column {
    std::size_t blocks;
    std::array<double, 7> expected;
};
constexpr auto rows = std::array<std::string_view, 7>{"fifo", "lru", "lfu", "sieve", "s3fifo", "arc", "optimal"};

// Two independent programs computed these.
constexpr auto conversation = std::array<Column, 6>{{
    {1'000, {.0434, .0445, .0481, .0481, .0556, .0529, .1907}},
    {5'000, {.1053, .1104, .0923, .0923, .1377, .1124, .3412}},
    {10'000, {.1815, .2112, .1318, .1318, .1933, .2221, .3664}},
    {30'000, {.2944, .3257, .2759, .2759, .3039, .3107, .3664}},
    {50'000, {.3335, .3546, .3438, .3438, .3490, .3433, .3664}},
    {100'000, {.3563, .3637, .3631, .3631, .3624, .3631, .3664}},
}};
constexpr auto agentic = std::array<Column, 5>{{
    {1'000, {.0090, .0093, .0541, .0541, .0631, .0722, .2573}},
    {3'000, {.1309, .1330, .1530, .1530, .3032, .2754, .5566}},
    {5'000, {.3524, .3849, .2042, .2042, .4643, .4470, .7275}},
    {10'000, {.6793, .7958, .3602, .3602, .7661, .7906, .8907}},
    {20'000, {.8623, .9202, .6751, .6751, .8923, .9160, .9330}},
}};

double ratio_of(std::string_view policy, const Requests& requests, std::size_t blocks) {
    if (policy == "optimal") return optimal_hit_ratio(requests, blocks);
    auto replay = EvictionReplay<AnyEviction>(blocks, EvictionPolicies::named(policy).value());
    for (const auto& request : requests) (void)replay.request(request);
    return replay.hit_ratio();
}

/// The first column takes seconds; all of them, minutes, where `MOONCAKE_ALL_CAPACITIES` is set.
template <std::size_t Columns>
void check(const std::string& trace, const std::array<Column, Columns>& table, double tolerance) {
    const auto requests = testing::reference_blocks<std::uint64_t>(trace);
    if (requests.empty()) return;
    const auto all = std::getenv("MOONCAKE_ALL_CAPACITIES") != nullptr;
    for (std::size_t column = 0; column < (all ? Columns : 1); ++column)
        for (std::size_t row = 0; row < rows.size(); ++row) {
            CAPTURE(rows[row]);
            CAPTURE(table[column].blocks);
            const auto four_digits = .00005 + (rows[row] == "s3fifo" ? tolerance : 0);
            const auto found = ratio_of(rows[row], requests, table[column].blocks);
            CAPTURE(found);
            CHECK(std::abs(found - table[column].expected[row]) <= four_digits);
        }
}

} // namespace

TEST_CASE("eviction replay: the reference's table of the conversation trace, to four digits") {
    check(testing::reference_trace, conversation, 0);
}
TEST_CASE("eviction replay: the reference's table of the agentic trace, to four digits; s3fifo within .0006") {
    check(testing::agentic_trace(), agentic, .0006);
}

// One program computed this row, with hashes of its own: which counters meet is chance.
TEST_CASE("eviction replay: wtinylfu comes within .003 of the reference at 1,000 blocks of both traces") {
    for (const auto& [trace, expected] :
         {std::pair(std::string(testing::reference_trace), .0615), std::pair(testing::agentic_trace(), .1124)}) {
        const auto requests = testing::reference_blocks<std::uint64_t>(trace);
        if (requests.empty()) return;
        const auto found = ratio_of("wtinylfu", requests, 1'000);
        CAPTURE(found);
        CHECK(std::abs(found - expected) < .003);
    }
}

TEST_CASE("eviction replay: hits are the leading blocks, counted before any update") {
    auto replay = EvictionReplay<LruEviction>(3);
    const auto use = [&](std::vector<std::uint64_t> ids) { return replay.request(ids); };
    CHECK(use({1, 2, 3}) == 0);
    CHECK(use({1, 2, 4}) == 2); // 3 went
    CHECK(use({3, 1}) == 0);    // a block that is there behind one that is not is no hit
    CHECK(use({3, 1, 4}) == 3);
    CHECK(replay.hit_ratio() == doctest::Approx(5. / 11));
}

TEST_CASE(
    "eviction replay: a policy is told parents and what room is made for, and one without a victim is found out") {
    struct Told : testing::MinimalEviction {
        void insert(Slot slot, const EvictionEntry& entry) {
            MinimalEviction::insert(slot, entry);
            parents.push_back(entry.parent);
            hashes.push_back(entry.key_hash);
        }
        void expect(const EvictionEntry&) { ++expected; }
        void capacity(std::uint64_t bytes) { room = bytes; }
        std::vector<std::uint64_t> parents, hashes;
        int expected = 0;
        std::uint64_t room = 0;
    };
    auto replay = EvictionReplay<Told>(2);
    (void)replay.request(std::vector<std::uint64_t>{7, 8, 9});
    const auto& told = replay.policy();
    CHECK(told.room == 2);
    CHECK(told.expected == 1);
    CHECK(told.parents == std::vector<std::uint64_t>{0, told.hashes[0], told.hashes[1]});
    CHECK_THROWS(EvictionReplay<LruEviction>(0));
}

TEST_CASE("eviction replay: the optimum bypasses what is not used again, and nobody beats it") {
    CHECK(optimal_hit_ratio(Requests{{1}, {2}, {3}, {1}}, 1) == doctest::Approx(.25));
    CHECK(optimal_hit_ratio(Requests{{1}, {2}, {1}, {2}, {1}, {2}}, 1) == doctest::Approx(2. / 6));
    CHECK(optimal_hit_ratio(Requests{}, 1) == 0);
}
