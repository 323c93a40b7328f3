// labels: unit
#include <mooncake/serving/simulator/coupled_node.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;
using Node = serving::detail::CoupledNode<LruBlockCache>;

TEST_CASE(
    "coupled node: chunks of prefill and tokens of decode share the iterations, and blocks are cached afterwards") {
    auto node = Node({.iteration = 8e-3, .sequence = 1e-3, .token = 1e-5, .chunk = 512, .batch = 2, .blocks = 8}, 512);
    auto events = std::vector<Node::Event>();
    auto added = std::vector<BlockKey>(), evicted = std::vector<BlockKey>();
    auto itl = TimeHistogram();
    const auto first = std::vector<BlockKey>{1, 2}, second = std::vector<BlockKey>{1, 2, 3};
    node.add({.id = 1, .tokens = 1'000, .output = 3, .blocks = first, .key = 0});
    node.begin(0, events, evicted);
    CHECK(node.next() == doctest::Approx(8e-3 + 512 * 1e-5));
    for (int i = 0; i < 2; ++i) node.advance(itl, events, added, evicted);
    REQUIRE(events.size() == 2);
    CHECK(events[0].what == Node::What::started);
    CHECK(events[1].what == Node::What::first_token);
    CHECK(added == first);
    CHECK(node.cache().pinned() == 2);
    node.add({.id = 2, .tokens = 1'100, .output = 1, .blocks = second, .key = 1});
    node.advance(itl, events, added, evicted); // of the first: its second token; then the second starts
    CHECK(events.back().id == 2);
    CHECK(events.back().reused == 2);
    node.advance(itl, events, added, evicted);
    CHECK(node.idle()); // 76 tokens were one chunk
    CHECK(events.size() == 6);
    CHECK(itl.count() == 2);
    CHECK(node.cache().pinned() == 0);
    CHECK(node.cache().size() == 3);
}

TEST_CASE("coupled node: a request waits for room, and one that never fits is known") {
    auto node = Node({.blocks = 4}, 512);
    auto events = std::vector<Node::Event>();
    auto added = std::vector<BlockKey>(), evicted = std::vector<BlockKey>();
    auto itl = TimeHistogram();
    const auto a = std::vector<BlockKey>{1, 2, 3}, b = std::vector<BlockKey>{4, 5};
    node.add({.id = 1, .tokens = 1'536, .output = 2, .blocks = a, .key = 0});
    node.add({.id = 2, .tokens = 1'024, .output = 2, .blocks = b, .key = 1});
    node.begin(0, events, evicted);
    CHECK(events.size() == 1);
    while (!node.idle()) node.advance(itl, events, added, evicted);
    CHECK(events.size() == 6);
    CHECK(evicted == std::vector<BlockKey>{3, 2}); // the tail first
    CHECK_FALSE(node.fits({.tokens = 1'536, .output = 513, .blocks = a}));
}
