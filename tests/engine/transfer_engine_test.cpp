// labels: io
#include <mooncake/core/combine.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/engine/transfer_engine.hpp>

#include "pair.hpp"

#include <chrono>
#include <thread>

using namespace mooncake;
using namespace mooncake::test;

TEST_CASE("engine: the cheapest way is taken, and the next one when it fails") {
    auto pair = EnginePair();
    const auto region = pair.arena(4 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(3 * MiB + 5);
    const auto over = [&](std::string_view transport) {
        CAPTURE(std::string(transport));
        testing::fill(memory, transport.size());
        const auto written = pair.runtime.run(pair.user.write(memory, segment, region->offset + 7, {.deadline = 10s}));
        REQUIRE(written.has_value());
        CHECK(written->transport == transport);
        CHECK(written->bytes == memory.size());
        CHECK(testing::same(memory, region->bytes.subspan(7, memory.size())));
        std::fill(memory.begin(), memory.end(), std::byte{});
        const auto read = pair.runtime.run(
            pair.user.read(memory, segment, region->offset + 7, {.deadline = 10s, .digest = Digest::xxh3}));
        REQUIRE(read.has_value());
        CHECK(read->transport == transport);
        CHECK(testing::same(memory, region->bytes.subspan(7, memory.size())));
        CHECK(read->checksums == chunk_checksums(memory));
    };
    over("loopback");
    pair.loopback.set(pair.failing());
    over("shm");
    pair.shm.set(pair.failing());
    over("tcp");
    pair.tcp.set(pair.failing());
    const auto failed = pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s}));
    CHECK(failed.error() == Errc::injected_fault);
    CHECK(failed.error().message().find("chosen to fail") != std::string::npos);
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) control->set({});
    CHECK(pair.runtime.run(pair.user.read(memory, segment, region->offset)).has_value());
    for (const auto& statistics : pair.user.statistics()) {
        const auto reads = statistics.name == "loopback" ? 2U : 1U;
        CHECK(statistics.read_bytes == reads * memory.size());
        CHECK(statistics.written_bytes == memory.size());
        CHECK(statistics.failures > 0);
    }
}

TEST_CASE("engine: writes of an epoch that was fenced are refused, whichever way they go, and later ones are not") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    const auto bytes = std::vector<std::byte>(1000, std::byte{5});
    const auto write = [&](std::uint64_t epoch) {
        auto batch = pair.user.batch();
        batch.write(bytes, segment, region->offset, 0, epoch);
        return pair.runtime.run(batch.submit({.deadline = 10s})).value().requests.front().outcome;
    };
    const auto fenced = [&](std::uint64_t epoch) {
        for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(1ms))
            if (pair.owner.fence(region->offset, bytes.size(), epoch)) return true;
        return false;
    };
    auto epoch = std::uint64_t{10};
    for (auto* way : {&pair.loopback, &pair.shm, &pair.tcp}) {
        CAPTURE(epoch);
        CHECK(write(epoch) == Errc::ok);
        CHECK(fenced(epoch));
        CHECK(write(epoch) == Errc::stale_epoch);
        CHECK(write(epoch - 1) == Errc::stale_epoch);
        CHECK(write(epoch + 1) == Errc::ok);
        way->set(pair.failing());
        epoch += 10;
    }
}

TEST_CASE("engine: a name that a locator cannot hold is refused with a sentence") {
    auto runtime = Runtime({.threads = 1});
    for (const auto& name : {std::string(257, 'n'), std::string("a@b")})
        CHECK_THROWS_WITH_AS(TransferEngine<>(runtime, {.name = name}),
                             doctest::Contains("EngineConfig::name is longer than 256 bytes or holds an '@'"),
                             boost::system::system_error);
    CHECK_NOTHROW(TransferEngine<>(runtime, {.name = std::string(256, 'n')}));
}

TEST_CASE("engine: a way that fails once is tried again") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(1000);
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) control->set({.fail_nth = 1});
    const auto read = pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s}));
    REQUIRE(read.has_value());
    CHECK(read->bytes == 1000);
}

