// labels: io coroutine
#include <mooncake/store/group.hpp>

#include "cluster_fixture.hpp"
#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::Cluster;
using mooncake::test::pattern;

TEST_CASE("group: over a network and with replicas it is one object, and is read from the replica that is left") {
    auto c = Cluster(2);
    for (const auto& sizes :
         {std::vector<std::uint64_t>{300'000, 0, 17, 70'000}, std::vector<std::uint64_t>(1023, 700)}) {
        const auto key = "g" + std::to_string(sizes.size());
        auto parts = std::vector<std::vector<std::byte>>(), into = parts;
        for (const auto size : sizes) {
            parts.push_back(pattern(size, static_cast<unsigned>(parts.size())));
            into.emplace_back(size);
        }
        const auto given = std::vector<ConstBytes>(parts.begin(), parts.end());
        const auto put = c.runtime.run(put_group(c.store.get(), key, given, {.deadline = 10s, .replicas = 2}));
        REQUIRE_MESSAGE(put.has_value(), put.error().message());
        CHECK(put->replicas == 2);
        const auto places = std::vector<MutableBytes>(into.begin(), into.end());
        const auto got = c.runtime.run(get_group_into(c.store.get(), key, places, {.deadline = 10s}));
        REQUIRE_MESSAGE(got.has_value(), got.error().message());
        CHECK(into == parts);
    }
    CHECK(c.runtime.run(c.store->list("g")).value().size() == 2);
    c.runtime.run(c.nodes[0]->close());
    const auto left = c.runtime.run(get_group(c.store.get(), "g4", {.deadline = 10s}));
    REQUIRE_MESSAGE(left.has_value(), left.error().message());
    CHECK(std::ranges::equal(left->part(3), pattern(70'000, 3)));
    auto part = std::vector<std::byte>(700);
    const auto read = c.runtime.run(get_group_part(c.store.get(), "g1023", 1000, part, {.deadline = 10s}));
    REQUIRE_MESSAGE(read.has_value(), read.error().message());
    CHECK(part == pattern(700, 1000));
}
