#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// The kernel's description of the machine, or a recorded one. What it holds is not trusted: what is missing, cannot be read or
/// makes no sense is as if it were not there.
namespace mooncake::topology::detail {

/// Without the spaces and line ends around it.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) noexcept {
    constexpr auto blank = std::string_view(" \t\r\n");
    const auto first = text.find_first_not_of(blank);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// The number that all of `text` is.
template <class Number>
[[nodiscard]] std::optional<Number> number_of(std::string_view text) noexcept {
    text = trimmed(text);
    auto number = Number();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// `0-3,8,10-11`, as the kernel lists processors and nodes; up to the first that makes no sense.
[[nodiscard]] inline std::vector<unsigned> list_of(std::string_view text) {
    constexpr unsigned largest = 65'535; // more than any kernel is built for
    auto all = std::vector<unsigned>();
    text = trimmed(text);
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto range = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        const auto dash = std::min(range.find('-'), range.size());
        const auto first = number_of<unsigned>(range.substr(0, dash));
        const auto last = dash == range.size() ? first : number_of<unsigned>(range.substr(dash + 1));
        if (!first || !last || *first > *last || *last > largest) break;
        for (auto i = *first; i <= *last; ++i) all.push_back(i);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

/// Whether `a` comes before `b`, numbers within compared as numbers: `eth2` before `eth10`.
[[nodiscard]] inline bool natural_less(std::string_view a, std::string_view b) noexcept {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto take_number = [&](std::string_view& text) {
        auto digits = std::size_t{0};
        while (digits < text.size() && is_digit(text[digits])) ++digits;
        auto number = text.substr(0, digits);
        text.remove_prefix(digits);
        number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
        return number;
    };
    while (!a.empty() && !b.empty()) {
        if (is_digit(a.front()) && is_digit(b.front())) {
            const auto x = take_number(a), y = take_number(b);
            if (x.size() != y.size()) return x.size() < y.size();
            if (x != y) return x < y;
        } else {
            if (a.front() != b.front()) return a.front() < b.front();
            a.remove_prefix(1), b.remove_prefix(1);
        }
    }
    return a.size() < b.size();
}

/// A folder of `/sys`, or of a copy of it.
class Sysfs {
  public:
    explicit Sysfs(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// Empty when there is none.
    [[nodiscard]] std::string text(const std::filesystem::path& file) const {
        constexpr std::size_t most = 64 * 1024; // the kernel's attributes have a page
        auto in = std::ifstream(folder_ / file, std::ios::binary);
        auto all = std::string(most, '\0');
        in.read(all.data(), static_cast<std::streamsize>(most));
        all.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
        return std::string(trimmed(all));
    }
    template <class Number>
    [[nodiscard]] std::optional<Number> number(const std::filesystem::path& file) const {
        return number_of<Number>(text(file));
    }
    [[nodiscard]] bool has(const std::filesystem::path& file) const {
        auto error = std::error_code();
        return std::filesystem::exists(folder_ / file, error);
    }

    /// Names of what lies in `below`, in their order; of very many the first the system gives.
    [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& below = {}) const {
        constexpr std::size_t most = 4096;
        auto all = std::vector<std::string>();
        auto error = std::error_code();
        auto entry = std::filesystem::directory_iterator(folder_ / below, error);
        for (; !error && entry != std::filesystem::directory_iterator() && all.size() < most; entry.increment(error))
            all.push_back(entry->path().filename().string());
        std::sort(all.begin(), all.end(), natural_less);
        return all;
    }

    [[nodiscard]] Sysfs at(const std::filesystem::path& below) const { return Sysfs(folder_ / below); }

    /// Where this folder really lies.
    [[nodiscard]] std::filesystem::path canonical() const {
        auto error = std::error_code();
        return std::filesystem::canonical(folder_, error);
    }

  private:
    std::filesystem::path folder_;
};

} // namespace mooncake::topology::detail
