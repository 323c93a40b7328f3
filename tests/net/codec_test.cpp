#include <mooncake/core/bytes.hpp>
#include <mooncake/metadata/record.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/frame.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace mooncake;

namespace {

struct Inner {
    std::uint16_t small = 0;
    std::string text;
};
struct Outer {
    std::uint64_t number = 0;
    Errc code = Errc::ok;
    std::vector<std::uint32_t> numbers;
    std::vector<Inner> inners;
    std::string last;
};
struct Grown {
    std::uint64_t number = 0;
    Errc code = Errc::ok;
    std::vector<std::uint32_t> numbers;
    std::vector<Inner> inners;
    std::string last;
    std::uint32_t added = 77;
};

Outer example() {
    return {.number = 0x0123456789abcdef,
            .code = Errc::conflict,
            .numbers = {1, 0xffffffff},
            .inners = {{3, "ab"}, {4, ""}},
            .last = "end"};
}

using namespace std::string_literals;
const auto golden = "\xef\xcd\xab\x89\x67\x45\x23\x01"
                    "\x3c\x00"
                    "\x02\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff"
                    "\x02\x00\x00\x00\x03\x00\x02\x00\x00\x00"
                    "ab\x04\x00\x00\x00\x00\x00"
                    "\x03\x00\x00\x00"
                    "end"s;

} // namespace

TEST_CASE("codec: the bytes of a message never change") {
    CHECK((encode(example()) == golden));
    CHECK((
        encode(Hello{.version = 1, .service = "rpc", .generation = 2}) ==
        "\x01\x00\x00\x00\x03\x00\x00\x00rpc\x02\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\r\n\r\n\x00\x00\x00\x00\x00\x00\x00\x00"s));
    const auto record = SegmentRecord{
        .name = "n",
        .generation = 5,
        .endpoints = {{"tcp", "h:1"}},
        .buffers = {
            {.offset = 1, .length = 2, .location = "c", .rights = Rights::read, .read_key = 3, .write_key = 4}}};
    CHECK((encode(record) == "\x01\x00\x00\x00n\x05\x00\x00\x00\x00\x00\x00\x00"
                             "\x01\x00\x00\x00\x03\x00\x00\x00tcp\x03\x00\x00\x00h:1"
                             "\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"
                             "\x01\x00\x00\x00"
                             "c\x01\x03\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"s));
}

TEST_CASE("codec: what was encoded is decoded") {
    const auto back = decode<Outer>(golden);
    REQUIRE(back.has_value());
    CHECK((encode(*back) == golden));
    CHECK(back->inners.at(0).text == "ab");
    CHECK(decode<Outer>("").value().number == 0);
}

TEST_CASE("codec: a small vector travels as a vector does") {
    struct Pair {
        std::uint16_t a = 0, b = 0;
    };
    struct Large {
        std::vector<std::uint32_t> numbers;
        std::vector<Pair> pairs;
    };
    struct Small {
        SmallVector<std::uint32_t, 1> numbers;
        SmallVector<Pair, 1> pairs;
    };
    for (const auto& large : {Large(), Large{{7}, {{1, 2}}}, Large{{7, 8, 9}, {{1, 2}, {3, 4}}}}) {
        const auto bytes = encode(large);
        const auto small = decode<Small>(bytes);
        REQUIRE(small.has_value());
        CHECK(small->numbers.size() == large.numbers.size());
        CHECK((encode(*small) == bytes));
        if (!bytes.empty()) CHECK_FALSE(decode<Small>(std::string_view(bytes).substr(0, bytes.size() - 1)).has_value());
    }
}

TEST_CASE("codec: a message that is cut is refused, unless it is cut between fields") {
    const auto whole = std::vector<std::size_t>{0, 8, 10, 22, 40, golden.size()};
    for (std::size_t length = 0; length <= golden.size(); ++length) {
        CAPTURE(length);
        const auto decoded = decode<Outer>(std::string_view(golden).substr(0, length));
        const auto at_a_field = std::find(whole.begin(), whole.end(), length) != whole.end();
        CHECK(decoded.has_value() == at_a_field);
        if (!decoded) CHECK(decoded.error() == Errc::protocol_error);
    }
}

TEST_CASE("codec: messages grow at their end: old and new peers understand each other") {
    const auto from_old = decode<Grown>(golden);
    REQUIRE(from_old.has_value());
    CHECK(from_old->added == 77);
    CHECK(from_old->last == "end");
    auto grown = *from_old;
    grown.added = 5;
    const auto by_old = decode<Outer>(encode(grown));
    REQUIRE(by_old.has_value());
    CHECK((encode(*by_old) == golden));
}

TEST_CASE("codec: a truth is a byte of 0 or 1, and another byte is none") {
    struct Truth {
        bool value = false;
    };
    CHECK(encode(Truth{true}) == std::string("\1", 1));
    CHECK(decode<Truth>(std::string("\1", 1)).value().value);
    CHECK_FALSE(decode<Truth>(std::string("\0", 1)).value().value);
    CHECK(decode<Truth>(std::string("\2", 1)).has_error());
    CHECK(decode<Truth>(std::string("\xff", 1)).has_error());
}

TEST_CASE("codec: a count that cannot be true takes no memory") {
    auto huge = golden;
    for (const std::size_t count : {10, 22}) {
        huge = golden;
        huge.replace(count, 4, "\xff\xff\xff\xff");
        CHECK(decode<Outer>(huge).error() == Errc::protocol_error);
    }
    huge = golden;
    huge.replace(40, 4, "\xff\xff\xff\x7f");
    CHECK(decode<Outer>(huge).error() == Errc::protocol_error);
}

TEST_CASE("frame: a header is 32 bytes that never change, and what is wrong with one is said") {
    auto header = FrameHeader();
    header.kind = FrameKind::reply;
    header.status = 0x0203;
    header.method = 0x04050607;
    header.meta_bytes = 8;
    header.id = 9;
    header.payload_bytes = 10;
    auto bytes = std::array<std::byte, FrameHeader::size>();
    encode_header(header, bytes);
    CHECK((text_of(bytes) == "MCK1\x02\x00\x03\x02\x07\x06\x05\x04\x08\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00"
                             "\x0a\x00\x00\x00\x00\x00\x00\x00"s));
    const auto back = decode_header(bytes, FrameKind::reply, {});
    REQUIRE(back.has_value());
    CHECK(back->id == 9);
    CHECK(decode_header(bytes, FrameKind::request, {}).error() == Errc::protocol_error);
    CHECK(decode_header(bytes, FrameKind::reply, {.meta_bytes = 8, .payload_bytes = 10}).has_value());
    CHECK(decode_header(bytes, FrameKind::reply, {.meta_bytes = 7}).error() == Errc::too_large);
    CHECK(decode_header(bytes, FrameKind::reply, {.payload_bytes = 9}).error() == Errc::too_large);
    bytes[0] = std::byte{'X'};
    CHECK(decode_header(bytes, FrameKind::reply, {}).error() == Errc::protocol_error);
}
