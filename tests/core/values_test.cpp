#include <mooncake/core/bytes.hpp>
#include <mooncake/core/clock.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/result.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

struct LacksNow {};
struct MayThrow {
    TimePoint now() const { return {}; }
};
struct OtherTime {
    int now() const noexcept { return 0; }
};
static_assert(!Clock<LacksNow>);
static_assert(!Clock<MayThrow>);
static_assert(!Clock<OtherTime>);

} // namespace

TEST_CASE("errc: every code has a name of its own, and travels") {
    auto names = std::set<std::string>();
    auto known = 0;
    for (std::uint32_t number = 0; number < 65'536; ++number) {
        const auto wire = static_cast<std::uint16_t>(number);
        if (to_string(static_cast<Errc>(wire)) == "unknown error") {
            REQUIRE(errc_from_wire(wire) == Errc::protocol_error);
            continue;
        }
        ++known;
        REQUIRE(errc_from_wire(wire) == static_cast<Errc>(wire));
        names.emplace(to_string(static_cast<Errc>(wire)));
    }
    CHECK(known == 32);
    CHECK(names.size() == 32);
    CHECK(static_cast<int>(Errc::conflict) == 60); // on the wire
    CHECK(make_error_code(Errc::timed_out).message() == "timed_out");
}

TEST_CASE("bytes: within cannot be fooled by numbers that overflow") {
    constexpr auto most = ~std::uint64_t{0};
    static_assert(within(0, 0, 0) && within(5, 0, 5) && within(0, most, most) && within(most, 0, most));
    static_assert(!within(1, most, most) && !within(most, 1, most) && !within(most, most, most) && !within(6, 0, 5));
    static_assert(round_up(0, 4096) == 0 && round_up(1, 4096) == 4096 && round_up(4096, 4096) == 4096);
    CHECK(text_of(bytes_of("abc")) == "abc");
}

TEST_CASE("deadline: a duration is from now, and never is never") {
    const auto now = SteadyClock{}.now();
    CHECK(Deadline().is_never());
    CHECK_FALSE(Deadline::never().passed(TimePoint::max() - 1ns));
    CHECK(Deadline(0ms).passed());
    CHECK(Deadline(-5s).passed());
    CHECK(Deadline(1h).at() >= now + 1h);
    CHECK(Deadline(std::chrono::hours::max()).is_never());
    CHECK(Deadline(Duration::max()).is_never());
    CHECK(Deadline(now).left(now) == 0ns);
    CHECK(Deadline(now + 5ns).left(now) == 5ns);
    CHECK(Deadline::never().left(now) == Duration::max());
    CHECK(Deadline(1s).or_sooner(2s) < Deadline(1500ms));
    CHECK(Deadline::never().or_sooner(Deadline(now)) == Deadline(now));
}

TEST_CASE("clock: copies of a manual clock share the hand") {
    auto clock = ManualClock();
    const auto copy = clock;
    const auto before = copy.now();
    clock.advance(3s);
    CHECK(copy.now() - before == 3s);
}

TEST_CASE("hash: the numbers are XXH3's, on every machine") {
    CHECK(hash_bytes({}) == 0x2d06800538d394c2ULL);
    CHECK(hash_text("abc") == 0x78af5f94892f3950ULL);
    CHECK(hash_text("abc", 1) != hash_text("abc"));
    CHECK(chunks_of(0) == 0);
    CHECK(chunks_of(checksum_chunk) == 1);
    CHECK(chunks_of(checksum_chunk + 1) == 2);
    CHECK(chunks_of(~std::uint64_t{0}) == (std::uint64_t{1} << 46));
    const auto text = std::string(checksum_chunk * 2 + 5, 'x');
    const auto sums = chunk_checksums(bytes_of(text));
    REQUIRE(sums.size() == 3);
    CHECK(sums[0] == sums[1]);
    CHECK(sums[2] == hash_text("xxxxx"));
}

TEST_CASE("hash: a block's key is of its whole prefix") {
    const auto a = std::vector<std::uint32_t>(512, 1), b = std::vector<std::uint32_t>(512, 2);
    auto first = PrefixHasher(), second = PrefixHasher(), seeded = PrefixHasher(9);
    CHECK(first.next(a) == second.next(a));
    const auto ab = first.next(b), aa = second.next(a);
    CHECK(ab != aa);
    CHECK(first.next(a) != second.next(a));
    CHECK(seeded.next(a) != PrefixHasher().next(a));
}

TEST_CASE("deadline: one that is far off has not passed, nor has one that never does, and one of the past has") {
    CHECK_FALSE(Deadline(10s).passed());
    CHECK_FALSE(Deadline().passed());
    CHECK_FALSE(Deadline::never().passed());
    CHECK(Deadline(-1ms).passed());
    CHECK(Deadline(0s).passed());
}
