#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/net/frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

/// Frames that both ends agreed to seal (`wire_features::sealed_frames`) show what happened to them on the way. The message ends
/// with two numbers: the XXH3-64 of the payload, and one of the header, the message and the first number. So nothing is
/// done about a header or a message that is damaged, and nothing that is damaged is said to be done. Against accidents
/// that TCP's own sum of 16 bits lets pass, not against people: for those there are `TlsTcp` and `PskTcp`.
namespace mooncake::net::detail {

inline constexpr std::uint32_t seal_bytes = 2 * sizeof(std::uint64_t);

template <class Byte>
[[nodiscard]] std::uint64_t digest_of(std::span<const std::span<Byte>> payload) noexcept {
    auto hasher = core::detail::PieceHasher();
    for (const auto& piece : payload) hasher.add(piece);
    return hasher.hash();
}

[[nodiscard]] inline std::uint64_t digest_of(const FrameHeader& header, std::string_view message) noexcept {
    auto hasher = core::detail::PieceHasher();
    hasher.add(std::as_bytes(std::span(&header, 1)));
    hasher.add(bytes_of(message));
    return hasher.hash();
}

inline void append(std::string& message, std::uint64_t number) {
    message.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Makes `message` longer by `seal_bytes`, and says so in `header`. Requires: they are what is sent otherwise.
inline void seal(FrameHeader& header, std::string& message, std::uint64_t payload_digest) {
    header.meta_bytes += seal_bytes;
    append(message, payload_digest);
    append(message, digest_of(header, message));
}
inline void seal(std::span<std::byte, FrameHeader::size> raw, std::string& message, std::uint64_t payload_digest) {
    auto header = FrameHeader();
    std::memcpy(&header, raw.data(), FrameHeader::size);
    seal(header, message, payload_digest);
    encode_header(header, raw);
}

/// Takes the seal off again, and gives what the payload's digest has to be. Errors: `corrupt`: it is damaged.
[[nodiscard]] inline Result<std::uint64_t> unseal(FrameHeader& header, std::string& message) {
    auto numbers = std::array<std::uint64_t, 2>();
    if (message.size() < seal_bytes) return Error(Errc::corrupt, "a frame that should be sealed is not");
    const auto bare = message.size() - seal_bytes;
    std::memcpy(numbers.data(), message.data() + bare, seal_bytes);
    const auto [payload_digest, digest] = numbers;
    if (digest_of(header, std::string_view(message).substr(0, bare + sizeof digest)) != digest)
        return Error(Errc::corrupt, "a frame was damaged on the way: its seal is another one's");
    message.resize(bare);
    header.meta_bytes -= seal_bytes;
    return payload_digest;
}

[[nodiscard]] inline Error damaged_payload() {
    return {Errc::corrupt, "a payload was damaged on the way: its digest is another one's"};
}

} // namespace mooncake::net::detail
