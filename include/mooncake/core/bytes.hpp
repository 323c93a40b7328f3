#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// Bytes somebody else owns; the owner outlives every operation they are handed to.
using ConstBytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

/// The bytes of a text, without its terminator. Lifetime: `text`'s.
[[nodiscard]] inline ConstBytes bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
}

[[nodiscard]] inline std::string_view text_of(ConstBytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether `[offset, offset + length)` lies inside `[0, size)`, for any values: nothing here can overflow.
[[nodiscard]] constexpr bool within(std::uint64_t offset, std::uint64_t length, std::uint64_t size) noexcept {
    return offset <= size && length <= size - offset;
}

/// The least multiple of `unit` (a power of two) that is not below `value`.
/// Requires: `value` is at least `unit` below the largest 64-bit number.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
    return (value + unit - 1) & ~(unit - 1);
}

} // namespace mooncake
