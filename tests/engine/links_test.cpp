// labels: io
#include <mooncake/engine/transfer_engine.hpp>

#include "pair.hpp"
#include "support/open_files.hpp"

using namespace mooncake;
using namespace mooncake::test;

namespace {

/// The two transports that have connections, one at a time.
template <class OnlyOver>
void only_over(EnginePair& pair, OnlyOver check) {
    pair.loopback.set(EnginePair::failing());
    check("shm");
    pair.shm.set(EnginePair::failing());
    check("tcp");
}

} // namespace

TEST_CASE("links: whoever opens a segment many times uses the connections there are") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    auto memory = std::vector<std::byte>(1'000);
    only_over(pair, [&](std::string_view transport) {
        auto kept = std::vector<Engine::Segment>();
        auto files = std::size_t{0};
        for (int i = 0; i < 50; ++i) {
            kept.push_back(pair.open());
            const auto read = pair.runtime.run(pair.user.read(memory, kept.back(), region->offset, {.deadline = 10s}));
            REQUIRE(read.has_value());
            CHECK(read->transport == transport);
            if (i == 4) files = open_files(); // both lanes are up by then
        }
        CHECK(open_files() <= files);
    });
}

TEST_CASE("links: connections to segments that nobody holds any more are closed") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    auto memory = std::vector<std::byte>(1'000);
    only_over(pair, [&](std::string_view transport) {
        const auto read_from = [&](const std::string& name, std::uint64_t offset) {
            const auto segment = pair.runtime.run(pair.user.open(name, 10s)).value();
            const auto read = pair.runtime.run(pair.user.read(memory, segment, offset, {.deadline = 10s}));
            REQUIRE(read.has_value());
            CHECK(read->transport == transport);
        };
        read_from("owner", region->offset);
        const auto files = open_files();
        for (int i = 0; i < 10; ++i) {
            auto other = Engine(pair.runtime, pair.config("other " + std::to_string(i)));
            auto arena = Arena::create({.bytes = 4096, .pages = PageKind::plain, .prefault_threads = 1}).value();
            const auto shared = pair.runtime.run(other.register_arena(std::move(arena), Rights::read)).value();
            read_from("other " + std::to_string(i), shared->offset);
            pair.runtime.run(other.close());
        }
        read_from("owner", region->offset);
        // A lane more to the owner, and the epoll, event and timer of a thread that had nothing to wait for before.
        CHECK(comes_true([&] { return open_files() <= files + 5; }));
    });
}

TEST_CASE("links: a window outlives the segment it came from, and its owner waits for it") {
    auto pair = EnginePair();
    auto region = pair.arena(1 * MiB);
    auto expected = std::vector<std::byte>(4096);
    testing::fill(region->bytes.first(4096), 3);
    testing::fill(expected, 3);
    auto user = TransferEngine<ShmOnlyTraits>(pair.runtime, {.name = "passing", .metadata = pair.metadata});
    auto segment = pair.runtime.run(user.open("owner")).value();
    auto window = pair.runtime.run(user.map(segment, region->offset, 4096, Direction::read)).value();
    segment = {};
    auto watched = std::weak_ptr<const Arena>(region->arena);
    CHECK(pair.runtime.run(pair.owner.unregister(std::move(region), 100ms)).error() == Errc::timed_out);
    CHECK(testing::same({window.bytes, 4096}, expected));
    CHECK_FALSE(watched.expired());
    window = {};
    CHECK(testing::expires(watched));
}
