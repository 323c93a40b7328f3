#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/priority.hpp>
#include <mooncake/core/result.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace mooncake {

/// The version of everything this library puts on a wire. Peers of another version are refused at the first frame. Those of
/// one version go together, older and newer: messages grow at their end, what was not sent keeps its default, and whatever
/// else is new is a feature, which a connection has when both ends say so.
inline constexpr std::uint32_t wire_version = 3;

namespace wire_features {
inline constexpr std::uint64_t sealed_frames = 1; ///< see net/seal.hpp
inline constexpr std::uint64_t all = sealed_frames;
} // namespace wire_features

enum class FrameKind : std::uint8_t {
    request = 1,
    reply = 2,
    cancel = 3, ///< of the requester: nobody waits for the reply to request `id` any more
    ping = 4,   ///< of the requester: a sign of life is wanted, which is a reply of that id
};

/// What stands before every frame, 32 bytes: then `meta_bytes` of message, then `payload_bytes` of bulk data that go
/// from and to registered memory without a stop.
struct FrameHeader {
    static constexpr std::uint32_t magic_number = 0x314b434d; // "MCK1"
    static constexpr std::size_t size = 32;

    std::uint32_t magic = magic_number;
    FrameKind kind = FrameKind::request;
    Priority priority = Priority::normal; ///< of a request: when its reply has its turn
    std::uint16_t status = 0; ///< of a reply: an `Errc`; of a request: for how many ms it is waited for, 0: no limit
    std::uint32_t method = 0; ///< which call; 0 is the hello
    std::uint32_t meta_bytes = 0; ///< limited by `FrameLimits`
    std::uint64_t id = 0;         ///< chosen by the requester; the reply repeats it
    std::uint64_t payload_bytes = 0;
};
static_assert(sizeof(FrameHeader) == FrameHeader::size && std::has_unique_object_representations_v<FrameHeader>,
              "no padding: what is sent is what was set");

struct FrameLimits {
    std::uint32_t meta_bytes = 16U << 20;     ///< most a message may have
    std::uint64_t payload_bytes = 1ULL << 33; ///< most a bulk transfer may have
};

inline void encode_header(const FrameHeader& header, std::span<std::byte, FrameHeader::size> out) noexcept {
    std::memcpy(out.data(), &header, FrameHeader::size);
}

/// The time that is left until `deadline` as a request's `status` has it.
[[nodiscard]] inline std::uint16_t wait_on_wire(Deadline deadline, TimePoint now) noexcept {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left(now)).count();
    return left > 0xffff ? std::uint16_t{0} : static_cast<std::uint16_t>(std::max<std::int64_t>(left, 1));
}
[[nodiscard]] inline Deadline deadline_from_wire(std::uint16_t wait, TimePoint now) noexcept {
    return wait == 0 ? Deadline::never() : Deadline(now + std::chrono::milliseconds{wait});
}

/// Whether a frame of that kind may come where `expected` is due: requesters say more than requests.
[[nodiscard]] constexpr bool may_come(FrameKind kind, FrameKind expected) noexcept {
    return kind == expected ||
           (expected == FrameKind::request && (kind == FrameKind::cancel || kind == FrameKind::ping));
}

/// Errors: `protocol_error` (not a frame of ours, or of the wrong kind), `too_large`.
[[nodiscard]] inline Result<FrameHeader> decode_header(std::span<const std::byte, FrameHeader::size> in,
                                                       FrameKind expected, FrameLimits limits) {
    auto header = FrameHeader();
    std::memcpy(&header, in.data(), FrameHeader::size);
    if (header.magic != FrameHeader::magic_number)
        return Error(Errc::protocol_error, "this is no mooncake process: what it says begins with " +
                                               in_quotes(text_of(in.first(8))) + " and not with 'MCK1'");
    if (!may_come(header.kind, expected))
        return Error(Errc::protocol_error, "a frame of kind " + std::to_string(static_cast<unsigned>(header.kind)) +
                                               " came where kind " + std::to_string(static_cast<unsigned>(expected)) +
                                               " was due");
    if ((header.kind == FrameKind::cancel || header.kind == FrameKind::ping) &&
        (header.meta_bytes != 0 || header.payload_bytes != 0))
        return Error(Errc::protocol_error, "a frame that is a header and nothing more came with a message");
    if (header.meta_bytes > limits.meta_bytes)
        return Error(Errc::too_large, "a message of " + std::to_string(header.meta_bytes) + " bytes; the limit is " +
                                          std::to_string(limits.meta_bytes));
    if (header.payload_bytes > limits.payload_bytes)
        return Error(Errc::too_large, "a payload of " + std::to_string(header.payload_bytes) + " bytes; the limit is " +
                                          std::to_string(limits.payload_bytes));
    return header;
}

/// The first request on every connection (method 0), answered by one of the server's. In every version the number
/// of the version comes first.
struct Hello {
    std::uint32_t version = wire_version;
    std::string service = {};        ///< what the connection is for, such as `rpc` or `transfer`
    std::uint64_t generation = 0;    ///< of the segment that is meant; 0: any
    std::string ending = "\r\n\r\n"; ///< so that a server of lines of text, such as one of HTTP, answers at once
    std::uint64_t features = 0;      ///< that the client wants
};

/// What stands behind the name and a NUL in the answer to a hello.
struct Welcome {
    std::uint64_t features = 0; ///< of those that were wanted, the ones that the connection has
};

} // namespace mooncake
