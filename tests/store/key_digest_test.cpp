// labels: unit coroutine
#include <mooncake/store/key_digest.hpp>
#include <mooncake/store/store.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace mooncake;

TEST_CASE("key digest: it is the sixteen bytes of its numbers, and the numbers are XXH3-128's") {
    const auto digest = KeyDigest{.low = 0x0807060504030201, .high = 0x100f0e0d0c0b0a09};
    CHECK(std::string_view(digest) == "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10");
    CHECK(digest_of({}) ==
          KeyDigest{.low = 0x6001c324468d497f, .high = 0x99aa06d3014798d8}); // as xxHash's sanity test has it
}

TEST_CASE("key digest: a block behind another prefix is another block") {
    const auto a = digest_of(bytes_of("a")), b = digest_of(bytes_of("b"));
    auto all = std::set<KeyDigest>{a, b};
    all.insert(digest_behind({}, bytes_of("a")));
    all.insert(digest_behind(a, bytes_of("a")));
    all.insert(digest_behind(b, bytes_of("a")));
    all.insert(digest_behind(a, bytes_of("b")));
    all.insert(digest_behind(digest_behind(a, bytes_of("b")), bytes_of("a")));
    CHECK(all.size() == 7);
    CHECK(digest_behind(a, bytes_of("b")) == digest_behind(digest_of(bytes_of("a")), bytes_of("b")));
}

TEST_CASE("key digest: it is a key wherever one is taken, zeros and all, also in lists") {
    auto f = test::EmbeddedFixture();
    const auto zeros = KeyDigest();
    auto digests = std::vector<KeyDigest>{zeros};
    for (const auto* text : {"a", "b", "c"}) digests.push_back(digest_of(bytes_of(text)));
    for (const auto& digest : digests) REQUIRE(f.run(f.store.put(digest, bytes_of("value"))).value().stored());
    CHECK(f.run(f.store.get(digest_of(bytes_of("a")))).has_value()); // a temporary: the task has its own copy
    CHECK(f.run(f.store.view(zeros)).value().text() == "value");
    CHECK(f.run(f.store.exists(std::string(16, '\0'))).has_value()); // the same key, in other words
    const auto keys = std::vector<std::string_view>(digests.begin(), digests.end());
    CHECK(f.run(f.store.exists_batch(keys)).value() == std::vector(4, Errc::ok));
    const auto child = digest_behind(digests[1], bytes_of("d"));
    CHECK(f.run(f.store.put(child, bytes_of("value"), {.parent = std::string_view(digests[1])})).value().stored());
    CHECK(f.run(f.store.remove(child)).has_value());
    CHECK(f.run(f.store.get(child)).error() == Errc::not_found);
}
