#pragma once

#include <cstddef>
#include <string_view>

namespace mooncake {

/// Which texts are meant: `*` stands for any bytes, also none, `?` for any one byte, and `\` takes the byte behind it as it is;
/// every other byte stands for itself.
struct Pattern {
    /// Whether nothing is missing behind a `\`.
    [[nodiscard]] static constexpr bool is_valid(std::string_view pattern) noexcept {
        for (std::size_t at = 0; at < pattern.size(); ++at)
            if (pattern[at] == '\\' && ++at == pattern.size()) return false;
        return true;
    }

    /// Whether `pattern` matches all of `text`. Requires: it is valid.
    /// Complexity: O(pattern × text), whatever the pattern: only the last `*` is ever tried anew.
    [[nodiscard]] static constexpr bool matches(std::string_view pattern, std::string_view text) noexcept {
        constexpr auto none = std::string_view::npos;
        auto p = std::size_t{0}, t = std::size_t{0};
        auto star = none, taken = std::size_t{0}; // the last one, and where its bytes end in the text
        while (t < text.size()) {
            if (p < pattern.size() && pattern[p] == '*') {
                star = p++;
                taken = t;
            } else if (const auto step = matches_one(pattern, p, text[t]); step != 0) {
                p += step;
                ++t;
            } else if (star != none) {
                p = star + 1;
                t = ++taken;
            } else {
                return false;
            }
        }
        while (p < pattern.size() && pattern[p] == '*') ++p;
        return p == pattern.size();
    }

  private:
    /// How many bytes of the pattern, from `at` on, stand for `byte`; 0: it does not match.
    static constexpr std::size_t matches_one(std::string_view pattern, std::size_t at, char byte) noexcept {
        if (at >= pattern.size()) return 0;
        if (pattern[at] == '\\') return pattern[at + 1] == byte ? 2 : 0;
        return pattern[at] == '?' || pattern[at] == byte ? 1 : 0;
    }
};

} // namespace mooncake
