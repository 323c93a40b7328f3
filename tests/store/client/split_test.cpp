// labels: unit
#include <mooncake/store/client/split.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::store::detail;

TEST_CASE("split: a message has at most so many keys, and at most so many bytes, but always one") {
    const auto sized = [](std::uint64_t bytes) { return [bytes](std::size_t) { return bytes; }; };
    CHECK(part_of(0, 100, sized(1)) == 0);
    CHECK(part_of(7, 100, sized(1)) == 7);
    CHECK(part_of(100, 100, sized(1)) == 100);
    CHECK(part_of(101, 100, sized(1)) == 100);
    CHECK(part_of(10, 100, sized(bytes_a_message)) == 1);
    CHECK(part_of(10, 100, sized(bytes_a_message / 2 - bytes_a_key)) == 2);
    CHECK(part_of(10, 100, sized(bytes_a_message / 2 - bytes_a_key + 1)) == 1);
    CHECK(part_of(10, 100, sized(bytes_a_message / 4)) == 3);
    // One that is large ends the part of the small ones before it.
    CHECK(part_of(10, 100, [](std::size_t i) { return i == 4 ? bytes_a_message : 1; }) == 4);
}

TEST_CASE("split: the parts of some keys are the keys, in order") {
    auto keys = std::vector<std::string>();
    for (std::size_t i = 0; i < 64; ++i) keys.emplace_back(200'000, static_cast<char>('0' + i));
    auto parts = KeyParts(keys, 1'000);
    auto joined = std::vector<std::string>();
    auto messages = 0;
    for (; !parts.over(); ++messages) {
        const auto part = parts.next();
        REQUIRE_FALSE(part.empty());
        joined.insert(joined.end(), part.begin(), part.end());
    }
    CHECK(joined == keys);
    CHECK(messages == 4); // of 20 keys, and one of 4
}

TEST_CASE("split: what comes with a key counts, the i-th of all keys and not of the part") {
    auto parts = KeyParts(std::vector<std::string>(5, "key"), 2);
    CHECK(parts.next().size() == 2);
    const auto large = [](std::size_t i) { return i == 3 ? bytes_a_message : 0; };
    CHECK(parts.next(large).size() == 1);
    CHECK(parts.next(large).size() == 1);
    CHECK(parts.next(large).size() == 1);
    CHECK(parts.over());
}

TEST_CASE("split: all keys are one part where they fit, and so are none") {
    auto all = KeyParts({"a", "b", "c"}, 3);
    CHECK(all.next() == std::vector<std::string>{"a", "b", "c"});
    CHECK(all.over());
    auto none = KeyParts({}, 3);
    CHECK(none.next().empty());
    CHECK(none.over());
}
