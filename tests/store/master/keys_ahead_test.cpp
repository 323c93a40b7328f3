// labels: unit
#include <mooncake/store/master/keys_ahead.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;
using namespace mooncake::store::detail;

TEST_CASE("keys ahead: each is given as it is, in order, however many there are, whatever is there of them") {
    auto shards = Shards();
    auto objects = std::vector<std::unique_ptr<Object>>();
    for (std::uint64_t i = 0; i < 100; i += 3) {
        const auto key = "a key that is longer than a short string " + std::to_string(i);
        objects.emplace_back(new (key) Object{.hash = hash_text(key),
                                              .key_bytes = Object::bytes_of(key),
                                              .size = 1,
                                              .version = i + 1,
                                              .pin = {},
                                              .write_deadline = {}});
        shards.of(objects.back()->hash).insert(*objects.back());
    }
    for (std::size_t count = 0; count <= 100; ++count) {
        CAPTURE(count);
        auto texts = std::vector<std::string>();
        for (std::size_t i = 0; i < count; ++i)
            texts.push_back("a key that is longer than a short string " + std::to_string(i));
        auto keys = keys_ahead(shards, texts);
        for (std::size_t i = 0; i < count; ++i) {
            const auto key = keys.take(i);
            REQUIRE(key.text == texts[i]);
            REQUIRE(key.hash == hash_text(texts[i]));
            REQUIRE((shards.of(key.hash).find(key) != nullptr) == (i % 3 == 0));
        }
    }
}

TEST_CASE("keys ahead: batches of every size are put, found, asked for and removed, the same key twice among them") {
    auto f = MasterFixture(1'000);
    for (std::size_t count = 1; count <= 70; ++count) {
        CAPTURE(count);
        auto start = PutStart();
        for (std::size_t i = 0; i < count; ++i)
            start.keys.push_back(std::to_string(count) + "/" +
                                 std::to_string(i - i % 5 / 4)); // the fifth is the fourth
        start.sizes.assign(count, block);
        const auto space = f.master.handle(start).value();
        auto end = PutEnd();
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(space.objects[i].outcome == (i % 5 == 4 ? Errc::being_written : Errc::ok));
            if (i % 5 != 4)
                end.objects.push_back({.key = start.keys[i], .version = space.objects[i].version, .checksums = {7}});
        }
        for (const auto outcome : f.master.handle(end).value().outcomes) REQUIRE(outcome == Errc::ok);
        const auto got = f.master.handle(store::Get{.keys = start.keys}).value();
        for (std::size_t i = 0; i < count; ++i) REQUIRE(got.objects[i].version == space.objects[i - i % 5 / 4].version);
        REQUIRE(f.master.handle(store::Release{{got.lease}}).has_value());
        for (const auto outcome : f.master.handle(store::Query{.keys = start.keys}).value().outcomes)
            REQUIRE(outcome == Errc::ok);
        for (const auto& object : end.objects) REQUIRE(f.remove(object.key) == Errc::ok);
    }
    CHECK(f.master.stats().used_bytes == 0);
}
