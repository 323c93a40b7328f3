#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/core/small_vector.hpp>
#include <mooncake/store/amount.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake {

/// What the elements of a tensor are. The numbers are stored: none is ever given to another type.
enum class DType : std::uint8_t {
    f64 = 1,
    f32,
    f16,
    bf16,
    f8_e4m3,
    f8_e5m2,
    i64,
    i32,
    i16,
    i8,
    u64,
    u32,
    u16,
    u8,
    boolean
};

/// 0: no type of ours.
[[nodiscard]] constexpr std::uint64_t bytes_of_element(DType dtype) noexcept {
    switch (dtype) {
    case DType::f64:
    case DType::i64:
    case DType::u64: return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32: return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16: return 2;
    case DType::f8_e4m3:
    case DType::f8_e5m2:
    case DType::i8:
    case DType::u8:
    case DType::boolean: return 1;
    }
    return 0;
}

/// Where the elements of a tensor lie: element (i, j, …) at i × strides[0] + j × strides[1] + … elements from the first.
struct TensorLayout {
    static constexpr std::size_t most_dimensions = 7;
    using Dimensions = SmallVector<std::uint64_t, most_dimensions>;

    DType dtype = DType::f32;
    Dimensions shape{};   ///< at most 7 numbers; none: one element
    Dimensions strides{}; ///< in elements, one a dimension; none at all: row-major, the last dimension without gaps

    [[nodiscard]] friend bool operator==(const TensorLayout& a, const TensorLayout& b) noexcept = default;
};

namespace store::detail {

/// Of the dimensions from `from` on, from the first element to behind the last. 0: there is none.
[[nodiscard]] inline Amount span_of(const TensorLayout& layout, std::size_t from = 0) noexcept {
    auto last = Amount(0);
    for (auto i = from; i < layout.shape.size(); ++i) {
        if (layout.shape[i] == 0) return Amount(0);
        last = last + Amount(layout.shape[i] - 1) * layout.strides[i];
    }
    return last + Amount(1);
}

[[nodiscard]] inline Amount elements_of(const TensorLayout& layout) noexcept {
    if (std::ranges::count(layout.shape, std::uint64_t{0}) != 0) return Amount(0);
    return std::accumulate(layout.shape.begin(), layout.shape.end(), Amount(1),
                           [](Amount product, std::uint64_t size) { return product * size; });
}

} // namespace store::detail

/// The same with strides, where it has none. Requires: it is valid.
[[nodiscard]] inline TensorLayout with_strides(TensorLayout layout) {
    if (!layout.strides.empty() || layout.shape.empty()) return layout;
    layout.strides.resize(layout.shape.size());
    auto stride = store::detail::Amount(1);
    for (auto i = layout.shape.size(); i-- > 0;) {
        layout.strides[i] = stride.value();
        stride = stride * std::max<std::uint64_t>(layout.shape[i], 1);
    }
    return layout;
}

/// Errors: `invalid_argument`, naming what is wrong; `too_large` (above 2^48 bytes).
[[nodiscard]] inline Result<void> validate(const TensorLayout& layout) {
    const auto wrong = [](std::string text) { return Error(Errc::invalid_argument, std::move(text)); };
    const auto bytes = bytes_of_element(layout.dtype);
    if (bytes == 0)
        return wrong("a tensor's dtype is number " + std::to_string(static_cast<unsigned>(layout.dtype)) +
                     "; there are those from 1 to " + std::to_string(static_cast<unsigned>(DType::boolean)));
    const auto dimensions = layout.shape.size();
    if (dimensions > TensorLayout::most_dimensions)
        return wrong("a tensor has " + std::to_string(dimensions) + " dimensions; give at most " +
                     std::to_string(TensorLayout::most_dimensions) + ", and join those that lie close together");
    if (!layout.strides.empty() && layout.strides.size() != dimensions)
        return wrong("a tensor has " + std::to_string(dimensions) + " dimensions and " +
                     std::to_string(layout.strides.size()) + " strides; give one for each, or none for row-major");
    const auto whole = with_strides(layout);
    const auto span = store::detail::span_of(whole) * bytes, all = store::detail::elements_of(whole) * bytes;
    if (!span.fits() || !all.fits())
        return Error(Errc::too_large, "a tensor of this shape and these strides takes more than 2^48 bytes; check "
                                      "whether the strides are in elements");
    return ok;
}

