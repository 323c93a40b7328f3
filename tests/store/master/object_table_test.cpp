// labels: unit
#include <mooncake/store/master/object_table.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;

namespace {
std::unique_ptr<Object> object_of(const HashedKey& key) {
    return std::unique_ptr<Object>(new (key.text) Object{.hash = key.hash,
                                                         .key_bytes = Object::bytes_of(key.text),
                                                         .size = 1,
                                                         .version = 1,
                                                         .pin = store::Pin::none,
                                                         .write_deadline = {}});
}
} // namespace

TEST_CASE("object table: random use gives what std::unordered_map gives, also where hashes collide") {
    for (const std::uint64_t colliding : {0, 1}) {
        auto table = ObjectTable();
        auto objects = std::unordered_map<std::string, std::unique_ptr<Object>>();
        auto random = std::mt19937_64(colliding);
        for (int step = 0; step < 20'000; ++step) {
            const auto text = "key-" + std::to_string(random() % 3000);
            auto key = HashedKey(text);
            if (colliding != 0) key.hash %= 64 << ObjectTable::shard_bits;
            const auto found = objects.find(text);
            REQUIRE(table.find(key) == (found == objects.end() ? nullptr : found->second.get()));
            if (found == objects.end()) {
                auto object = object_of(key);
                table.insert(*object);
                objects.emplace(text, std::move(object));
            } else if (random() % 3 == 0) {
                table.erase(*found->second);
                objects.erase(found);
            }
            REQUIRE(table.size() == objects.size());
        }
        auto seen = std::set<std::string>();
        table.for_each([&](const Object& object) { CHECK(seen.insert(std::string(object.key())).second); });
        CHECK(seen.size() == objects.size());
    }
}

TEST_CASE("object table: the objects of one shard, whose lowest bits are alike, still spread") {
    auto table = ObjectTable();
    auto objects = std::vector<std::unique_ptr<Object>>();
    for (std::uint64_t i = 0; objects.size() < 4096; ++i) {
        const auto text = std::to_string(i);
        const auto key = HashedKey(text);
        if (key.hash % (1U << ObjectTable::shard_bits) != 5) continue;
        objects.push_back(object_of(key));
        table.insert(*objects.back());
    }
    auto hits = std::size_t{0};
    const auto begun = std::chrono::steady_clock::now();
    for (int round = 0; round < 20; ++round)
        for (const auto& object : objects) hits += table.find(HashedKey(object->key())) == object.get();
    CHECK(hits == 20 * objects.size());
    // A table that does not spread them looks at a thousand for each.
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2));
}

TEST_CASE("object table: what comes and goes for ever leaves nothing behind, and successors take places") {
    auto table = ObjectTable();
    auto random = std::mt19937_64(3);
    auto here = std::vector<std::unique_ptr<Object>>();
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const auto text = std::to_string(i);
        here.push_back(object_of(HashedKey(text)));
        table.insert(*here.back());
        if (here.size() <= 100) continue;
        auto& goes = here[random() % here.size()];
        auto heir = object_of(HashedKey(goes->key()));
        if (i % 2 == 0) table.insert(*heir); // as a successor
        if (i % 4 == 0) table.erase(*heir);  // which does not come
        table.erase(*goes);
        const auto key = HashedKey(goes->key());
        REQUIRE(table.find(key) == (i % 4 == 2 ? heir.get() : nullptr));
        if (i % 4 == 2) table.erase(*heir);
        std::swap(goes, here.back());
        here.pop_back();
        REQUIRE(table.size() == here.size());
    }
    auto seen = std::size_t{0};
    table.for_each([&](const Object&) { ++seen; });
    CHECK(seen == here.size());
    for (const auto& object : here) CHECK(table.find(HashedKey(object->key())) == object.get());
}
