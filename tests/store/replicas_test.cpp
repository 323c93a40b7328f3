// labels: io coroutine
#include "cluster_fixture.hpp"
#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::Cluster;
using mooncake::test::pattern;

namespace {

/// The segments that hold `key`.
std::vector<std::uint32_t> where(Cluster& c, std::string_view key) {
    auto found = std::vector<std::uint32_t>();
    c.master->master().audit([&](std::string_view name, const store::ObjectDescriptor& object) {
        for (const auto& replica : object.replicas)
            if (name == key) found.push_back(replica.segment);
    });
    return found;
}

std::uint32_t id_of(Cluster& c, std::string_view name) {
    const auto segments = c.runtime.run(c.store->segments()).value();
    for (const auto& segment : segments)
        if (segment.name == name) return segment.segment;
    return 0;
}

std::string key_of(unsigned i) { return "k" + std::to_string(i); }
std::vector<std::byte> value_of(unsigned i) { return pattern(1 + i * 7919 % 300'000, i); }
void fill(Cluster& c, unsigned count, PutOptions options = {}) {
    for (unsigned i = 0; i < count; ++i)
        REQUIRE(c.runtime.run(c.store->put(key_of(i), value_of(i), options)).has_value());
}
unsigned readable(Cluster& c, unsigned count) {
    auto right = 0U;
    for (unsigned i = 0; i < count; ++i) {
        const auto got = c.runtime.run(c.store->get(key_of(i), {.deadline = 10s}));
        right += got && *got == value_of(i) ? 1U : 0U;
    }
    return right;
}

} // namespace

TEST_CASE("replicas: an object gets more of them, is moved, and gets fewer; its bytes and its version stay") {
    auto c = Cluster(3);
    const auto value = pattern(700'000);
    const auto put = c.runtime.run(c.store->put("k", value)).value();
    CHECK(c.runtime.run(c.store->copy("k")).value() == 2);
    CHECK(c.runtime.run(c.store->change_replicas("k", 3)).value() == 3);
    CHECK(where(c, "k").size() == 3);
    CHECK(c.runtime.run(c.store->change_replicas("k", 5)).error() == Errc::no_space); // there are no five
    CHECK(c.runtime.run(c.store->change_replicas("k", 1)).value() == 1);
    REQUIRE(where(c, "k").size() == 1);
    const auto home = where(c, "k")[0];
    REQUIRE(c.runtime.run(c.store->move("k", home)).has_value());
    REQUIRE(where(c, "k").size() == 1);
    CHECK(where(c, "k")[0] != home);
    const auto view = c.runtime.run(c.store->view("k", {.verify = Verify::always})).value();
    CHECK(view.version() == put.version);
    CHECK(std::equal(value.begin(), value.end(), view.bytes().begin(), view.bytes().end()));

    const auto there = std::vector<std::uint32_t>{home};
    REQUIRE(c.runtime.run(c.store->copy("k", {.preferred = there})).has_value());
    const auto now = where(c, "k");
    CHECK(std::count(now.begin(), now.end(), home) == 1);
    CHECK(c.runtime.run(c.store->change_replicas("k", 0)).error() == Errc::invalid_argument);
    CHECK(c.runtime.run(c.store->change_replicas("none", 2)).error() == Errc::not_found);
    CHECK(c.runtime.run(c.store->drain("none")).error() == Errc::not_found);
}

TEST_CASE("replicas: many are copied together, and a large one in parts") {
    auto c = Cluster(0);
    for (const auto* name : {"a", "b"}) REQUIRE(c.add(name, {}, 96 * MiB));
    fill(c, 200);
    const auto large = pattern(40 * MiB + 12'345);
    REQUIRE(c.runtime.run(c.store->put("large", large)).has_value());
    auto keys = std::vector<std::string>();
    for (unsigned i = 0; i < 200; ++i) keys.push_back(key_of(i));
    keys.emplace_back("large");
    keys.emplace_back("none");
    const auto views = std::vector<std::string_view>(keys.begin(), keys.end());
    const auto report = c.runtime.run(c.store->change_replicas_batch(views, 2, {.deadline = 60s})).value();
    REQUIRE(report.outcomes.size() == 202);
    CHECK(std::count(report.outcomes.begin(), report.outcomes.end(), Errc::ok) == 201);
    CHECK(report.outcomes.back() == Errc::not_found);
    CHECK(std::count(report.replicas.begin(), report.replicas.end(), 2U) == 201);
    // Either node has all of it.
    c.runtime.run(c.nodes.front()->close());
    c.nodes.erase(c.nodes.begin());
    CHECK(readable(c, 200) == 200);
    CHECK(c.runtime.run(c.store->get("large", {.deadline = 30s})).value() == large);
}

TEST_CASE("replicas: a node that is drained before it goes takes nothing with it") {
    auto c = Cluster(0);
    for (const auto* name : {"a", "b", "c"}) REQUIRE(c.add(name, {}, 64 * MiB));
    fill(c, 300);
    CHECK(c.runtime.run(c.store->statistics()).value().objects == 300);
    SUBCASE("by its own") {
        const auto drained = c.runtime.run(c.nodes[1]->drain(30s)).value();
        CHECK(drained.left == 0);
        CHECK(drained.failed == 0);
        CHECK(drained.objects > 30);
        c.runtime.run(c.nodes[1]->close());
        c.nodes.erase(c.nodes.begin() + 1);
        CHECK(readable(c, 300) == 300);
    }
    SUBCASE("by a client, while others read and write") {
        const auto id = id_of(c, "b");
        auto stop = std::atomic<bool>(false);
        auto failed = std::atomic<int>(0);
        auto written = std::atomic<unsigned>(0);
        auto reader = std::thread([&] {
            for (unsigned i = 0; !stop; i = (i + 7) % 300)
                if (const auto got = c.runtime.run(c.store->get(key_of(i), {.deadline = 10s}));
                    !got || *got != value_of(i))
                    ++failed;
        });
        auto writer = std::thread([&] {
            for (unsigned i = 0; !stop && i < 100; ++i) {
                const auto put = c.runtime.run(c.store->put("new" + std::to_string(i), value_of(i), {.deadline = 10s}));
                if (put) ++written;
            }
        });
        const auto drained = c.runtime.run(c.store->drain("b", 30s)).value();
        stop = true;
        reader.join();
        writer.join();
        CHECK(drained.left == 0);
        CHECK(failed == 0);
        for (unsigned i = 0; i < written; ++i) {
            const auto at = where(c, "new" + std::to_string(i));
            CHECK(std::count(at.begin(), at.end(), id) == 0);
        }
        REQUIRE(c.runtime.run(c.store->end_drain("b")).has_value());
        auto back = 0;
        for (unsigned i = 0; i < 100; ++i) {
            REQUIRE(c.runtime.run(c.store->put("after" + std::to_string(i), value_of(i))).has_value());
            const auto at = where(c, "after" + std::to_string(i));
            back += std::count(at.begin(), at.end(), id) != 0 ? 1 : 0;
        }
        CHECK(back > 0);
    }
    SUBCASE("by two at once") {
        auto other = MoveReport();
        auto second = std::thread([&] { other = c.runtime.run(c.nodes[1]->drain(30s)).value(); });
        const auto drained = c.runtime.run(c.store->drain("b", 30s)).value();
        second.join();
        CHECK(drained.left == 0);
        CHECK(other.left == 0);
        CHECK(drained.failed + other.failed == 0);
    }
    SUBCASE("a view keeps it waiting, as long as it has time") {
        auto kept = std::string();
        for (unsigned i = 0; i < 300 && kept.empty(); ++i)
            if (where(c, key_of(i)) == std::vector{id_of(c, "b")}) kept = key_of(i);
        REQUIRE_FALSE(kept.empty());
        auto view = c.runtime.run(c.store->view(kept)).value();
        const auto first = c.runtime.run(c.nodes[1]->drain(1s)).value();
        CHECK(first.left == 1);
        CHECK(view.bytes().size() != 0);
        view = View();
        CHECK(c.runtime.run(c.nodes[1]->drain(30s)).value().left == 0);
    }
}

TEST_CASE("replicas: a node that nobody can take over from says so at once, and what has another replica is not lost") {
    auto c = Cluster(1);
    fill(c, 10);
    const auto drained = c.runtime.run(c.nodes[0]->drain(30s)).value();
    CHECK(drained.left == 10);
    CHECK(drained.failed == 10);
    CHECK(drained.why.find("not in another segment") != std::string::npos);
}

TEST_CASE("replicas: what a dead node held is copied again by the others, without anybody's asking") {
    auto c = Cluster(0);
    for (const auto* name : {"a", "b", "c"}) REQUIRE(c.add(name, {}, 32 * MiB, 100ms));
    fill(c, 60, {.replicas = 2});
    c.runtime.run(c.nodes[0]->close());
    c.nodes.erase(c.nodes.begin());
    const auto whole = [&] {
        auto count = 0;
        c.master->master().audit([&](std::string_view, const store::ObjectDescriptor& object) {
            count += object.replicas.size() == 2 ? 1 : 0;
        });
        return count;
    };
    for (auto i = 0; i < 200 && whole() != 60; ++i) std::this_thread::sleep_for(50ms);
    CHECK(whole() == 60);
    // And so the next death takes nothing either.
    c.runtime.run(c.nodes[0]->close());
    c.nodes.erase(c.nodes.begin());
    CHECK(readable(c, 60) == 60);
}

TEST_CASE("replicas: a repair by hand mends what was lost, and finds nothing when nothing is") {
    auto c = Cluster(3);
    fill(c, 30, {.replicas = 2});
    CHECK(c.runtime.run(c.store->repair()).value().objects == 0);
    c.runtime.run(c.nodes[0]->close());
    c.nodes.erase(c.nodes.begin());
    const auto repaired = c.runtime.run(c.store->repair(30s)).value();
    CHECK(repaired.objects > 0);
    CHECK(repaired.failed == 0);
    CHECK(repaired.bytes > 0);
    CHECK(c.runtime.run(c.store->repair()).value().objects == 0);
}

TEST_CASE("replicas: an embedded store has one segment: nothing can be copied, and says so") {
    auto f = mooncake::test::EmbeddedFixture();
    REQUIRE(f.run(f.store.put("k", pattern(1000))).has_value());
    CHECK(f.run(f.store.change_replicas("k", 1)).value() == 1);
    const auto none = f.run(f.store.copy("k"));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error() == Errc::no_space);
    CHECK(none.error().message().find("another segment") != std::string::npos);
    CHECK(f.run(f.store.get("k")).has_value());
}