TEST_CASE("engine: a way that says nothing costs one operation a moment, and the next way carries on") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(64 * KiB);
    pair.loopback.set(pair.failing());
    pair.shm.set({.drop = 1});
    const auto read = [&] {
        return pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s}));
    };
    const auto begun = SteadyClock{}.now();
    const auto first = read();
    REQUIRE(first.has_value());
    CHECK(first->transport == "tcp");
    CHECK(SteadyClock{}.now() - begun < 5s);
    const auto asked = pair.shm.groups();
    CHECK(read()->transport == "tcp");
    CHECK(pair.shm.groups() == asked); // it rests
    pair.shm.set({});
    auto transport = std::string_view("tcp");
    for (const auto until = Deadline(10s); transport != "shm" && !until.passed(); std::this_thread::sleep_for(10ms))
        transport = read()->transport;
    CHECK(transport == "shm");
}

TEST_CASE("engine: an operation with little time gets there too, past a way that says nothing") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(1'000);
    pair.loopback.set(pair.failing());
    REQUIRE(pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s})).has_value());
    pair.shm.set({.drop = 1});
    const auto read = pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 300ms}));
    REQUIRE(read.has_value());
    CHECK(read->transport == "tcp");
}

TEST_CASE("engine: an operation that is cancelled while it looks whether a way is back has not found it so") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(1'000);
    pair.loopback.set(pair.failing());
    pair.shm.set({.drop = 1});
    const auto read = [&] { return pair.user.read(memory, segment, region->offset, {.deadline = 10s}); };
    REQUIRE(pair.runtime.run(read())->transport == "tcp");
    std::this_thread::sleep_for(600ms); // it has rested
    pair.shm.set({.drop = 1});
    CHECK(pair.runtime.run(with_deadline(read(), 20ms)).error() == Errc::timed_out);
    CHECK(pair.shm.groups() == 1);
    CHECK(pair.runtime.run(read())->transport == "tcp");
    CHECK(pair.shm.groups() == 1);
}

TEST_CASE("engine: while one operation looks whether a way is back, the others go another way") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    pair.loopback.set(pair.failing());
    pair.shm.set({.drop = 1});
    auto memory = std::vector<std::byte>(8 * 100);
    const auto read = [&](std::size_t i) {
        return pair.user.read(std::span(memory).subspan(100 * i, 100), segment, region->offset, {.deadline = 10s});
    };
    REQUIRE(pair.runtime.run(read(0)).has_value());
    std::this_thread::sleep_for(600ms); // it has rested
    pair.shm.set({.drop = 1});
    auto reads = std::vector<Task<TransferReport>>();
    for (std::size_t i = 0; i < 8; ++i) reads.push_back(read(i));
    const auto all = [](std::vector<Task<TransferReport>> tasks) -> Task<std::size_t> {
        auto fine = std::size_t{0};
        const auto results = co_await all_settled(std::move(tasks));
        for (const auto& result : results) fine += result.has_value() ? 1U : 0U;
        co_return fine;
    };
    CHECK(pair.runtime.run(all(std::move(reads))).value() == 8);
    CHECK(pair.shm.groups() == 1);
}

TEST_CASE("engine: a way that failed comes last until it has rested") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(100);
    pair.loopback.set({.fail_nth = 1});
    const auto read = [&] {
        return pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s}));
    };
    CHECK(read()->transport == "shm");
    CHECK(read()->transport == "shm"); // although loopback would do by now
    CHECK(pair.loopback.groups() == 1);
    std::this_thread::sleep_for(600ms);
    CHECK(read()->transport == "loopback");
}

TEST_CASE("engine: no further round begins after the deadline") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(100);
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) control->set({.delay = 3ms, .fail_from_nth = 1});
    CHECK(pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10ms})).has_error());
    CHECK(pair.loopback.groups() == 1);
}

