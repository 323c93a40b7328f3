#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/net/stream.hpp>

#include <array>
#include <span>
#include <string>

namespace mooncake::net::detail {

/// A frame that is a header and a message.
[[nodiscard]] inline std::string make_frame(FrameHeader header, std::string_view meta = {}) {
    header.meta_bytes = static_cast<std::uint32_t>(meta.size());
    auto head = std::array<std::byte, FrameHeader::size>();
    encode_header(header, head);
    return std::string(text_of(head)).append(meta);
}

/// Sends the first frame of a connection. It goes ahead of everything; its answer is awaited before anything else is sent.
/// Lifetime: `stream` outlives it.
template <AsyncStream S>
asio::awaitable<boost::system::error_code> say_hello(S& stream, Hello hello) {
    auto frame = make_frame(FrameHeader(), encode(hello));
    while (!frame.empty()) {
        auto out = std::array{asio::const_buffer(frame.data(), frame.size())};
        const auto [error, sent] = co_await stream.async_write_some(std::span<asio::const_buffer>(out), as_result);
        if (error) co_return error;
        frame.erase(0, sent);
    }
    co_return boost::system::error_code();
}

} // namespace mooncake::net::detail
