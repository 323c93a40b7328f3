// labels: unit
#include <mooncake/serving/simulator/decode_node.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;
using serving::detail::DecodeNode;

namespace {

constexpr auto cost = DecodeCost{.constant = .02, .context = 1e-3, .sequence = 1e-3, .load_bandwidth = 0};

} // namespace

TEST_CASE("decode node: one sequence takes the sum of its iterations") {
    auto node = DecodeNode(cost, 1, 100'000);
    auto itl = TimeHistogram();
    auto finished = std::vector<DecodeNode::Finished>();
    node.join(5, {.id = 1, .tokens = 2048, .output = 100, .first_token = 5});
    CHECK(node.next() == doctest::Approx(5 + cost.steps(1, 2048, 100)));
    node.advance(itl, finished);
    REQUIRE(finished.size() == 1);
    CHECK(finished[0].tbt == doctest::Approx(cost.steps(1, 2048, 100) / 100));
    CHECK(itl.count() == 100);
    CHECK(node.next() > 1e18);
    CHECK(node.sequences() == 0);
}

TEST_CASE("decode node: whoever joins waits for the end of an iteration, and both are slower") {
    auto node = DecodeNode(cost, 1, 100'000);
    auto itl = TimeHistogram();
    auto finished = std::vector<DecodeNode::Finished>();
    node.join(0, {.id = 1, .tokens = 1024, .output = 10, .first_token = 0});
    const auto one = cost.step(1, 1024);
    node.join(one * 1.5, {.id = 2, .tokens = 1024, .output = 4, .first_token = one * 1.5});
    CHECK(node.next() == doctest::Approx(cost.steps(1, 1024, 2)));
    node.advance(itl, finished);
    CHECK(node.sequences() == 2);
    const auto together = cost.steps(1, 1024, 2) + cost.steps(2, 2050, 4);
    CHECK(node.next() == doctest::Approx(together));
    node.advance(itl, finished);
    REQUIRE(finished.size() == 1);
    CHECK(finished[0].id == 2);
    CHECK(finished[0].tbt > cost.step(2, 2050) + one * .4); // it waited for half an iteration before its first
    CHECK(node.next() == doctest::Approx(together + cost.steps(1, 1030, 4)));
    node.advance(itl, finished);
    CHECK(finished.back().id == 1);
    CHECK(itl.count() == 14);
}

TEST_CASE("decode node: memory bounds the batch, and loading stalls it once") {
    auto stalls = cost;
    stalls.load_bandwidth = 1024;
    auto node = DecodeNode(stalls, 1, 2'500);
    auto itl = TimeHistogram();
    auto finished = std::vector<DecodeNode::Finished>();
    node.join(0, {.id = 1, .tokens = 1024, .output = 10, .first_token = 0}); // a second to load
    node.join(0, {.id = 2, .tokens = 2048, .output = 5, .first_token = 0});
    CHECK(node.waiting() == 1);
    CHECK(node.next() == doctest::Approx(1 + stalls.steps(1, 1024, 10)));
    node.advance(itl, finished);
    CHECK(node.waiting() == 0);
    CHECK(finished[0].tbt == doctest::Approx(1 + stalls.steps(1, 1024, 10) / 10)); // the longest of ten
    CHECK_FALSE(node.fits({.tokens = 2'000, .output = 501}));
}