/// How much memory the elements are in, from the first to behind the last: what a span of them has at least. Requires: valid.
[[nodiscard]] inline std::uint64_t bytes_spanned(const TensorLayout& layout) {
    return store::detail::span_of(with_strides(layout)).value() * bytes_of_element(layout.dtype);
}

/// How much there is of the elements themselves. Requires: valid.
[[nodiscard]] inline std::uint64_t bytes_of_elements(const TensorLayout& layout) noexcept {
    return store::detail::elements_of(layout).value() * bytes_of_element(layout.dtype);
}

/// The first bytes of a stored tensor; its elements follow as the strides say, aligned as the object is. Numbers are
/// little-endian: "MKT1", dtype (1 byte), dimensions (1), zeros (2), the shape and then the strides (8 bytes each); the rest is
/// zeros.
using TensorHeader = std::array<std::byte, 128>;

/// Requires: it is valid.
[[nodiscard]] inline TensorHeader encode_tensor(const TensorLayout& layout) {
    const auto whole = with_strides(layout);
    auto header = TensorHeader();
    std::memcpy(header.data(), "MKT1", 4);
    header[4] = static_cast<std::byte>(whole.dtype);
    header[5] = static_cast<std::byte>(whole.shape.size());
    const auto bytes = whole.shape.size() * sizeof(std::uint64_t);
    if (bytes != 0) {
        std::memcpy(header.data() + 8, whole.shape.data(), bytes);
        std::memcpy(header.data() + 8 + bytes, whole.strides.data(), bytes);
    }
    return header;
}

/// The layout that an object of `object_bytes` bytes, which begins with `header`, has. Trusts nothing: what it gives is valid,
/// and lies in the object.
/// Errors: `invalid_argument`, with what is wrong; `too_large`.
[[nodiscard]] inline Result<TensorLayout> decode_tensor(ConstBytes header, std::uint64_t object_bytes) {
    const auto wrong = [](std::string text) { return Error(Errc::invalid_argument, std::move(text)); };
    if (header.size() < sizeof(TensorHeader) || object_bytes < sizeof(TensorHeader) ||
        std::memcmp(header.data(), "MKT1", 4) != 0)
        return wrong("it is no tensor: it does not begin with the 128 bytes of a header; put it with put_tensor");
    auto layout = TensorLayout{.dtype = static_cast<DType>(header[4])};
    const auto dimensions = static_cast<std::size_t>(header[5]);
    if (dimensions > TensorLayout::most_dimensions)
        return wrong("its header says " + std::to_string(dimensions) + " dimensions; at most 7 can be");
    const auto used = 8 + dimensions * 2 * sizeof(std::uint64_t);
    const auto is_zero = [](std::byte one) { return one == std::byte{0}; };
    if (!std::ranges::all_of(header.subspan(6, 2), is_zero) ||
        !std::ranges::all_of(header.subspan(used, sizeof(TensorHeader) - used), is_zero))
        return wrong("its header has something where zeros must be: a later version's, perhaps");
    layout.shape.resize(dimensions);
    layout.strides.resize(dimensions);
    const auto bytes = dimensions * sizeof(std::uint64_t);
    if (bytes != 0) {
        std::memcpy(layout.shape.data(), header.data() + 8, bytes);
        std::memcpy(layout.strides.data(), header.data() + 8 + bytes, bytes);
    }
    if (auto valid = validate(layout); !valid) return valid.error();
    const auto spanned = bytes_spanned(layout);
    if (spanned > object_bytes - sizeof(TensorHeader))
        return wrong("its shape and strides reach " + std::to_string(spanned) + " bytes, and there are " +
                     std::to_string(object_bytes - sizeof(TensorHeader)) + " behind its header");
    return layout;
}

} // namespace mooncake
