#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mooncake {

/// A stranger's text for use in a sentence: in quotes, at most `most` bytes of it, and with nothing in it that a terminal
/// would obey. Bytes that are no printable ASCII become `\xNN`.
[[nodiscard]] inline std::string in_quotes(std::string_view text, std::size_t most = 64) {
    constexpr auto digits = std::string_view("0123456789abcdef");
    auto out = std::string("'");
    for (const auto character : text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte >= 0x20 && byte < 0x7f) out.push_back(character);
        else out.append("\\x").append({digits[byte >> 4], digits[byte & 15U]});
    }
    return out += text.size() > most ? "...'" : "'";
}

} // namespace mooncake
