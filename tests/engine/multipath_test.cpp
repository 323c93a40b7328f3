// labels: io coroutine
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/testing/transport_pair.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

namespace {

struct TcpOnly {
    using Transports = TransportSet<TcpTransport<>>;
    using Metadata = PeerMetadata<>;
};
using Engine = TransferEngine<TcpOnly>;

Engine::Config several(const std::string& bind, std::vector<std::string> others) {
    auto config = Engine::Config();
    auto& tcp = config.transport<TcpTransport<>>();
    tcp.listen = {.bind = {bind, 0}, .advertise = {"127.0.0.1", 0}};
    tcp.other_hosts = std::move(others);
    return config;
}

struct Pair {
    Pair(const std::string& bind, std::vector<std::string> others, std::uint64_t bytes)
        : owner(runtime, several(bind, std::move(others))), peer(runtime) {
        arena = Arena::create({.bytes = bytes}).value();
        region = runtime.run(owner.register_arena(arena, Rights::read_write)).value();
        segment = runtime.run(peer.open(owner.locator(), 5s)).value();
    }

    testing::OrderedRuntime runtime{{.threads = 2}};
    Engine owner, peer;
    std::shared_ptr<Arena> arena;
    RegionPin region;
    Engine::Segment segment;
};

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
    auto value = std::vector<std::byte>(bytes);
    for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<std::byte>(i * 31 + i / 251 + seed);
    return value;
}

} // namespace

TEST_CASE("multipath: a segment with several addresses shows all of them, and every byte arrives over one or another") {
    auto f = Pair("0.0.0.0", {"127.0.0.2", "127.0.0.3"}, 64 * MiB);
    CHECK(f.segment.record().endpoints.size() == 3);
    for (const auto bytes : {std::size_t{1}, std::size_t{4096}, 1 * MiB + 1, 64 * MiB}) {
        const auto wanted = pattern(bytes, static_cast<unsigned>(bytes));
        const auto written =
            f.runtime.run(f.peer.write(wanted, f.segment, 0, {.deadline = 20s, .digest = Digest::xxh3}));
        REQUIRE_MESSAGE(written.has_value(), written.error());
        CHECK(written->bytes == bytes);
        CHECK(std::memcmp(f.arena->bytes().data(), wanted.data(), bytes) == 0);
        auto back = std::vector<std::byte>(bytes);
        const auto read = f.runtime.run(f.peer.read(back, f.segment, 0, {.deadline = 20s, .digest = Digest::xxh3}));
        REQUIRE_MESSAGE(read.has_value(), read.error());
        CHECK(back == wanted);
        CHECK(read->checksums == written->checksums);
    }
}

TEST_CASE("multipath: an address that nobody answers at costs the others' transfers nothing but time") {
    auto f = Pair("127.0.0.1", {"127.0.0.2"}, 64 * MiB);
    for (auto round = 0; round < 3; ++round) {
        const auto wanted = pattern(64 * MiB, static_cast<unsigned>(round));
        const auto written = f.runtime.run(f.peer.write(wanted, f.segment, 0, {.deadline = 20s}));
        REQUIRE_MESSAGE(written.has_value(), written.error());
        CHECK(std::memcmp(f.arena->bytes().data(), wanted.data(), wanted.size()) == 0);
    }
}

TEST_CASE("multipath: many at once over several addresses, some of them cancelled by their deadline") {
    auto f = Pair("0.0.0.0", {"127.0.0.2"}, 64 * MiB);
    const auto wanted = pattern(8 * MiB, 3);
    auto tasks = std::vector<Task<TransferReport>>();
    for (std::uint64_t i = 0; i < 8; ++i)
        tasks.push_back(f.peer.write(wanted, f.segment, i * 8 * MiB, {.deadline = 20s}));
    auto hasty = std::vector<std::vector<std::byte>>(8, std::vector<std::byte>(8 * MiB));
    for (std::uint64_t i = 0; i < 8; ++i)
        tasks.push_back(f.peer.read(hasty[i], f.segment, i * 8 * MiB, {.deadline = Deadline(1ms * (i + 1))}));
    auto all = [](std::vector<Task<TransferReport>> of) -> Task<std::vector<Result<TransferReport>>> {
        co_return co_await all_settled(std::move(of));
    };
    const auto results = f.runtime.run(all(std::move(tasks))).value();
    for (std::size_t i = 0; i < 8; ++i) REQUIRE_MESSAGE(results[i].has_value(), results[i].error());
    const auto after = hasty; // nothing comes later
    for (std::size_t i = 8; i < 16; ++i)
        if (!results[i]) CHECK(results[i].error() == Errc::timed_out);
    for (std::uint64_t i = 0; i < 8; ++i)
        CHECK(std::memcmp(f.arena->bytes().data() + i * 8 * MiB, wanted.data(), wanted.size()) == 0);
    CHECK(after == hasty);
}

TEST_CASE("multipath: a segment whose every address is gone is an error with a sentence, by the deadline") {
    auto f = Pair("0.0.0.0", {"127.0.0.2"}, 1 * MiB);
    f.runtime.run(f.owner.close());
    const auto data = pattern(1 * MiB, 1);
    const auto start = SteadyClock{}.now();
    const auto written = f.runtime.run(f.peer.write(data, f.segment, 0, {.deadline = 3s}));
    REQUIRE(!written);
    CHECK(SteadyClock{}.now() - start < 4s);
    CHECK_MESSAGE(!written.error().context().empty(), written.error());
}

TEST_CASE("multipath: what other_hosts may not be is refused by name") {
    Runtime runtime{{.threads = 1}};
    CHECK_THROWS_WITH_AS((Engine{runtime, several("0.0.0.0", {"not]a[host"})}), doctest::Contains("other_hosts"),
                         boost::system::system_error);
    CHECK_THROWS_WITH_AS((Engine{runtime, several("0.0.0.0", std::vector<std::string>(16, "127.0.0.2"))}),
                         doctest::Contains("at most 15"), boost::system::system_error);
}
