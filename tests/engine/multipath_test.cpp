// labels: io coroutine
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/testing/transport_pair.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
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

/// How many connections of this host are open from that address, by the kernel's table.
int established_from(const std::string& address) {
    auto octets = std::array<unsigned, 4>();
    std::sscanf(address.c_str(), "%u.%u.%u.%u", &octets[0], &octets[1], &octets[2], &octets[3]);
    auto wanted = std::array<char, 16>();
    std::snprintf(wanted.data(), wanted.size(), " %02X%02X%02X%02X:", octets[3], octets[2], octets[1], octets[0]);
    auto table = std::ifstream("/proc/net/tcp");
    auto count = 0;
    for (auto line = std::string(); std::getline(table, line);) {
        const auto local = line.find(wanted.data());
        count += local != std::string::npos && local < 10 && line.find(" 01 ", local) != std::string::npos ? 1 : 0;
    }
    return count;
}

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

TEST_CASE("multipath: connections go out from each address of this host that was named, to each of the peer's") {
    auto runtime = testing::OrderedRuntime({.threads = 2});
    auto owner = Engine(runtime, several("0.0.0.0", {"127.0.0.2"}));
    auto config = Engine::Config();
    config.transport<TcpTransport<>>().from_hosts = {"127.0.0.8", "127.0.0.9", "::1"};
    auto peer = Engine(runtime, std::move(config));
    const auto arena = Arena::create({.bytes = 64 * MiB}).value();
    const auto region = runtime.run(owner.register_arena(arena, Rights::read_write)).value();
    const auto segment = runtime.run(peer.open(owner.locator(), 5s)).value();
    const auto tried = runtime.run(peer.probe(segment, 5s));
    REQUIRE(tried.has_value());
    auto ways = std::vector<std::string>();
    for (const auto& way : *tried) {
        CHECK_MESSAGE(way.outcome == Errc::ok, way.outcome);
        const auto from = way.description.find(" from ");
        REQUIRE(from != std::string::npos);
        ways.push_back(way.description.substr(0, way.description.find(':')) + way.description.substr(from));
    }
    CHECK(ways == std::vector<std::string>{"127.0.0.1 from 127.0.0.8", "127.0.0.1 from 127.0.0.9",
                                           "127.0.0.2 from 127.0.0.8", "127.0.0.2 from 127.0.0.9"});
    const auto wanted = pattern(64 * MiB, 5);
    const auto written = runtime.run(peer.write(wanted, segment, 0, {.deadline = 20s}));
    REQUIRE_MESSAGE(written.has_value(), written.error());
    CHECK(std::memcmp(arena->bytes().data(), wanted.data(), wanted.size()) == 0);
    CHECK(established_from("127.0.0.8") >= 2);
    CHECK(established_from("127.0.0.9") >= 2);
}

TEST_CASE("multipath: an address that is not this host's is a path that fails, and one that is none is refused") {
    auto runtime = testing::OrderedRuntime({.threads = 2});
    auto owner = Engine(runtime, several("127.0.0.1", {}));
    auto config = Engine::Config();
    config.transport<TcpTransport<>>().from_hosts = {"192.0.2.1", "127.0.0.8"};
    auto peer = Engine(runtime, std::move(config));
    const auto arena = Arena::create({.bytes = 8 * MiB}).value();
    const auto region = runtime.run(owner.register_arena(arena, Rights::read_write)).value();
    const auto segment = runtime.run(peer.open(owner.locator(), 5s)).value();
    const auto wanted = pattern(8 * MiB, 6);
    const auto written = runtime.run(peer.write(wanted, segment, 0, {.deadline = 20s}));
    REQUIRE_MESSAGE(written.has_value(), written.error());
    CHECK(std::memcmp(arena->bytes().data(), wanted.data(), wanted.size()) == 0);
    auto wrong = Engine::Config();
    wrong.transport<TcpTransport<>>().from_hosts = {"eth0"};
    CHECK_THROWS_WITH_AS(Engine(runtime, std::move(wrong)), doctest::Contains("'eth0' is no IP address"),
                         boost::system::system_error);
}
