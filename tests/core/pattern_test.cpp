// labels: unit
#include <mooncake/core/pattern.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>

using namespace mooncake;

namespace {

/// As the words have it, every way tried.
bool means(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') return means(pattern.substr(1), text) || (!text.empty() && means(pattern, text.substr(1)));
    if (text.empty()) return false;
    if (pattern[0] == '\\') return pattern[1] == text[0] && means(pattern.substr(2), text.substr(1));
    return (pattern[0] == '?' || pattern[0] == text[0]) && means(pattern.substr(1), text.substr(1));
}

} // namespace

static_assert(Pattern::matches("a/*/k?v", "a/b/c/kxv"));
static_assert(!Pattern::matches("a/*/k?v", "a/b/c/kv"));
static_assert(Pattern::matches("\\*", "*") && !Pattern::matches("\\*", "a"));
static_assert(!Pattern::is_valid("ab\\") && Pattern::is_valid("ab\\\\") && Pattern::is_valid(""));

TEST_CASE("pattern: says the same as trying every way") {
    auto random = std::mt19937_64(1);
    auto matched = 0;
    for (auto i = 0; i < 200'000; ++i) {
        auto pattern = std::string(), text = std::string();
        for (auto n = random() % 8; n != 0; --n) pattern += "ab*?\\*"[random() % 6];
        for (auto n = random() % 8; n != 0; --n) text += "ab*\\"[random() % 4];
        if (!Pattern::is_valid(pattern)) continue;
        CAPTURE(pattern);
        CAPTURE(text);
        REQUIRE(Pattern::matches(pattern, text) == means(pattern, text));
        matched += Pattern::matches(pattern, text);
    }
    CHECK(matched > 10'000);
}

TEST_CASE("pattern: one that is made to take for ever does not") {
    auto pattern = std::string();
    for (auto i = 0; i < 340; ++i) pattern += "a*?";
    const auto text = std::string(1023, 'a') + "b";
    const auto begun = std::chrono::steady_clock::now();
    CHECK_FALSE(Pattern::matches(pattern + "c", text));
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(1)); // some million steps at most
}