TEST_CASE("engine: memory of the user's own goes over shm, too, and over tcp where that cannot be") {
    auto pair = EnginePair();
    pair.loopback.set(pair.failing());
    auto own = std::vector<std::byte>(100'000);
    auto region = pair.runtime.run(pair.owner.register_memory(own, Rights::read_write));
    REQUIRE(region.has_value());
    const auto segment = pair.open();
    auto way = std::string("shm");
    SUBCASE("shm") {}
    SUBCASE("tcp") {
        pair.shm.set(pair.failing());
        way = "tcp";
    }
    auto memory = std::vector<std::byte>(own.size());
    testing::fill(memory, 5);
    const auto written = pair.runtime.run(pair.user.write(memory, segment, (*region)->offset, {.deadline = 10s}));
    REQUIRE(written.has_value());
    CHECK(written->transport == way);
    CHECK(testing::same(memory, own));
    CHECK(pair.runtime.run(pair.owner.unregister(std::move(*region), 10s)).has_value());
    CHECK(pair.runtime.run(pair.user.read(memory, segment, 0, {.deadline = 10s})).error() == Errc::out_of_range);
}

TEST_CASE("engine: refusals are final, and say what they are") {
    auto pair = EnginePair();
    const auto open_to_all = pair.arena(1 * MiB), readable = pair.arena(1 * MiB, Rights::read);
    const auto secret = pair.arena(1 * MiB, Rights::read_write, KeySharing::secret);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(1000);
    const auto write = [&](std::uint64_t offset) {
        const auto result = pair.runtime.run(pair.user.write(memory, segment, offset));
        return result ? Errc::ok : result.error().code();
    };
    const auto read = [&](std::uint64_t offset) {
        const auto result = pair.runtime.run(pair.user.read(memory, segment, offset));
        return result ? Errc::ok : result.error().code();
    };
    CHECK(write(open_to_all->offset) == Errc::ok);
    CHECK(write(readable->offset) == Errc::access_denied);
    CHECK(read(readable->offset) == Errc::ok);
    CHECK(read(secret->offset) == Errc::access_denied);
    CHECK(write(secret->offset) == Errc::access_denied);
    CHECK(read(~0ULL - 500) == Errc::out_of_range);
    CHECK(read(~0ULL) == Errc::out_of_range);
    auto batch = pair.user.batch();
    batch.read(memory, segment, secret->offset, secret->keys.read);
    CHECK(pair.runtime.run(batch.submit()).value().all_ok());
    for (const auto& statistics : pair.user.statistics()) CHECK(statistics.failures == 0);
    pair.loopback.set(EnginePair::failing());
    CHECK(write(readable->offset) == Errc::access_denied); // the way that answered, not the one that failed before it
}

TEST_CASE("engine: a name that another engine holds is not taken") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    auto thief = Engine(pair.runtime, pair.config("owner"));
    auto own = std::vector<std::byte>(100);
    const auto refused = pair.runtime.run(thief.register_memory(own, Rights::read_write));
    CHECK(refused.error() == Errc::conflict);
    CHECK(refused.error().message().find("'owner'") != std::string::npos);
    CHECK(pair.open().generation() == pair.owner.generation());
    pair.runtime.run(thief.close());
    CHECK(pair.open().generation() == pair.owner.generation()); // its closing did not remove the record of the other
}

TEST_CASE("engine: a registration that could not be published leaves nothing behind") {
    auto pair = EnginePair();
    (void)pair.arena(1 * MiB);
    auto heir = Engine(pair.runtime, pair.config("owner"));
    auto arena = Arena::create({.bytes = 1 * MiB, .pages = PageKind::plain, .prefault_threads = 1}).value();
    const auto watched = std::weak_ptr<Arena>(arena);
    CHECK(pair.runtime.run(heir.register_arena(std::move(arena), Rights::read)).error() == Errc::conflict);
    CHECK(testing::expires(watched)); // no region holds it
    pair.runtime.run(pair.owner.close());
    auto own = std::vector<std::byte>(100);
    REQUIRE(pair.runtime.run(heir.register_memory(own, Rights::read_write)).has_value());
    CHECK(pair.open().record().buffers.size() == 1);
    pair.runtime.run(heir.close());
}

