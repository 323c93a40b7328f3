#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/later.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

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

/// Keys of one call, in the parts that fit into one message each, in order. Of no keys at all there is one part.
class KeyParts {
  public:
    /// `most`: keys in a message.
    KeyParts(std::vector<std::string> keys, std::uint64_t most) noexcept
        : keys_(std::move(keys)), size_(keys_.size()), most_(most) {}

    /// Whether all were given out.
    [[nodiscard]] bool over() const noexcept { return given_ == size_; }

    /// `bytes_of(i)`: what the i-th of all keys takes of a message beside itself.
    template <class BytesOf>
    [[nodiscard]] std::vector<std::string> next(const BytesOf& bytes_of) {
        const auto first = given_;
        given_ +=
            part_of(size_ - first, most_, [&](std::size_t i) { return keys_[first + i].size() + bytes_of(first + i); });
        auto& keys = core::detail::known_later<BytesOf>(keys_);
        if (first == 0 && over()) return std::move(keys);
        const auto begin = std::make_move_iterator(keys.begin());
        return {begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(given_)};
    }
    template <class Void = void> // only who uses it pays for compiling it
    [[nodiscard]] std::vector<std::string> next() {
        return core::detail::known_later<Void>(*this).next([](std::size_t) { return std::uint64_t{0}; });
    }

  private:
    std::vector<std::string> keys_;
    const std::size_t size_;
    const std::uint64_t most_;
    std::size_t given_ = 0;
};

/// What the checksums of an object of `bytes` bytes add.
[[nodiscard]] constexpr std::uint64_t checksum_bytes(std::uint64_t bytes) noexcept {
    return chunks_of(bytes) * sizeof(std::uint64_t);
}

} // namespace mooncake::store::detail
