#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/priority.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/net/latch.hpp>
#include <mooncake/net/scatter.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mooncake {

/// One request on a lane and its reply. It belongs to the caller's frame, and the lane points to it, and to the memory it
/// names, from `submit` until it counts down its latch.
struct LaneOperation {
    // what to send
    std::uint32_t method = 0;
    std::string meta;
    std::span<const ConstBytes> payload;
    Deadline deadline; ///< told to the server, which need not answer later
    Priority priority = Priority::normal;

    // what came back
    Error error;                               ///< `ok`, or why there is no reply
    std::uint16_t status = 0;                  ///< the reply's status, an `Errc`
    std::string reply;                         ///< the reply's message
    std::vector<MutableBytes> sinks;           ///< where the reply's payload goes; what `prepare` leaves here counts
    Errc (*prepare)(LaneOperation&) = nullptr; ///< looks at `reply` before the payload comes; `ok`, or the lane ends
    void* owner = nullptr;                     ///< the caller's own, for `prepare`

    net::detail::Latch* latch = nullptr;

    // the lane's own
    std::uint64_t id = 0;
    std::uint64_t weight = 0;
    std::uint64_t payload_digest = 0;     ///< where frames may be sealed
    core::detail::Standing standing = {}; ///< in the queue
    std::array<std::byte, FrameHeader::size> header;
    std::uint64_t head_sent = 0; ///< of header and meta
    net::detail::SpanCursor<const std::byte> unsent;
    TimePoint left_at{};     ///< out, once it is `maybe_sent`: when
    bool maybe_sent = false; ///< out: some of it may have gone out, and arrive even if there is an error
    bool answered = false;   ///< before the lane knew that all of it was sent
    bool given_up = false;   ///< its owner waits to have its memory back, and `error` says why
};

namespace net::detail {

/// `too_large` for what the peer would not take. `more`: bytes that the message gets on its way.
[[nodiscard]] inline Error check_size(const LaneOperation& operation, const FrameLimits& limits, const Endpoint& peer,
                                      std::uint32_t more = 0) {
    const auto payload = total_bytes(operation.payload);
    if (operation.meta.size() + more <= limits.meta_bytes && payload <= limits.payload_bytes) return {};
    return {Errc::too_large, "a request to " + to_string(peer) + " has a message of " +
                                 std::to_string(operation.meta.size()) + " and a payload of " +
                                 std::to_string(payload) + " bytes; the limits are " +
                                 std::to_string(limits.meta_bytes) + " and " + std::to_string(limits.payload_bytes) +
                                 ": ask in several requests"};
}

/// Makes `operation` ready to go out under this number.
inline void make_ready(LaneOperation& operation, std::uint64_t id, TimePoint now) {
    operation.id = id;
    operation.unsent = SpanCursor<const std::byte>(operation.payload);
    operation.standing = {operation.priority, operation.deadline, now};
    auto header = FrameHeader();
    header.method = operation.method;
    header.status = wait_on_wire(operation.deadline, operation.standing.since);
    header.priority = operation.priority;
    header.meta_bytes = static_cast<std::uint32_t>(operation.meta.size());
    header.id = id;
    header.payload_bytes = total_bytes(operation.payload);
    encode_header(header, operation.header);
}

/// Bytes that it moves, there and back.
[[nodiscard]] inline std::uint64_t weight_of(const LaneOperation& operation) noexcept {
    auto bytes = std::uint64_t{FrameHeader::size} + operation.meta.size() + total_bytes(operation.payload);
    for (const auto& sink : operation.sinks) bytes += sink.size();
    return bytes;
}

/// Takes what a reply says before its payload; `protocol_error` where that does not fit the request.
[[nodiscard]] inline Errc accept_reply(LaneOperation& operation, const FrameHeader& header, std::string& meta) {
    operation.status = header.status;
    operation.reply.swap(meta);
    if (operation.prepare)
        if (const auto bad = operation.prepare(operation); bad != Errc::ok) return bad;
    return total_bytes(std::span<const MutableBytes>(operation.sinks)) == header.payload_bytes ? Errc::ok
                                                                                               : Errc::protocol_error;
}

} // namespace net::detail

} // namespace mooncake