TEST_CASE("engine: every call of a closed one is closed, and says so in a sentence") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    const auto segment = pair.open();
    auto memory = std::vector<std::byte>(100);
    auto arena = Arena::create({.bytes = 1 * MiB, .pages = PageKind::plain, .prefault_threads = 1}).value();
    pair.runtime.run(pair.user.close());
    const auto is_closed = [](std::string_view call, const auto& result) {
        CAPTURE(std::string(call));
        REQUIRE(result.has_error());
        CHECK_MESSAGE(result.error() == Errc::closed, result.error().message());
        CHECK_FALSE(result.error().context().empty());
    };
    auto& engine = pair.user;
    auto batch = engine.batch();
    batch.read(memory, segment, region->offset);
    is_closed("submit", pair.runtime.run(batch.submit()));
    is_closed("read", pair.runtime.run(engine.read(memory, segment, region->offset)));
    is_closed("write", pair.runtime.run(engine.write(memory, segment, region->offset)));
    is_closed("map", pair.runtime.run(engine.map(segment, region->offset, 1, Direction::read)));
    is_closed("open", pair.runtime.run(engine.open("owner", 10s)));
    is_closed("register_memory", pair.runtime.run(engine.register_memory(memory, Rights::read)));
    is_closed("register_arena", pair.runtime.run(engine.register_arena(std::move(arena), Rights::read)));
    is_closed("unregister", pair.runtime.run(engine.unregister(region)));
}

TEST_CASE("engine: one whose life is without incident says nothing, and takes its record along") {
    auto pair = EnginePair();
    auto said = std::string();
    auto config = pair.config("brief");
    config.log = Log([&said](Severity, std::string_view sentence) { said += sentence; });
    auto brief = Engine(pair.runtime, std::move(config));
    auto own = std::vector<std::byte>(100);
    REQUIRE(pair.runtime.run(brief.register_memory(own, Rights::read)).has_value());
    CHECK(pair.runtime.run(pair.metadata->get("brief", Deadline())).has_value());
    pair.runtime.run(brief.close());
    CHECK(pair.runtime.run(pair.metadata->get("brief", Deadline())).error() == Errc::not_found);
    CHECK(said.empty());
}

TEST_CASE("engine: registrations that wait for each other are written together") {
    auto pair = EnginePair();
    constexpr std::size_t many = 5'000;
    auto memory = std::vector<std::byte>(4096);
    auto tasks = std::vector<Task<RegionPin>>();
    for (std::size_t i = 0; i < many; ++i) tasks.push_back(pair.owner.register_memory(memory, Rights::read));
    const auto all = [](std::vector<Task<RegionPin>> waiting) -> Task<std::size_t> {
        auto fine = std::size_t{0};
        const auto results = co_await all_settled(std::move(waiting));
        for (const auto& result : results) fine += result.has_value() ? 1U : 0U;
        co_return fine;
    };
    const auto begun = SteadyClock{}.now();
    CHECK(pair.runtime.run(all(std::move(tasks))).value() == many);
    MESSAGE(many, " registrations in ", std::chrono::duration<double, std::milli>(SteadyClock{}.now() - begun).count(),
            " ms");
    CHECK(pair.open().record().buffers.size() == many);
    const auto document = pair.runtime.run(pair.metadata->get("owner", Deadline(10s)));
    REQUIRE(document.has_value());
    CHECK(document->version < many / 10); // of each write
}

TEST_CASE("engine: registrations that were written together fail together") {
    auto pair = EnginePair();
    (void)pair.arena(1 * MiB);
    auto heir = Engine(pair.runtime, pair.config("owner")); // somebody else's name
    auto memory = std::vector<std::byte>(4096);
    auto tasks = std::vector<Task<RegionPin>>();
    for (int i = 0; i < 20; ++i) tasks.push_back(heir.register_memory(memory, Rights::read));
    const auto all = [](std::vector<Task<RegionPin>> waiting) -> Task<int> {
        auto conflicts = 0;
        const auto results = co_await all_settled(std::move(waiting));
        for (const auto& result : results) conflicts += result.has_error() && result.error() == Errc::conflict ? 1 : 0;
        co_return conflicts;
    };
    CHECK(pair.runtime.run(all(std::move(tasks))).value() == 20);
    pair.runtime.run(heir.close());
}

