// labels: net
// One request over several networks, each a pair of veth devices between two network namespaces, limited by tc.
#include <mooncake/engine/transfer_engine.hpp>

#include "engine/networks.hpp"
#include "support/sanitized.hpp"
#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using namespace mooncake::test;

namespace {

struct TcpOnly {
    using Transports = TransportSet<TcpTransport<>>;
    using Metadata = PeerMetadata<>;
};
using Engine = TransferEngine<TcpOnly>;

constexpr std::uint64_t most_bytes = sanitized ? 64 * MiB : 512 * MiB;

std::uint64_t word(std::uint64_t i, unsigned seed) { return (i + seed) * 0x9E3779B97F4A7C15ULL; }
void fill(MutableBytes bytes, unsigned seed) {
    for (std::uint64_t i = 0; i < bytes.size() / 8; ++i) {
        const auto value = word(i, seed);
        std::memcpy(bytes.data() + i * 8, &value, 8);
    }
}
std::uint64_t wrong_words(ConstBytes bytes, unsigned seed) {
    auto wrong = std::uint64_t{0};
    for (std::uint64_t i = 0; i < bytes.size() / 8; ++i) {
        const auto value = word(i, seed);
        wrong += std::memcmp(bytes.data() + i * 8, &value, 8) != 0 ? 1 : 0;
    }
    return wrong;
}

/// Lends memory, at an address on each of so many links; `check BYTES SEED` says whether that is what it holds.
void own(int read, int write, unsigned links) {
    Runtime runtime{{.threads = 2}};
    auto config = Engine::Config();
    config.metadata = std::make_shared<PeerMetadata<>>(
        runtime, PeerMetadataConfig{.listen = {.bind = {"0.0.0.0", 0}, .advertise = {"10.99.0.2", 0}}});
    auto& tcp = config.transport<TcpTransport<>>();
    tcp.listen = {.bind = {"0.0.0.0", 0}, .advertise = {"10.99.0.2", 0}};
    for (unsigned i = 1; i < links; ++i) tcp.other_hosts.push_back("10.99." + std::to_string(i) + ".2");
    config.metadata->start();
    {
        Engine engine{runtime, config};
        const auto arena = Arena::create({.bytes = most_bytes}).value();
        const auto region = runtime.run(engine.register_arena(arena, Rights::read_write)).value();
        Namespaced::put(write, engine.locator());
        for (auto line = Namespaced::take(read); !line.empty(); line = Namespaced::take(read)) {
            auto words = std::istringstream(line);
            auto bytes = std::uint64_t{0};
            auto seed = 0U;
            words >> bytes >> seed;
            Namespaced::put(write, std::to_string(wrong_words(arena->bytes().first(bytes), seed)));
        }
    }
    runtime.run(config.metadata->close());
}

/// Opens what it is told, then `write BYTES SEED` or `read BYTES SEED`, and says how many seconds it took or why not.
void use(int read, int write) {
    Runtime runtime{{.threads = 2}};
    {
        Engine engine{runtime};
        const auto segment = runtime.run(engine.open(Namespaced::take(read), 5s));
        Namespaced::put(write, segment ? "open" : segment.error().message());
        auto data = std::vector<std::byte>(most_bytes);
        for (auto line = Namespaced::take(read); segment && !line.empty(); line = Namespaced::take(read)) {
            auto words = std::istringstream(line);
            auto what = std::string();
            auto bytes = std::uint64_t{0};
            auto seed = 0U;
            words >> what >> bytes >> seed;
            const auto some = MutableBytes(data).first(bytes);
            if (what == "write") fill(some, seed);
            const auto start = std::chrono::steady_clock::now();
            const auto moved = runtime.run(what == "write" ? engine.write(some, *segment, 0, {.deadline = 60s})
                                                           : engine.read(some, *segment, 0, {.deadline = 60s}));
            const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            const auto wrong = what == "read" ? wrong_words(some, seed) : 0;
            if (!moved) Namespaced::put(write, moved.error().message());
            else if (wrong != 0) Namespaced::put(write, std::to_string(wrong) + " words are wrong");
            else Namespaced::put(write, std::to_string(took));
        }
    }
}

struct Networks {
    explicit Networks(std::vector<unsigned> megabits)
        : owner([&](int read, int write) { own(read, write, static_cast<unsigned>(megabits.size())); }), user(use),
          links(user, owner) {
        for (const auto one : megabits) links.add(one);
        usable = links.ok();
        if (!usable) return;
        // The owner is .2, the user .1 of each link.
        owner.say("go");
        user.say("go");
        user.say(owner.hear());
        REQUIRE(user.hear() == "open");
    }

