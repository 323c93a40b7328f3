#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/net/service.hpp>
#include <mooncake/net/stream.hpp>

#include <array>
#include <cstring>
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

/// The answer to a hello that is welcome. Who is older takes no notice of what it says.
[[nodiscard]] inline std::string welcome_text(std::string_view service, Welcome welcome) {
    auto text = std::string(service).append(1, '\0');
    encode(welcome, text);
    return text;
}
/// Nothing, where the server is older than welcomes.
[[nodiscard]] inline Welcome read_welcome(std::string_view text) {
    const auto name_end = text.find('\0');
    if (name_end == std::string_view::npos) return {};
    const auto welcome = decode<Welcome>(text.substr(name_end + 1));
    return welcome ? *welcome : Welcome();
}

/// What a server says to the first frame of a connection: `ok`, and in `welcome` what it has, or why it ends.
template <class = void> // only who uses it pays for compiling it
[[nodiscard]] Error judge_hello(const Exchange& exchange, const FrameService& service, Welcome& welcome) {
    auto no_hello = Error(Errc::protocol_error, "the first frame is no hello");
    if (exchange.request.method != 0 || exchange.request.payload_bytes != 0) return no_hello;
    auto version = wire_version;
    if (exchange.message.size() >= sizeof version)
        std::memcpy(&version, exchange.message.data(), sizeof version); // the rest of another's may be another
    if (version != wire_version)
        return {Errc::version_mismatch, "this server speaks wire version " + std::to_string(wire_version) +
                                            ", the peer " + std::to_string(version) +
                                            "; build both from the same release"};
    const auto hello = decode<Hello>(exchange.message);
    if (!hello) return no_hello;
    if (hello->service != service.name())
        return {Errc::protocol_error,
                "this address serves '" + std::string(service.name()) + "', not " + in_quotes(hello->service)};
    if (hello->generation != 0 && hello->generation != service.generation())
        return {Errc::stale_generation, "the segment was restarted since its record was read; open it again"};
    welcome.features = hello->features & wire_features::all;
    return {};
}

} // namespace mooncake::net::detail
