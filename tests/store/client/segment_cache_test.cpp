// labels: coroutine
#include <mooncake/core/runtime.hpp>
#include <mooncake/store/client/segment_cache.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

/// Opens segments by name; a name that begins with '!' cannot be opened.
struct FakeEngine {
    struct Segment {
        std::shared_ptr<const std::string> name;
        explicit operator bool() const noexcept { return name != nullptr; }
        std::uint64_t generation() const noexcept { return 7; }
    };
    std::vector<std::string> opened;
    Errc failure = Errc::unreachable;

    Task<Segment> open(std::string locator, Deadline) {
        opened.push_back(locator);
        if (locator.starts_with('!')) co_return failure;
        co_return Segment{std::make_shared<const std::string>(std::move(locator))};
    }
};

struct FakeMaster {
    std::map<std::uint32_t, std::string> alive;
    std::uint64_t generation = 7;
    std::uint64_t term = 3;

    Task<store::SegmentsReply> call(store::Segments message, Deadline) {
        auto reply = store::SegmentsReply{.term = term};
        for (const auto& [id, endpoint] : alive)
            if (std::find(message.segments.begin(), message.segments.end(), id) != message.segments.end())
                reply.segments.push_back({.segment = id, .generation = generation, .endpoint = endpoint});
        co_return reply;
    }
};

struct Fixture {
    FakeEngine engine;
    FakeMaster master;
    Runtime runtime{{.threads = 1}};
    store::detail::SegmentCache<FakeEngine, FakeMaster> cache{engine, master};

    void open(std::vector<std::uint32_t> ids) {
        REQUIRE(runtime.run(cache.open(master.term, std::move(ids), Deadline(10s))).has_value());
    }
    static std::vector<store::ObjectDescriptor> objects_in(const std::vector<std::uint32_t>& segments) {
        auto objects = std::vector<store::ObjectDescriptor>();
        for (const auto segment : segments) objects.emplace_back().replicas.push_back({.segment = segment});
        return objects;
    }
};

} // namespace

TEST_CASE("segment cache: what is not open is missing, once and in order, and found when it was opened") {
    auto f = Fixture();
    f.master.alive = {{1, "a"}, {2, "b"}, {3, "c"}};
    const auto objects = Fixture::objects_in({3, 1, 3, 2, 1});
    CHECK(f.cache.opened(f.master.term).missing(objects) == std::vector<std::uint32_t>{1, 2, 3});
    f.open({1, 3});
    const auto opened = f.cache.opened(f.master.term);
    CHECK(opened.missing(objects) == std::vector<std::uint32_t>{2});
    REQUIRE(opened.find(1) != nullptr);
    CHECK(*opened.find(1)->name == "a");
    CHECK(opened.find(2) == nullptr);
    f.open({2});
    CHECK(f.engine.opened == std::vector<std::string>{"a", "c", "b"}); // each once
    CHECK(opened.find(2) == nullptr);                                  // as it was
    CHECK(f.cache.opened(f.master.term).find(2) != nullptr);
}

TEST_CASE("segment cache: one that cannot be opened, or is of another generation, rests before it is tried again") {
    auto f = Fixture();
    f.master.alive = {{1, "!a"}, {2, "b"}};
    f.master.generation = 8; // the record says 7
    f.open({1, 2});
    const auto objects = Fixture::objects_in({1, 2});
    CHECK(f.cache.opened(f.master.term).find(1) == nullptr);
    CHECK(f.cache.opened(f.master.term).find(2) == nullptr);
    CHECK(f.cache.opened(f.master.term).missing(objects).empty());
}

TEST_CASE("segment cache: one that the master does not know is not asked for again at once") {
    auto f = Fixture();
    f.open({9});
    CHECK(f.cache.opened(f.master.term).find(9) == nullptr);
    CHECK(f.cache.opened(f.master.term).missing(Fixture::objects_in({9})).empty());
}

TEST_CASE("segment cache: that somebody had no time, or gave up, shuts a segment for nobody else") {
    auto f = Fixture();
    f.master.alive = {{1, "!a"}};
    const auto objects = Fixture::objects_in({1});
    const auto open = [&](Errc failure, Deadline deadline) {
        f.engine.failure = failure;
        return f.runtime.run(f.cache.open(f.master.term, {1}, deadline)).error().code();
    };
    CHECK(open(Errc::timed_out, 5ms) == Errc::timed_out);
    CHECK(f.cache.opened(f.master.term).missing(objects).size() == 1);
    CHECK(open(Errc::cancelled, 10s) == Errc::cancelled);
    CHECK(f.cache.opened(f.master.term).missing(objects).size() == 1);
    CHECK(open(Errc::timed_out, 1h) == Errc::ok); // with all the time that a segment has: it is the segment
    CHECK(f.cache.opened(f.master.term).missing(objects).empty());
}

TEST_CASE("segment cache: segments that the master no longer knows are let go") {
    auto f = Fixture();
    f.master.alive = {{1, "a"}, {2, "b"}};
    f.open({1, 2});
    const auto gone = std::weak_ptr(f.cache.opened(f.master.term).find(1)->name);
    f.master.alive = {{2, "b"}, {3, "c"}};
    CHECK_FALSE(gone.expired());
    f.open({3});
    CHECK(gone.expired());
    CHECK(f.cache.opened(f.master.term).find(2) != nullptr);
    CHECK(f.cache.opened(f.master.term).find(3) != nullptr);
}

TEST_CASE("segment cache: numbers of another term of the master name other segments") {
    auto f = Fixture();
    f.master.alive = {{1, "a"}, {2, "b"}};
    f.open({1, 2});
    f.master.term = 4; // restarted, and the nodes came back in another order
    f.master.alive = {{1, "b"}, {2, "a"}};
    CHECK(f.cache.opened(4).find(1) == nullptr);
    f.open({1});
    CHECK(*f.cache.opened(4).find(1)->name == "b");
    CHECK(f.cache.opened(4).find(2) == nullptr);
    const auto late = f.runtime.run(f.cache.open(3, {2}, Deadline(10s))); // for a reply of the old term
    CHECK(late.error() == Errc::stale_term);
}
