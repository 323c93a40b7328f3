// labels: unit
#include <mooncake/store/tensor_layout.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

constexpr auto huge = std::numeric_limits<std::uint64_t>::max();

std::string why(const Result<void>& result) { return std::string(result.error().context()); }
std::string why(const Result<TensorLayout>& result) { return std::string(result.error().context()); }

} // namespace

TEST_CASE("tensor layout: strides that are not given are row-major, and sizes follow") {
    const auto layout = with_strides({.dtype = DType::bf16, .shape = {4, 3, 5}});
    CHECK(layout.strides == TensorLayout::Dimensions{15, 5, 1});
    CHECK(bytes_of_elements(layout) == 120);
    CHECK(bytes_spanned(layout) == 120);
    CHECK(bytes_spanned({.dtype = DType::f64}) == 8); // one element
    CHECK(bytes_spanned({.dtype = DType::f64, .shape = {3, 0, 7}}) == 0);
    CHECK(bytes_of_elements({.dtype = DType::f64, .shape = {3, 0, 7}}) == 0);
    const auto every_second_column = TensorLayout{.dtype = DType::f32, .shape = {2, 3}, .strides = {6, 2}};
    CHECK(bytes_of_elements(every_second_column) == 24);
    CHECK(bytes_spanned(every_second_column) == (6 + 4 + 1) * 4);
}

TEST_CASE("tensor layout: what cannot be is refused with what would be right") {
    CHECK(why(validate({.dtype = static_cast<DType>(0)})) ==
          "a tensor's dtype is number 0; there are those from 1 to 15");
    CHECK(why(validate({.dtype = static_cast<DType>(16)})) ==
          "a tensor's dtype is number 16; there are those from 1 to 15");
    for (auto number = 1U; number <= 15; ++number) CHECK(validate({.dtype = static_cast<DType>(number)}).has_value());
    CHECK(why(validate({.shape = {1, 1, 1, 1, 1, 1, 1, 1}})) ==
          "a tensor has 8 dimensions; give at most 7, and join those that lie close together");
    CHECK(why(validate({.shape = {1, 2}, .strides = {1}})) ==
          "a tensor has 2 dimensions and 1 strides; give one for each, or none for row-major");
    // Products that would wrap around to something small.
    CHECK(validate({.shape = {huge}}).error() == Errc::too_large);
    CHECK(validate({.shape = {std::uint64_t{1} << 32U, std::uint64_t{1} << 32U}}).error() == Errc::too_large);
    CHECK(validate({.shape = {2}, .strides = {huge}}).error() == Errc::too_large);
    CHECK(validate({.shape = {3}, .strides = {std::uint64_t{1} << 63U}}).error() == Errc::too_large);
    CHECK(validate({.dtype = DType::f64, .shape = {std::uint64_t{1} << 61U}}).error() == Errc::too_large);
    CHECK(validate({.shape = {huge, 0}}).has_value()); // which is nothing
    CHECK(validate({.dtype = DType::u8, .shape = {std::uint64_t{1} << 48U}}).has_value());
    CHECK(validate({.dtype = DType::u8, .shape = {(std::uint64_t{1} << 48U) + 1}}).error() == Errc::too_large);
    CHECK(validate({.dtype = DType::u8, .shape = {std::uint64_t{1} << 48U}, .strides = {0}}).has_value());
}

TEST_CASE("tensor layout: a header says what went into it") {
    for (const auto& layout :
         {TensorLayout{.dtype = DType::i8}, TensorLayout{.dtype = DType::f16, .shape = {2, 3, 4}, .strides = {1, 2, 6}},
          TensorLayout{.dtype = DType::boolean, .shape = {1, 2, 3, 4, 5, 6, 7}}}) {
        const auto whole = with_strides(layout);
        const auto header = encode_tensor(layout);
        const auto back = decode_tensor(header, sizeof header + bytes_spanned(layout));
        REQUIRE(back.has_value());
        CHECK(*back == whole);
        if (bytes_spanned(layout) > 1)
            CHECK(decode_tensor(header, sizeof header + bytes_spanned(layout) - 1).error() == Errc::invalid_argument);
    }
    // The format, to the byte.
    const auto header = encode_tensor({.dtype = DType::bf16, .shape = {258, 3}});
    auto expected = TensorHeader();
    std::memcpy(expected.data(), "MKT1\x04\x02\0\0\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01", 33);
    CHECK(header == expected);
}

TEST_CASE("tensor layout: a header that is wrong anywhere is refused, and the sentence says where") {
    const auto good = encode_tensor({.dtype = DType::u8, .shape = {10, 10}});
    const auto object = sizeof good + 100;
    REQUIRE(decode_tensor(good, object).has_value());
    CHECK(why(decode_tensor({}, 0)).starts_with("it is no tensor"));
    CHECK(why(decode_tensor(ConstBytes(good).first(127), object)).starts_with("it is no tensor"));
    CHECK(why(decode_tensor(good, 127)).starts_with("it is no tensor"));
    const auto with = [&](std::size_t at, std::uint8_t value) {
        auto bad = good;
        bad[at] = std::byte{value};
        return decode_tensor(bad, object);
    };
    CHECK(why(with(0, 'm')).starts_with("it is no tensor"));
    CHECK(why(with(4, 99)).starts_with("a tensor's dtype is number 99"));
    CHECK(why(with(5, 8)) == "its header says 8 dimensions; at most 7 can be");
    CHECK(why(with(5, 255)) == "its header says 255 dimensions; at most 7 can be");
    CHECK(why(with(5, 1)) == "its header has something where zeros must be: a later version's, perhaps");
    CHECK(why(with(7, 1)) == "its header has something where zeros must be: a later version's, perhaps");
    CHECK(why(with(127, 1)) == "its header has something where zeros must be: a later version's, perhaps");
    CHECK(why(with(8, 11)) == "its shape and strides reach 110 bytes, and there are 100 behind its header");
    CHECK(with(15, 255).error() == Errc::too_large);
    CHECK(with(31, 255).error() == Errc::too_large);
}