TEST_CASE("engine: many registrations at once all get into the record") {
    auto pair = EnginePair();
    constexpr int threads = 4, each = 25;
    auto memory = std::vector<std::byte>(4096);
    auto failures = std::atomic<int>{0};
    auto mutex = std::mutex();
    auto regions = std::vector<RegionPin>();
    {
        auto workers = std::vector<std::jthread>();
        for (int i = 0; i < threads; ++i)
            workers.emplace_back([&, i] {
                for (int k = 0; k < each; ++k) {
                    auto region = sync_wait(pair.runtime.executor(static_cast<std::size_t>(i)),
                                            pair.owner.register_memory(memory, Rights::read));
                    failures += !region;
                    const auto lock = std::lock_guard(mutex);
                    if (region) regions.push_back(std::move(*region));
                }
            });
    }
    CHECK(failures == 0);
    CHECK(pair.open().record().buffers.size() == threads * each);
    while (!regions.empty()) {
        auto region = std::move(regions.back());
        regions.pop_back();
        REQUIRE(pair.runtime.run(pair.owner.unregister(std::move(region), 10s)).has_value());
    }
    CHECK(pair.open().record().buffers.empty());
}

TEST_CASE("engine: unregister waits until no peer uses the region") {
    auto pair = EnginePair();
    auto user = TransferEngine<ShmOnlyTraits>(pair.runtime, {.name = "sharing", .metadata = pair.metadata});
    auto region = pair.arena(1 * MiB);
    const auto segment = pair.runtime.run(user.open("owner")).value();
    auto window = pair.runtime.run(user.map(segment, region->offset, 1000, Direction::read));
    REQUIRE(window.has_value());
    auto watched = std::weak_ptr<const Arena>(region->arena);
    CHECK(pair.runtime.run(pair.owner.unregister(std::move(region), 100ms)).error() == Errc::timed_out);
    CHECK(testing::untouched({window->bytes, 1000}, std::byte{})); // still there
    CHECK_FALSE(watched.expired());
    window->hold.reset();
    CHECK(testing::expires(watched));
    // And when peers answer at once, it takes no longer than that.
    auto quick = pair.arena(1 * MiB);
    auto memory = std::vector<std::byte>(1000);
    const auto again = pair.runtime.run(user.open("owner")).value();
    CHECK(pair.runtime.run(user.read(memory, again, quick->offset)).value().transport == "shm");
    CHECK(pair.runtime.run(pair.owner.unregister(std::move(quick), 10s)).has_value());
}

TEST_CASE("engine: records that are garbage, or of somebody far away, are said to be") {
    auto pair = EnginePair();
    CHECK(pair.runtime.run(pair.user.open("nobody")).error() == Errc::not_found);
    for (const auto* garbage : {"\xff\xff\xff\xff", "garbage", "\x01"}) {
        CHECK(pair.runtime.run(pair.metadata->put("garbage", garbage, {})).has_value());
        const auto opened = pair.runtime.run(pair.user.open("garbage"));
        CHECK(opened.error() == Errc::protocol_error);
    }
    const auto far = SegmentRecord{
        .name = "far", .generation = 1, .endpoints = {{"rdma", "mlx5_0"}, {"loopback", "77"}, {"tcp", "no address"}}};
    CHECK(pair.runtime.run(pair.metadata->put("far", encode(far), {})).has_value());
    const auto opened = pair.runtime.run(pair.user.open("far"));
    CHECK(opened.error() == Errc::no_path);
    CHECK(opened.error().message().find("rdma") != std::string::npos);
    CHECK(opened.error().message().find("shm") != std::string::npos);
}

TEST_CASE("engine: a segment that was restarted is stale, by whatever way") {
    auto pair = EnginePair();
    const auto region = pair.arena(1 * MiB);
    auto record = pair.open().record();
    record.generation += 1;
    CHECK(pair.runtime.run(pair.metadata->put("stale", encode(record), {})).has_value());
    auto memory = std::vector<std::byte>(100);
    for (auto* control : {&pair.loopback, &pair.shm, &pair.tcp}) {
        const auto segment = pair.runtime.run(pair.user.open("stale")).value();
        const auto read = pair.runtime.run(pair.user.read(memory, segment, region->offset, {.deadline = 10s}));
        CHECK(read.error() == Errc::stale_generation);
        control->set(pair.failing());
    }
}
