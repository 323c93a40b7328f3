// labels: io coroutine concurrent
#include "engine/pair.hpp"

#include <atomic>
#include <cstring>
#include <thread>

using namespace mooncake;
using namespace mooncake::test;

namespace {

struct Tcp : DefaultEngineTraits {
    using Transports = TransportSet<TcpTransport<>>;
    using Metadata = MemoryMetadata;
};
struct Local : DefaultEngineTraits {
    using Transports = TransportSet<LoopbackTransport>;
    using Metadata = MemoryMetadata;
};

/// Two engines, and memory that the first lends.
template <class Traits>
struct Two {
    using Engine = TransferEngine<Traits>;

    Two()
        : owner(runtime, {.name = "owner", .metadata = metadata}),
          user(runtime, {.name = "user", .metadata = metadata}) {
        region = runtime.run(owner.register_memory(memory, Rights::read_write)).value();
        segment = runtime.run(user.open("owner", 10s)).value();
    }
    ~Two() {
        runtime.run(user.close());
        runtime.run(owner.close());
    }

    Runtime runtime{{.threads = 3}};
    std::shared_ptr<MemoryMetadata> metadata = std::make_shared<MemoryMetadata>();
    std::vector<std::byte> memory = std::vector<std::byte>(64 * KiB);
    Engine owner, user;
    RegionPin region;
    typename Engine::Segment segment;
};

template <class Traits>
void what_is_said_comes() {
    auto two = Two<Traits>();
    CHECK(two.runtime.run(two.owner.next_notification(20ms)).error() == Errc::timed_out);
    REQUIRE(two.runtime.run(two.user.notify(two.segment, 4096, 100, "first", 0, 10s)).has_value());
    REQUIRE(two.runtime.run(two.user.notify(two.segment, 0, 64 * KiB, "second", 0, 10s)).has_value());
    const auto first = two.runtime.run(two.owner.next_notification(10s)).value();
    CHECK(first.from == "user");
    CHECK(first.offset == 4096);
    CHECK(first.length == 100);
    CHECK(first.text == "first");
    CHECK(two.runtime.run(two.owner.next_notification(10s)).value().text == "second");

    const auto refused = [&](std::uint64_t offset, std::uint64_t length, std::string text, std::uint64_t key) {
        return two.runtime.run(two.user.notify(two.segment, offset, length, std::move(text), key, 10s)).error();
    };
    CHECK(refused(0, 1, "x", two.region->keys.read ^ 1) == Errc::access_denied);
    CHECK(refused(64 * KiB, 1, "x", two.region->keys.read) == Errc::out_of_range);
    CHECK(refused(~0ULL - 3, 8, "x", two.region->keys.read) == Errc::out_of_range);
    CHECK(refused(0, 1, std::string(5'000, 'x'), 0) == Errc::too_large);
    CHECK(refused(0, 1, "x", 1).message().find("segment 'owner'") != std::string::npos);
    CHECK(two.runtime.run(two.owner.next_notification(20ms)).error() == Errc::timed_out);

    // An inbox that nobody empties refuses; what it holds stays.
    for (std::size_t i = 0; i < Inbox::most; ++i)
        REQUIRE(two.runtime.run(two.user.notify(two.segment, 0, 1, std::to_string(i), 0, 10s)).has_value());
    CHECK(refused(0, 1, "one too many", 0) == Errc::no_space);
    CHECK(two.runtime.run(two.owner.next_notification(10s)).value().text == "0");
    CHECK(two.runtime.run(two.user.notify(two.segment, 0, 1, "again", 0, 10s)).has_value());

    // Whoever waits hears of the end.
    auto waited = Result<Notification>();
    {
        auto waiting = std::jthread([&] { waited = two.runtime.run(two.user.next_notification(Deadline::never())); });
        std::this_thread::sleep_for(20ms);
        two.runtime.run(two.user.close());
    }
    CHECK(waited.error() == Errc::closed);
    two.runtime.run(two.owner.close());
    CHECK(two.runtime.run(two.owner.next_notification(10s)).error() == Errc::closed);
}

} // namespace

TEST_CASE("notification: what is said comes, in order, from who may say it, and not more than is taken") {
    SUBCASE("over tcp") { what_is_said_comes<Tcp>(); }
    SUBCASE("over loopback") { what_is_said_comes<Local>(); }
}

TEST_CASE("notification: the bytes are there when it comes") {
    auto two = Two<Tcp>();
    constexpr std::uint32_t rounds = 300;
    auto wrong = std::atomic<int>{0};
    {
        auto taker = std::jthread([&] {
            for (std::uint32_t round = 1; round <= rounds; ++round) {
                const auto came = two.runtime.run(two.owner.next_notification(10s));
                if (!came || came->text != std::to_string(round)) {
                    ++wrong;
                    return;
                }
                auto number = std::uint32_t{0};
                std::memcpy(&number, two.memory.data() + came->offset, sizeof number);
                if (number != round) ++wrong;
            }
        });
        for (std::uint32_t round = 1; round <= rounds; ++round) {
            auto number = round;
            const auto bytes = std::as_bytes(std::span(&number, 1));
            const auto at = round * 64ULL;
            const auto written = two.runtime.run(
                two.user.write_and_notify(bytes, two.segment, at, std::to_string(round), {.deadline = 10s}));
            REQUIRE(written.has_value());
            CHECK(written->bytes == sizeof number);
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("notification: several who wait are called one each, and who gives up costs nobody his own") {
    auto two = Two<Local>();
    auto taken = std::atomic<int>{0}, gave_up = std::atomic<int>{0};
    {
        auto takers = std::vector<std::jthread>();
        for (auto i = 0; i < 8; ++i)
            takers.emplace_back([&, i] {
                for (auto round = 0; round < 50;) {
                    const auto patience = i % 2 == 0 ? Deadline(200us) : Deadline(10s);
                    const auto came = two.runtime.run(two.owner.next_notification(patience));
                    if (came && came->text == "end") return;
                    if (came) ++taken, ++round;
                    else ++gave_up;
                }
            });
        for (auto i = 0; i < 200; ++i) REQUIRE(two.runtime.run(two.user.notify(two.segment, 0, 1, "x", 0, 10s)));
        while (taken < 200) std::this_thread::yield();
        for (auto i = 0; i < 8; ++i) REQUIRE(two.runtime.run(two.user.notify(two.segment, 0, 1, "end", 0, 10s)));
    }
    CHECK(taken == 200);
}

TEST_CASE("notification: over shared memory alone there is no way to say anything") {
    auto two = Two<ShmOnlyTraits>();
    const auto said = two.runtime.run(two.user.notify(two.segment, 0, 1, "x", 0, 10s));
    CHECK(said.error() == Errc::not_supported);
    CHECK(said.error().message().find("tcp and loopback do") != std::string::npos);
}