    /// Seconds.
    double write(std::uint64_t bytes, unsigned seed) const {
        user.say("write " + std::to_string(bytes) + " " + std::to_string(seed));
        return done(bytes, seed);
    }
    double done(std::uint64_t bytes, unsigned seed) const {
        const auto said = user.hear();
        const auto took = std::strtod(said.c_str(), nullptr);
        REQUIRE_MESSAGE(took > 0, said);
        owner.say(std::to_string(bytes) + " " + std::to_string(seed));
        CHECK(owner.hear() == "0");
        return took;
    }
    double read(std::uint64_t bytes, unsigned seed) const {
        user.say("read " + std::to_string(bytes) + " " + std::to_string(seed));
        const auto said = user.hear();
        const auto took = std::strtod(said.c_str(), nullptr);
        REQUIRE_MESSAGE(took > 0, said);
        return took;
    }

    Namespaced owner, user;
    LinksBetween links;
    bool usable = false;
};

/// Megabytes a second.
double speed(std::uint64_t bytes, double seconds) { return static_cast<double>(bytes) / seconds / 1e6; }

bool can() {
    if (geteuid() != 0) return skip("network namespaces need root"), false;
    return true;
}

} // namespace

TEST_CASE("links: one request uses all of them") {
    if (!can()) return;
    for (const auto& megabits : {std::vector<unsigned>{1000}, {1000, 1000}, {1000, 250}, {1000, 1000, 1000, 1000}}) {
        const auto f = Networks(megabits);
        if (!f.usable) return skip("network namespaces, veth and tc do not work here");
        auto sum = 0.0;
        for (const auto one : megabits) sum += one / 8.0;
        f.write(64 * MiB, 1); // they are measured; the same bytes, see below
        const auto written = speed(most_bytes, f.write(most_bytes, 1)), read = speed(most_bytes, f.read(most_bytes, 1));
        MESSAGE(megabits.size() << " links of together " << sum << " MB/s: written with " << written << ", read with "
                                << read << " MB/s");
        const auto enough = std::min(0.6 * sum, 150.0); // more than one link can do, where there are several as good
        CHECK((sanitized || written > enough));
        CHECK((sanitized || read > enough));
    }
}

TEST_CASE("links: one is cut in the middle, and comes back") {
    if (!can()) return;
    auto f = Networks({1000, 1000});
    if (!f.usable) return skip("network namespaces, veth and tc do not work here");
    f.write(64 * MiB, 2);
    f.user.say("write " + std::to_string(most_bytes) + " 2");
    std::this_thread::sleep_for(sanitized ? 100ms : 700ms);
    f.links.set(1, false);
    const auto cut = f.done(most_bytes, 2);
    MESSAGE((most_bytes / MiB) << " MiB while one of two links went: " << cut << " s");
    f.links.set(1, true);
    constexpr auto both = sanitized ? 1.0 : 180.0; // MB/s: more than one alone can do
    auto back = 0.0;
    const auto until = std::chrono::steady_clock::now() + 20s;
    const auto since = std::chrono::steady_clock::now();
    // The same bytes: what the cut link still had may come now, which a report says (`settled`), and would be over others.
    while (std::chrono::steady_clock::now() < until && back < both) back = speed(64 * MiB, f.write(64 * MiB, 2));
    MESSAGE(
        "both are used again after " << std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count()
                                     << " s, with " << back << " MB/s");
    CHECK(back >= both);
}

TEST_CASE("links: one becomes ten times slower in the middle") {
    if (!can()) return;
    auto f = Networks({1000, 1000});
    if (!f.usable) return skip("network namespaces, veth and tc do not work here");
    f.write(64 * MiB, 4);
    f.user.say("write " + std::to_string(most_bytes) + " 4");
    std::this_thread::sleep_for(sanitized ? 100ms : 700ms);
    f.links.limit(1, 100);
    MESSAGE((most_bytes / MiB) << " MiB while one of two links became ten times slower: " << f.done(most_bytes, 4)
                               << " s");
    CHECK(f.read(64 * MiB, 4) > 0);
}
