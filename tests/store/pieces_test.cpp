// labels: io coroutine
#include <mooncake/store/store.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::pattern;

namespace {

/// `value` in pieces of random sizes, some of them empty.
template <class Piece, class Bytes>
std::vector<Piece> cut(Bytes& value, std::mt19937_64& random) {
    auto pieces = std::vector<Piece>();
    for (auto rest = Piece(value); !rest.empty();) {
        const auto size = std::min<std::size_t>(rest.size(), random() % 3 == 0 ? random() % 3 : random() % 200'000);
        pieces.push_back(rest.first(size));
        rest = rest.subspan(size);
    }
    return pieces;
}

struct Fixture : mooncake::test::EmbeddedFixture {
    /// Changes a byte of what is stored under `key`, behind everybody's back.
    void damage(const std::string& key, std::size_t at) {
        auto view = run(store.view(key)).value();
        const_cast<std::byte&>(view.bytes()[at]) ^= std::byte{1};
    }
};

RangeOptions always() { return {.verify = Verify::always}; }

} // namespace

TEST_CASE("store: what is put in pieces is one object, and what is read into pieces is all of it") {
    auto f = Fixture();
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        const auto value = pattern(random() % 900'000, static_cast<unsigned>(seed));
        const auto pieces = cut<ConstBytes>(value, random);
        const auto key = "k" + std::to_string(seed);
        const auto put = f.run(f.store.put_gathered(key, pieces));
        REQUIRE_MESSAGE(put.has_value(), (put ? "" : put.error().message()));
        CHECK(put->stored());
        CHECK(f.run(f.store.get(key)).value() == value); // its checksums are those of one piece
        auto into = std::vector<std::byte>(value.size() + random() % 100, std::byte{0xee});
        const auto places = cut<MutableBytes>(into, random);
        for (const auto options : {RangeOptions(), always()}) {
            std::ranges::fill(into, std::byte{0xee});
            const auto size = f.run(f.store.get_scattered(key, places, options));
            REQUIRE_MESSAGE(size.has_value(), (size ? "" : size.error().message()));
            CHECK(*size == value.size());
            CHECK(std::equal(value.begin(), value.end(), into.begin()));
            CHECK(std::all_of(into.begin() + static_cast<std::ptrdiff_t>(value.size()), into.end(),
                              [](std::byte b) { return b == std::byte{0xee}; }));
        }
    }
    CHECK(f.run(f.store.put_gathered("nothing", {})).value().stored());
    CHECK(f.run(f.store.get("nothing")).value().empty());
}

TEST_CASE("store: any part of an object is read, and one beyond its end is said to be so") {
    auto f = Fixture();
    const auto value = pattern(700'000);
    REQUIRE(f.run(f.store.put("k", value)).has_value());
    auto random = std::mt19937_64(7);
    for (int i = 0; i < 200; ++i) {
        const auto offset = i % 10 == 0 ? (i / 10 % 3) * 262'144 : random() % (value.size() + 1);
        const auto size = std::min<std::size_t>(value.size() - offset, i % 7 == 0 ? 262'144 : random() % 300'000);
        auto into = std::vector<std::byte>(size);
        const auto read = f.run(f.store.get_range("k", offset, into, i % 2 == 0 ? always() : RangeOptions()));
        REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message()));
        CHECK(*read == value.size());
        CHECK(std::equal(into.begin(), into.end(), value.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
    auto into = std::vector<std::byte>(10);
    const auto beyond = f.run(f.store.get_range("k", 699'991, into));
    REQUIRE(beyond.has_error());
    CHECK(beyond.error() == Errc::out_of_range);
    CHECK(beyond.error().context() == "object 'k': 10 bytes from 699991 on are wanted, and it has 700000");
    CHECK(f.run(f.store.get_range("k", ~std::uint64_t{0} - 3, into)).error() == Errc::out_of_range);
    CHECK(f.run(f.store.get_range("other", 0, into)).error() == Errc::not_found);
    const auto half = MutableBytes(into);
    const auto small = f.run(f.store.get_scattered("k", std::span(&half, 1)));
    REQUIRE(small.has_error());
    CHECK(small.error() == Errc::too_large);
    CHECK(small.error().context() == "object 'k': it has 700000 bytes, and the memory for it 10");
    CHECK(f.run(f.store.statistics()).value().leases == 0);
}

TEST_CASE("store: a part that was changed is found out where it is compared, and only by who reads its chunk") {
    auto f = Fixture();
    const auto value = pattern(700'000);
    REQUIRE(f.run(f.store.put("k", value)).has_value());
    f.damage("k", 300'000); // in the second of its three chunks
    auto into = std::vector<std::byte>(100);
    CHECK(f.run(f.store.get_range("k", 0, into, always())).has_value());
    CHECK(f.run(f.store.get_range("k", 600'000, into, always())).has_value());
    CHECK(f.run(f.store.get_range("k", 262'144, into)).has_value()); // in memory, under a lease: not compared
    const auto wrong = f.run(f.store.get_range("k", 262'144, into, always()));
    REQUIRE(wrong.has_error());
    CHECK(wrong.error() == Errc::corrupt);
    CHECK(f.run(f.store.get("k")).error() == Errc::lost); // it was reported
}
