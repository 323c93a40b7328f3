#pragma once

/// Keys that are hashes already, such as those of KV blocks. An entry of its own: nothing else includes it.

#include <mooncake/core/bytes.hpp>

#include <xxhash.h>

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mooncake {

/// A key of 128 bits: wherever a key is taken, it is the 16 bytes of its two numbers, `low` first, little-endian; any bytes may
/// be in a key. So digests and other keys live side by side, and a program that knows nothing of digests finds the same objects.
///
/// It is its own text: nothing is formatted or allocated to make it a `std::string_view`. Lists of keys look at digests that
/// outlive the call: `std::vector<std::string_view>(digests.begin(), digests.end())`.
struct KeyDigest {
    std::uint64_t low = 0, high = 0;

    /// Lifetime: the digest's, where it lies now.
    operator std::string_view() const noexcept { return text_of(std::as_bytes(std::span(this, 1))); }

    [[nodiscard]] friend bool operator==(const KeyDigest&, const KeyDigest&) noexcept = default;
    [[nodiscard]] friend auto operator<=>(const KeyDigest&, const KeyDigest&) noexcept = default;
};
static_assert(sizeof(KeyDigest) == 16 && std::endian::native == std::endian::little);

/// XXH3-128 of `bytes`, such as a block's tokens, the same on every machine. It finds accidents, and no attackers: who may choose
/// keys that others read must be kept apart by the first part of a key.
[[nodiscard]] inline KeyDigest digest_of(ConstBytes bytes) noexcept {
    const auto hash = XXH3_128bits(bytes.data(), bytes.size());
    return {.low = hash.low64, .high = hash.high64};
}

/// Of a block that means what it does only behind `parent`: the digest of both digests, the parent's first, so that it names all of
/// the prefix. Of the first block the parent is `KeyDigest()`, or a digest of what else counts: the model, its parallelism, the tenant.
[[nodiscard]] inline KeyDigest digest_behind(const KeyDigest& parent, ConstBytes bytes) noexcept {
    const auto both = std::array{parent, digest_of(bytes)};
    return digest_of(std::as_bytes(std::span(both)));
}

} // namespace mooncake
