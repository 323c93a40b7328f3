#pragma once

#include <mooncake/core/result.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mooncake::metadata::detail {

inline constexpr auto base64_letters =
    std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

/// Bytes as JSON can hold them (RFC 4648, 4).
[[nodiscard]] inline std::string base64_encoded(std::string_view bytes) {
    auto text = std::string();
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        auto group = std::uint32_t{0};
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            text += i + k <= bytes.size() ? base64_letters[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

/// Errors: `protocol_error`.
[[nodiscard]] inline Result<std::string> base64_decoded(std::string_view text) {
    static constexpr auto values = [] {
        auto table = std::array<std::int8_t, 256>();
        table.fill(-1);
        for (std::size_t i = 0; i < base64_letters.size(); ++i)
            table[static_cast<unsigned char>(base64_letters[i])] = static_cast<std::int8_t>(i);
        return table;
    }();
    const auto wrong = Error(Errc::protocol_error, "the answer holds what is no base64");
    if (text.size() % 4 != 0) return wrong;
    const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
    auto bytes = std::string();
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const auto filled = i + 4 == text.size() ? 4 - padding : 4U;
        auto group = std::uint32_t{0};
        for (std::size_t k = 0; k < 4; ++k) {
            const auto value = k < filled ? values[static_cast<unsigned char>(text[i + k])] : std::int8_t{0};
            if (value < 0) return wrong;
            group = group << 6 | static_cast<std::uint32_t>(value);
        }
        for (std::size_t k = 0; k + 1 < filled; ++k) bytes += static_cast<char>(group >> (16 - 8 * k) & 255);
    }
    return bytes;
}

} // namespace mooncake::metadata::detail
