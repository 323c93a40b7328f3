// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/index/index_feed.hpp>

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace mooncake;
using Kind = IndexEvent::Kind;
using Outcome = IndexFeed::Outcome;

TEST_CASE("feed: events are applied in the order of their numbers, each once") {
    auto index = PrefixIndex();
    auto feed = IndexFeed(index);
    CHECK(feed.apply({.instance = 0, .sequence = 1, .blocks = {1}}) == Outcome::unknown);
    feed.add(0);
    CHECK(feed.apply({.instance = 0, .sequence = 2, .kind = Kind::removed, .blocks = {1}}) == Outcome::waiting);
    CHECK(feed.missing(0) == 2);
    CHECK(feed.apply({.instance = 0, .sequence = 1, .blocks = {1, 2}}) == Outcome::applied);
    CHECK_FALSE(index.holds(0, 1));
    CHECK(index.holds(0, 2));
    CHECK(feed.missing(0) == 0);
    CHECK(feed.apply({.instance = 0, .sequence = 1, .blocks = {1, 2}}) == Outcome::repeated);
    CHECK_FALSE(index.holds(0, 1));
    CHECK(feed.apply({.instance = 0, .sequence = 3, .kind = Kind::cleared}) == Outcome::applied);
    CHECK(index.size() == 0);
    feed.remove(0);
    CHECK_FALSE(feed.knows(0));
    CHECK(feed.recover(0, 9, {}) == Outcome::unknown);
}

TEST_CASE("feed: whoever has lost an event is offered no more until all that it holds is known") {
    auto index = PrefixIndex();
    auto feed = IndexFeed(index, 3);
    feed.add(0);
    CHECK(feed.apply({.instance = 0, .sequence = 1, .blocks = {1}}) == Outcome::applied);
    for (std::uint64_t n = 3; n <= 5; ++n)
        CHECK(feed.apply({.instance = 0, .sequence = n, .blocks = {n}}) == Outcome::waiting);
    CHECK(index.holds(0, 1));
    CHECK(feed.apply({.instance = 0, .sequence = 6, .blocks = {6}}) == Outcome::behind);
    CHECK(feed.behind(0));
    CHECK(index.size() == 0);
    CHECK(feed.apply({.instance = 0, .sequence = 7, .kind = Kind::removed, .blocks = {6}}) == Outcome::behind);
    CHECK(feed.recover(0, 6, std::vector<BlockKey>{1, 2, 3, 4, 5, 6}) == Outcome::applied); // 7 waited
    CHECK_FALSE(feed.behind(0));
    CHECK(index.size() == 5);
    CHECK_FALSE(index.holds(0, 6));
    CHECK(feed.recover(0, 2, {}) == Outcome::repeated); // an answer to an old question changes nothing
    CHECK(index.size() == 5);
}

TEST_CASE("feed: what was reported bad comes back by a new store alone") {
    auto index = PrefixIndex();
    auto feed = IndexFeed(index);
    feed.add(0);
    CHECK(feed.apply({.instance = 0, .sequence = 1, .blocks = {1, 2}}) == Outcome::applied);
    CHECK(feed.apply({.instance = 0, .sequence = 3, .blocks = {1}}) == Outcome::waiting);
    feed.report_bad(0, 1);
    feed.report_bad(7, 1); // nobody
    CHECK_FALSE(index.holds(0, 1));
    CHECK(feed.apply({.instance = 0, .sequence = 2, .blocks = {1}}) == Outcome::applied); // and 3: both older
    CHECK_FALSE(index.holds(0, 1));
    CHECK(feed.recover(0, 3, std::vector<BlockKey>{1, 2}) == Outcome::applied);
    CHECK_FALSE(index.holds(0, 1));
    CHECK(feed.apply({.instance = 0, .sequence = 4, .blocks = {1}}) == Outcome::applied);
    CHECK(index.holds(0, 1));
}

TEST_CASE("feed: reordered, repeated and lost events end in the truth once every instance has recovered") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        constexpr std::size_t instances = 5;
        struct Node {
            std::uint64_t sequence = 0;
            std::set<BlockKey> blocks;
        };
        auto nodes = std::vector<Node>(instances);
        auto index = PrefixIndex();
        auto feed = IndexFeed(index, 8);
        for (InstanceId i = 0; i < instances; ++i) feed.add(i);
        auto under_way = std::vector<IndexEvent>();
        auto recovered = 0;
        for (int round = 0; round < 4'000; ++round) {
            const auto i = static_cast<InstanceId>(random() % instances);
            auto& node = nodes[i];
            auto event = IndexEvent{.instance = i, .sequence = ++node.sequence};
            event.kind = random() % 100 == 0 ? Kind::cleared : random() % 2 == 0 ? Kind::stored : Kind::removed;
            if (event.kind == Kind::cleared) node.blocks.clear();
            else
                for (auto left = 1 + random() % 6; left != 0; --left) event.blocks.push_back(random() % 60);
            for (const auto key : event.blocks)
                event.kind == Kind::stored ? void(node.blocks.insert(key)) : void(node.blocks.erase(key));
            if (random() % 50 != 0) under_way.push_back(event); // else it is lost
            if (random() % 20 == 0) under_way.push_back(event);
            while (under_way.size() > 6) {
                const auto at = random() % under_way.size();
                const auto from = under_way[at].instance;
                const auto outcome = feed.apply(std::move(under_way[at]));
                under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(at));
                if (outcome != Outcome::behind) continue;
                REQUIRE(feed.behind(from));
                const auto& all = nodes[from].blocks;
                REQUIRE(feed.recover(from, nodes[from].sequence, std::vector<BlockKey>(all.begin(), all.end())) ==
                        Outcome::applied);
                ++recovered;
            }
        }
        CHECK(recovered > 0);
        for (auto& event : under_way) feed.apply(std::move(event));
        for (InstanceId i = 0; i < instances; ++i) {
            const auto& all = nodes[i].blocks;
            feed.recover(i, nodes[i].sequence, std::vector<BlockKey>(all.begin(), all.end()));
            CHECK(feed.missing(i) == 0);
            auto known = std::set<BlockKey>();
            index.each_of(i, [&](BlockKey key) { known.insert(key); });
            REQUIRE(known == all);
        }
    }
}
