#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake::store::detail {

/// What a key costs in a message about it, and in the reply, beyond its own bytes.
inline constexpr std::uint64_t bytes_a_key = 128;
/// Far below what a frame may have, whatever the peer's limit is.
inline constexpr std::uint64_t bytes_a_message = 4 * MiB;

/// How many of the first of `count` items go into one message: at most `most`, and as many bytes as `bytes_of(item)` and a
/// message allow, but at least one.
template <class BytesOf>
[[nodiscard]] std::size_t part_of(std::size_t count, std::uint64_t most, const BytesOf& bytes_of_item) {
    auto bytes = std::uint64_t{0};
    auto part = std::size_t{0};
    while (part < count && part < most) {
        bytes += bytes_a_key + bytes_of_item(part);
        if (bytes > bytes_a_message && part != 0) break;
        ++part;
    }
    return part;
}

/// The first of `keys` that fit into one message.
[[nodiscard]] inline std::span<const std::string_view> part_of(std::span<const std::string_view> keys,
                                                               std::uint64_t most) {
    return keys.first(part_of(keys.size(), most, [keys](std::size_t i) { return keys[i].size(); }));
}

/// What the checksums of an object of `bytes` bytes add.
[[nodiscard]] constexpr std::uint64_t checksum_bytes(std::uint64_t bytes) noexcept {
    return chunks_of(bytes) * sizeof(std::uint64_t);
}

} // namespace mooncake::store::detail
