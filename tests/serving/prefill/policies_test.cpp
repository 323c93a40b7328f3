// labels: conformance
#include <mooncake/serving/prefill/any.hpp>
#include <mooncake/testing/prefill_conformance.hpp>

#include <doctest/doctest.h>

#include <map>
#include <vector>

using namespace mooncake;

TEST_CASE_TEMPLATE("prefill: every policy does what the concept says", P, testing::MinimalPrefill, RandomPrefill,
                   RoundRobinPrefill, LeastLoadedPrefill, PowerOfTwoPrefill, LocalCacheAware, KvCacheCentric,
                   FetchOrRecompute, LongestPrefix, OverlapAndLoad, ThresholdSwitch, FixedProfile, TokensTimesBatch,
                   DualMap, ExploitOrExplore, LeastDelay, AnyPrefill) {
    testing::prefill_conformance<P>();
}

namespace {

struct LacksName {
    PrefillChoice choose(const PrefillRequest&, std::span<const PrefillInstance>) { return {}; }
};
struct LacksChoice {
    [[maybe_unused]] static constexpr std::string_view name = "lacks";
};
static_assert(!PrefillPolicy<LacksName> && !PrefillPolicy<LacksChoice>);

/// Three instances at time 100, and a prompt of ten blocks.
struct Setting {
    CostModel cost{};
    std::vector<PrefillInstance> instances = std::vector<PrefillInstance>(3);
    std::vector<std::uint32_t> held{0, 0, 0};
    std::vector<BlockKey> blocks{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

    [[nodiscard]] PrefillRequest request() const {
        return {.now = 100, .tokens = 5120, .blocks = blocks, .held = held, .cost = &cost};
    }
};

} // namespace

TEST_CASE("prefill: blind rules spread requests and see load") {
    auto s = Setting();
    auto turns = RoundRobinPrefill();
    for (InstanceId i : {0, 1, 2, 0}) CHECK(turns.choose(s.request(), s.instances).instance == i);
    s.instances[0].requests = 2, s.instances[1].requests = 1, s.instances[2].requests = 3;
    CHECK(LeastLoadedPrefill().choose(s.request(), s.instances).instance == 1);
    auto counts = std::map<InstanceId, int>();
    auto two = PowerOfTwoPrefill();
    for (int i = 0; i < 900; ++i) ++counts[two.choose(s.request(), s.instances).instance];
    CHECK(counts[1] > counts[0]);
    CHECK(counts[0] > counts[2]); // chosen against itself alone
}

TEST_CASE("prefill: algorithm 1 fetches where the best holder has θ times as much, also from nothing") {
    auto s = Setting();
    s.held = {8, 6, 0};
    s.instances[0].busy_until = 110;
    const auto one = KvCacheCentric(1.5).choose(s.request(), s.instances);
    CHECK(one.instance == 2); // 6 · 1.5 > 8: the second computes two blocks again; the third fetches eight
    CHECK(one.source == 0);
    CHECK(one.reused == 8);
    const auto other = KvCacheCentric(1.2).choose(s.request(), s.instances);
    CHECK(other.instance == 1); // which now fetches two
    CHECK(other.source == 0);
    s.instances[0].busy_until = 0;
    CHECK(KvCacheCentric().choose(s.request(), s.instances).source == no_instance);
}

TEST_CASE("prefill: fetch or recompute sees that the sender's NIC is busy") {
    auto s = Setting();
    s.held = {8, 0, 0};
    s.instances[0].busy_until = 200;
    CHECK(FetchOrRecompute().choose(s.request(), s.instances).source == 0);
    s.instances[0].nic.send(100, 50'000'000, s.cost.transfer); // for minutes
    const auto choice = FetchOrRecompute().choose(s.request(), s.instances);
    CHECK(choice.source == no_instance);
    CHECK(choice.instance != 0);
    CHECK(choice.reused == 0);
}

TEST_CASE("prefill: least delay lets a short request pass long ones, and weighs whom it delays") {
    auto s = Setting();
    const auto seconds = s.cost.prefill_seconds(5120, 0);
    s.instances[0].queue = {{.key = 150, .seconds = 20}, {.key = 160, .seconds = 20}};
    s.instances[0].queued_seconds = 40;
    s.instances[1].busy_until = s.instances[2].busy_until = 100 + 3 * seconds;
    const auto choice = LeastDelay().choose(s.request(), s.instances);
    CHECK(choice.instance == 0); // before both of them: delays two by its own time, which is less than three times that
    CHECK(choice.key < 150);
    s.instances[0].queue.insert(s.instances[0].queue.end(), 3, {.key = 170, .seconds = 20});
    CHECK(LeastDelay().choose(s.request(), s.instances).instance == 1);
}

TEST_CASE("prefill: the rules of others choose as their documents say") {
    auto s = Setting();
    s.held = {2, 8, 0};
    CHECK(LongestPrefix().choose(s.request(), s.instances).instance == 1);
    CHECK(ExploitOrExplore().choose(s.request(), s.instances).instance == 1);
    CHECK(ThresholdSwitch().choose(s.request(), s.instances).instance == 1);
    s.instances[1].active_blocks = 5; // 2 + 5 < 8 and < 10
    CHECK(OverlapAndLoad().choose(s.request(), s.instances).instance == 1);
    s.instances[1].active_blocks = 7; // 9 > 8
    CHECK(OverlapAndLoad().choose(s.request(), s.instances).instance == 0);
    CHECK(OverlapAndLoad(2).choose(s.request(), s.instances).instance == 1); // 11 < 16
    s.instances[1].requests = 100, s.instances[0].requests = 3;
    CHECK(ThresholdSwitch().choose(s.request(), s.instances).instance == 2);  // out of balance: the idlest
    CHECK(TokensTimesBatch().choose(s.request(), s.instances).instance == 2); // 1024·101, 4096·4, 5120·1
    CHECK(FixedProfile().choose(s.request(), s.instances).instance == 1);     // 3 + 0 + 2 against .75 + 1.94 + 2
    s.instances[1].capacity_blocks = 10;
    CHECK(FixedProfile().choose(s.request(), s.instances).instance == 0); // 3 + 0 + .6
    s.held = {0, 0, 0};
    s.instances[0].cached_blocks = 9, s.instances[1].requests = 3;
    CHECK(ThresholdSwitch().choose(s.request(), s.instances).instance == 1); // the smallest record
}

TEST_CASE("prefill: overlap + load with a temperature draws, the better the oftener") {
    auto s = Setting();
    s.held = {0, 5, 10};
    auto policy = OverlapAndLoad(1, .5);
    auto counts = std::map<InstanceId, int>();
    for (int i = 0; i < 3'000; ++i) ++counts[policy.choose(s.request(), s.instances).instance];
    CHECK(counts[0] > 0);
    CHECK(counts[1] > counts[0]);
    CHECK(counts[2] > counts[1]);
}

TEST_CASE("prefill: two prompts with the same head have the same two candidates, and an overloaded one is left") {
    auto s = Setting();
    s.instances.resize(50);
    s.held.resize(50);
    const auto home = DualMap().choose(s.request(), s.instances).instance;
    s.blocks[7] = 99;
    CHECK(DualMap().choose(s.request(), s.instances).instance == home);
    s.held[home] = 5;
    s.instances[home].busy_until = 110; // within the SLO of 30 s
    CHECK(DualMap().choose(s.request(), s.instances).instance == home);
    s.instances[home].busy_until = 150;
    const auto second = DualMap().choose(s.request(), s.instances).instance;
    CHECK(second != home);
    s.instances[second].busy_until = 160;
    CHECK(DualMap().choose(s.request(), s.instances).instance == home); // no third
}

TEST_CASE("prefill: policies are made by their names, and each name is one policy") {
    auto names = std::map<std::string_view, int>();
    for (const auto name : prefill_policy_names()) {
        CHECK(make_prefill_policy(name).has_value());
        CHECK(++names[name] == 1);
    }
    CHECK_FALSE(make_prefill_policy("best").has_value());
}
