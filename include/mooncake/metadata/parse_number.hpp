#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace mooncake::metadata::detail {

/// A decimal number that fills the whole text. Errors: `invalid_argument`.
[[nodiscard]] inline Result<std::uint64_t> parse_number(std::string_view text) {
    auto number = std::uint64_t{0};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        return Error(Errc::invalid_argument, in_quotes(text) + " is no whole number");
    return number;
}

} // namespace mooncake::metadata::detail
