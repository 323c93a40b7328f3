// labels: unit
#include <mooncake/store/group_layout.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

using Sizes = std::vector<std::uint64_t>;
constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

template <class T>
std::string why(const Result<T>& result) {
    return std::string(result.error().context());
}

} // namespace

TEST_CASE("group layout: parts lie behind the table, in order, each at a multiple of 64 bytes, the last to the end") {
    const auto layout = GroupLayout::of(Sizes{100, 0, 64, 1}).value();
    CHECK(layout.parts() == 4);
    const auto offsets = Sizes{layout.offset(0), layout.offset(1), layout.offset(2), layout.offset(3)};
    CHECK(offsets == Sizes{64, 192, 192, 256});
    CHECK(layout.size(2) == 64);
    CHECK(layout.bytes() == 257);
    const auto object = std::vector<std::byte>(layout.bytes());
    CHECK(layout.part(ConstBytes(object), 3).data() == object.data() + 256);
    CHECK(layout.part(ConstBytes(object), 1).empty());
    CHECK(GroupLayout::of(Sizes{0}).value().bytes() == 64);
    CHECK(GroupLayout::of(Sizes(7, 1)).value().offset(0) == 64); // as many as 64 bytes can tell
    CHECK(GroupLayout::of(Sizes(8, 1)).value().offset(0) == 128);
    CHECK(GroupLayout::of(Sizes(1023, 0)).value().bytes() == 8192);
}

TEST_CASE("group layout: too few, too many and too large parts are refused, and no sum wraps") {
    CHECK(why(GroupLayout::of({})) == "a group has 0 parts; give at least 1 and at most 1023");
    CHECK(why(GroupLayout::of(Sizes(1024, 1))) == "a group has 1024 parts; give at least 1 and at most 1023");
    const auto error = GroupLayout::of(Sizes{5, huge, 7});
    CHECK(error.error() == Errc::too_large);
    CHECK(why(error) == "a group's parts are more than 2^48 bytes up to part 1, which has 18446744073709551615");
    CHECK(GroupLayout::of(Sizes{huge, huge}).error() == Errc::too_large); // which would be small, wrapped
    CHECK(GroupLayout::of(Sizes(1023, std::uint64_t{1} << 63U)).error() == Errc::too_large);
    CHECK(GroupLayout::of(Sizes{(std::uint64_t{1} << 48U) - 64}).has_value());
    CHECK(GroupLayout::of(Sizes{(std::uint64_t{1} << 48U) - 63}).error() == Errc::too_large);
    CHECK(GroupLayout::of(Sizes{(std::uint64_t{1} << 48U) - 64, 0}).has_value());
    CHECK(GroupLayout::of(Sizes{(std::uint64_t{1} << 48U) - 64, 1}).error() == Errc::too_large);
}

TEST_CASE("group layout: a table says what went into it, in these bytes") {
    for (const auto& sizes : {Sizes{0}, Sizes{1, 2, 3}, Sizes(8, 5), Sizes{4096, 0, 262'144, 17}, Sizes(1023, 3)}) {
        const auto layout = GroupLayout::of(sizes).value();
        const auto table = encode_group(layout);
        CHECK(table.size() == GroupLayout::bytes_of_table(sizes.size()));
        CHECK(decode_group(table, layout.bytes()).value() == layout);
        // Torn: less of the object, or less of the table.
        CHECK(decode_group(table, layout.bytes() - 1).error() == Errc::invalid_argument);
        CHECK(decode_group(table, layout.bytes() + 1).error() == Errc::invalid_argument);
        CHECK(decode_group(ConstBytes(table).first(table.size() - 1), layout.bytes()).error() ==
              Errc::invalid_argument);
    }
    const auto table = encode_group(GroupLayout::of(Sizes{258, 3}).value());
    auto expected = std::vector<std::byte>(64);
    std::memcpy(expected.data(), "MKG1\x02\0\0\0\x02\x01\0\0\0\0\0\0\x03", 17);
    CHECK(table == expected);
}

TEST_CASE("group layout: a table that is wrong anywhere is refused, and the sentence says where") {
    const auto layout = GroupLayout::of(Sizes{10, 20, 30}).value();
    const auto good = encode_group(layout);
    REQUIRE(decode_group(good, layout.bytes()).has_value());
    const auto no_group = "it is no group: it does not begin with a table of its parts; put it with put_group";
    CHECK(why(decode_group({}, 0)) == no_group);
    CHECK(why(decode_group(good, 63)) == no_group);
    CHECK(why(decode_group(ConstBytes(good).first(7), layout.bytes())) == no_group);
    CHECK(why(decode_group(ConstBytes(good).first(63), layout.bytes())) ==
          "its table has 64 bytes, and only 63 are here");
    const auto with = [&](std::size_t at, std::uint8_t value) {
        auto bad = good;
        bad[at] = std::byte{value};
        return decode_group(bad, layout.bytes());
    };
    CHECK(why(with(3, '2')) == no_group); // another version's
    CHECK(why(with(4, 0)) == "its table is wrong: a group has 0 parts; give at least 1 and at most 1023");
    CHECK(why(with(7, 255)) == "its table is wrong: a group has 4278190083 parts; give at least 1 and at most 1023");
    CHECK(why(with(5, 1)) == "its table of 259 parts has 2112 bytes, and all of it 222");
    CHECK(why(with(4, 2)) == "its table has something where zeros must be: a later version's, perhaps");
    CHECK(why(with(63, 1)) == "its table has something where zeros must be: a later version's, perhaps");
    CHECK(why(with(24, 31)) == "its parts end at byte 223, and the object has 222");
    CHECK(why(with(24, 29)) == "its parts end at byte 221, and the object has 222");
    CHECK(with(15, 255).error() == Errc::too_large);
    CHECK(with(4, 4).error() == Errc::invalid_argument); // a part more, of nothing, which ends elsewhere
}
