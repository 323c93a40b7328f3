#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/store/amount.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// Where the parts of a group lie in the object that it is: behind a table of their sizes, one behind the other, each at a
/// multiple of 64 bytes from the object's begin, which is such a multiple in its segment; the last part ends the object.
class GroupLayout {
  public:
    static constexpr std::size_t most_parts = 1023; ///< their table has at most 8 KiB
    static constexpr std::uint64_t alignment = 64;  ///< bytes

    GroupLayout() = default; ///< no parts: no group has it

    /// Of parts with so many bytes each, 0 included.
    /// Errors: `invalid_argument` (none, or more than 1023), `too_large` (above 2^48 bytes).
    [[nodiscard]] static Result<GroupLayout> of(std::span<const std::uint64_t> sizes) {
        if (auto possible = check_parts(sizes.size()); !possible) return possible.error();
        auto layout = GroupLayout();
        layout.parts_.reserve(sizes.size());
        auto end = store::detail::Amount(bytes_of_table(sizes.size()));
        for (const auto size : sizes) {
            const auto offset = round_up(end.value(), alignment);
            end = store::detail::Amount(offset) + store::detail::Amount(size);
            if (!end.fits())
                return Error(Errc::too_large, "a group's parts are more than 2^48 bytes up to part " +
                                                  std::to_string(layout.parts_.size()) + ", which has " +
                                                  std::to_string(size));
            layout.parts_.push_back({.offset = offset, .size = size});
        }
        return layout;
    }

    [[nodiscard]] std::size_t parts() const noexcept { return parts_.size(); }
    /// Requires: there is such a part, here and below.
    [[nodiscard]] std::uint64_t size(std::size_t part) const noexcept { return parts_[part].size; }
    /// In the object: what `get_range` is told, by whoever knows the sizes, to read a part, or some of it.
    [[nodiscard]] std::uint64_t offset(std::size_t part) const noexcept { return parts_[part].offset; }
    /// Of the object.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return parts_.empty() ? 0 : parts_.back().offset + parts_.back().size;
    }
    /// Requires: `object` has `bytes()`.
    template <class Bytes>
    [[nodiscard]] Bytes part(Bytes object, std::size_t part) const noexcept {
        return object.subspan(parts_[part].offset, parts_[part].size);
    }

    /// Of the table in front of so many parts; with more than 1023 it is larger than any can be.
    [[nodiscard]] static constexpr std::uint64_t bytes_of_table(std::size_t parts) noexcept {
        return round_up(8 + std::uint64_t{8} * std::min(parts, most_parts + 1), alignment);
    }
    [[nodiscard]] static Result<void> check_parts(std::size_t parts) {
        if (parts >= 1 && parts <= most_parts) return ok;
        return Error(Errc::invalid_argument, "a group has " + std::to_string(parts) +
                                                 " parts; give at least 1 and at most " + std::to_string(most_parts));
    }

    [[nodiscard]] friend bool operator==(const GroupLayout& a, const GroupLayout& b) noexcept = default;

  private:
    struct Part {
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
        [[nodiscard]] friend bool operator==(const Part& a, const Part& b) noexcept = default;
    };
    std::vector<Part> parts_;
};

/// The table that a group begins with. Numbers are little-endian: "MKG1", how many parts (4 bytes), the size of each (8 bytes
/// each), and zeros up to a multiple of 64 bytes. Requires: it has parts.
[[nodiscard]] inline std::vector<std::byte> encode_group(const GroupLayout& layout) {
    auto table = std::vector<std::byte>(GroupLayout::bytes_of_table(layout.parts()));
    const auto parts = static_cast<std::uint32_t>(layout.parts());
    std::memcpy(table.data(), "MKG1", 4);
    std::memcpy(table.data() + 4, &parts, sizeof parts);
    for (std::size_t i = 0; i < layout.parts(); ++i) {
        const auto size = layout.size(i);
        std::memcpy(table.data() + 8 + 8 * i, &size, sizeof size);
    }
    return table;
}

/// How many parts an object of `object_bytes` bytes has that begins with `first`, of which 64 are enough. Their table is in it.
/// Errors: `invalid_argument`, with what is wrong.
[[nodiscard]] inline Result<std::size_t> parts_of_group(ConstBytes first, std::uint64_t object_bytes) {
    if (first.size() < 8 || object_bytes < GroupLayout::alignment || std::memcmp(first.data(), "MKG1", 4) != 0)
        return Error(Errc::invalid_argument,
                     "it is no group: it does not begin with a table of its parts; put it with put_group");
    auto parts = std::uint32_t{0};
    std::memcpy(&parts, first.data() + 4, sizeof parts);
    if (auto possible = GroupLayout::check_parts(parts); !possible)
        return Error(Errc::invalid_argument, "its table is wrong: " + std::string(possible.error().context()));
    const auto bytes = GroupLayout::bytes_of_table(parts);
    if (bytes > object_bytes)
        return Error(Errc::invalid_argument, "its table of " + std::to_string(parts) + " parts has " +
                                                 std::to_string(bytes) + " bytes, and all of it " +
                                                 std::to_string(object_bytes));
    return parts;
}

/// The layout that an object of `object_bytes` bytes, which begins with `table`, has. Trusts nothing, and looks at each number
/// once, as somebody may write there meanwhile: what it gives ends where the object does.
/// Errors: `invalid_argument`, with what is wrong; `too_large`.
[[nodiscard]] inline Result<GroupLayout> decode_group(ConstBytes table, std::uint64_t object_bytes) {
    const auto wrong = [](std::string text) { return Error(Errc::invalid_argument, std::move(text)); };
    const auto parts = parts_of_group(table, object_bytes);
    if (!parts) return parts.error();
    const auto bytes = GroupLayout::bytes_of_table(*parts);
    if (table.size() < bytes)
        return wrong("its table has " + std::to_string(bytes) + " bytes, and only " + std::to_string(table.size()) +
                     " are here");
    auto sizes = std::vector<std::uint64_t>(*parts);
    std::memcpy(sizes.data(), table.data() + 8, *parts * sizeof(std::uint64_t));
    const auto rest = table.first(bytes).subspan(8 + *parts * sizeof(std::uint64_t));
    if (!std::ranges::all_of(rest, [](std::byte one) { return one == std::byte{0}; }))
        return wrong("its table has something where zeros must be: a later version's, perhaps");
    auto layout = GroupLayout::of(sizes);
    if (!layout) return layout.error();
    if (layout->bytes() != object_bytes)
        return wrong("its parts end at byte " + std::to_string(layout->bytes()) + ", and the object has " +
                     std::to_string(object_bytes));
    return layout;
}

} // namespace mooncake
