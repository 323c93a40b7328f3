// labels: io coroutine concurrent
#include <mooncake/store/store.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;

namespace {

std::vector<std::byte> filled(std::size_t bytes, unsigned with) {
    return std::vector<std::byte>(bytes, static_cast<std::byte>(with));
}

using Fixture = mooncake::test::EmbeddedFixture;

/// A counter, incremented as anybody would who has no lock: read, and put one more if nobody else did.
Task<int> count(EmbeddedStore<>& store, int times) {
    auto conflicts = 0;
    for (auto done = 0; done < times;) {
        auto view = co_await store.view("counter");
        if (!view) co_return view.error();
        auto number = std::uint64_t{0};
        std::memcpy(&number, view->bytes().data(), sizeof(number));
        const auto version = view->version();
        view = View();
        ++number;
        const auto put =
            co_await store.compare_and_put("counter", version, std::as_bytes(std::span(&number, 1)), {.deadline = 20s});
        if (put) ++done;
        else if (put.error() == Errc::conflict || put.error() == Errc::being_written) ++conflicts;
        else co_return put.error();
    }
    co_return conflicts;
}

/// Whether each of `times` reads of `key`, while it is replaced, is one value and not parts of two; and never an older one than
/// the read before.
Task<void> read_whole(EmbeddedStore<>& store, int times) {
    auto into = std::vector<std::byte>(300'000);
    auto last = std::uint64_t{0};
    for (auto i = 0; i < times; ++i) {
        const auto item = GetItem{.key = "value", .into = into};
        const auto got = co_await store.get_batch(std::span(&item, 1), {.deadline = 20s});
        if (!got) co_return got.error();
        if (got->outcomes[0] != Errc::ok) co_return got->outcomes[0];
        const auto torn = std::any_of(into.begin(), into.end(), [&](std::byte b) { return b != into.front(); });
        if (torn || got->versions[0] < last) co_return Errc::corrupt;
        last = got->versions[0];
    }
    co_return ok;
}

Task<void> replace_often(EmbeddedStore<>& store, int times) {
    for (auto i = 0; i < times; ++i) {
        const auto value = filled(300'000, static_cast<unsigned>(i));
        const auto put = co_await store.upsert("value", value, {.deadline = 20s});
        if (!put) co_return put.error();
    }
    co_return ok;
}

} // namespace

TEST_CASE("store: an upsert replaces, and whoever looks at the old object finishes with it") {
    auto f = Fixture();
    const auto first = f.run(f.store.upsert("k", filled(1000, 1))).value(); // there was none
    CHECK(first.stored());
    CHECK(first.version != 0);
    {
        const auto old = f.run(f.store.view("k")).value();
        CHECK(old.version() == first.version);
        const auto second = f.run(f.store.upsert("k", filled(2000, 2))).value();
        CHECK(second.version > first.version);
        CHECK(f.run(f.store.get("k")).value() == filled(2000, 2));
        CHECK(f.run(f.store.view("k")).value().version() == second.version);
        CHECK(std::ranges::equal(old.bytes(), filled(1000, 1)));
        CHECK(old.valid());
        CHECK(f.run(f.store.statistics()).value().quarantined_bytes == 1000);
        const auto kept = f.run(f.store.put("k", filled(10, 3))).value(); // a put replaces nothing
        CHECK_FALSE(kept.stored());
        CHECK(kept.version == second.version);
    }
    CHECK(f.run(f.store.remove("k", store::RemoveMode::force)).has_value());
    const auto after = f.run(f.store.statistics()).value();
    CHECK(after.used_bytes == 0);
    CHECK(after.objects == 0);
}

TEST_CASE("store: compare_and_put replaces what was seen and nothing else, and says what is there") {
    auto f = Fixture();
    const auto first = f.run(f.store.compare_and_put("k", 0, filled(10, 1))).value();
    CHECK(first.stored());
    const auto again = f.run(f.store.compare_and_put("k", 0, filled(10, 2)));
    REQUIRE(again.has_error());
    CHECK(again.error() == Errc::conflict);
    CHECK(again.error().context() == "object 'k': it is to replace nothing, and it has version " +
                                         std::to_string(first.version) + "; read it again, and decide anew");
    const auto second = f.run(f.store.compare_and_put("k", first.version, filled(10, 3))).value();
    const auto late = f.run(f.store.compare_and_put("k", first.version, filled(10, 4)));
    REQUIRE(late.has_error());
    CHECK(late.error().context() == "object 'k': it is to replace version " + std::to_string(first.version) +
                                        ", and it has version " + std::to_string(second.version) +
                                        "; read it again, and decide anew");
    CHECK(f.run(f.store.get("k")).value() == filled(10, 3));
    CHECK(f.run(f.store.remove("k", store::RemoveMode::force)).has_value());
    const auto gone = f.run(f.store.compare_and_put("k", second.version, filled(10, 5)));
    REQUIRE(gone.has_error());
    CHECK(gone.error().context() == "object 'k': it is to replace version " + std::to_string(second.version) +
                                        ", which is not there; read it again, and decide anew");
    CHECK(f.run(f.store.exists("k")).error() == Errc::not_found);
}

TEST_CASE("store: a batch compares each of its own, and tells the version of each") {
    auto f = Fixture();
    const auto value = filled(10, 1), other = filled(10, 2);
    const auto a = f.run(f.store.put("a", value)).value().version;
    const auto items = std::vector<PutItem>{{.key = "a", .value = other, .expected = a},
                                            {.key = "b", .value = other, .expected = 0},
                                            {.key = "c", .value = other, .expected = a},
                                            {.key = "a", .value = other, .expected = a}};
    const auto put = f.run(f.store.put_batch(items, {.mode = WriteMode::compare})).value();
    CHECK(put.outcomes == std::vector{Errc::ok, Errc::ok, Errc::conflict, Errc::being_written});
    CHECK(put.versions[0] > a);
    CHECK(put.versions[1] > put.versions[0]);
    CHECK(put.versions[2] == 0);
    auto into = filled(10, 0);
    const auto item = GetItem{.key = "a", .into = into};
    CHECK(f.run(f.store.get_batch(std::span(&item, 1))).value().versions == std::vector{put.versions[0]});
    CHECK(into == other);
    const auto upserts = std::vector<PutItem>{{.key = "a", .value = value}, {.key = "c", .value = value}};
    CHECK(f.run(f.store.put_batch(upserts, {.mode = WriteMode::upsert})).value().outcomes ==
          std::vector{Errc::ok, Errc::ok});
    CHECK(f.run(f.store.get("a")).value() == value);
}

TEST_CASE("store: where there is room for one, an upsert takes the place of the old, and comparing leaves it") {
    auto f = Fixture(64 * KiB);
    const auto first = f.run(f.store.put("k", filled(40'000, 1))).value();
    CHECK(f.run(f.store.upsert("k", filled(40'000, 2))).value().stored());
    CHECK(f.run(f.store.get("k")).value() == filled(40'000, 2));
    const auto now = f.run(f.store.put("k", filled(1, 1))).value().version;
    CHECK(now > first.version);
    CHECK(f.run(f.store.compare_and_put("k", now, filled(40'000, 3))).error() == Errc::no_space);
    CHECK(f.run(f.store.statistics()).value().used_bytes == 40'000);
    CHECK(f.run(f.store.get("k")).value() == filled(40'000, 2));
}

TEST_CASE("store: of increments by compare_and_put none is lost, whoever else increments") {
    constexpr auto counters = 4, times = 200;
    auto f = Fixture();
    const auto zero = std::uint64_t{0};
    REQUIRE(f.run(f.store.put("counter", std::as_bytes(std::span(&zero, 1)))).has_value());
    auto outcomes = std::vector<Result<int>>(counters, Errc::closed);
    auto threads = std::vector<std::jthread>();
    for (auto& outcome : outcomes) threads.emplace_back([&] { outcome = f.runtime.run(count(f.store, times)); });
    threads.clear();
    for (const auto& outcome : outcomes) CHECK_MESSAGE(outcome.has_value(), (outcome ? "" : outcome.error().message()));
    auto number = std::uint64_t{0};
    CHECK(f.run(f.store.get_into("counter", std::as_writable_bytes(std::span(&number, 1)))).has_value());
    CHECK(number == counters * times);
}

TEST_CASE("store: a key that is replaced all the time is read whole, and never older than before") {
    auto f = Fixture();
    REQUIRE(f.run(f.store.put("value", filled(300'000, 9))).has_value());
    auto read = Result<void>(Errc::closed), replaced = Result<void>(Errc::closed);
    auto threads = std::vector<std::jthread>();
    threads.emplace_back([&] { read = f.runtime.run(read_whole(f.store, 300)); });
    threads.emplace_back([&] { replaced = f.runtime.run(replace_often(f.store, 300)); });
    threads.clear();
    CHECK_MESSAGE(read.has_value(), (read ? "" : read.error().message()));
    CHECK_MESSAGE(replaced.has_value(), (replaced ? "" : replaced.error().message()));
}
