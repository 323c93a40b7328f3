#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/frame.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace mooncake::test {

/// The bytes of one frame.
inline std::string frame(FrameHeader header, std::string_view meta = {}, std::string_view payload = {}) {
    header.meta_bytes = static_cast<std::uint32_t>(meta.size());
    header.payload_bytes = payload.size();
    auto bytes = std::array<std::byte, FrameHeader::size>();
    encode_header(header, bytes);
    auto text = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.append(meta).append(payload);
}

inline std::string hello(std::string service, std::uint64_t generation = 0, std::uint32_t version = wire_version) {
    return frame({}, encode(Hello{.version = version, .service = std::move(service), .generation = generation}));
}

/// A blocking socket that says what the test wants it to say. Reads give up after 10 s.
class RawPeer {
  public:
    explicit RawPeer(const Endpoint& server) : socket_(context_) {
        socket_.connect({asio::ip::make_address(server.host), server.port});
    }
    explicit RawPeer(asio::ip::tcp::acceptor& acceptor) : socket_(context_) {
        auto error = boost::system::error_code();
        if (readable(acceptor.native_handle())) acceptor.accept(socket_, error);
    }

    void say(std::string_view bytes) {
        auto error = boost::system::error_code();
        while (!bytes.empty() && !error)
            bytes.remove_prefix(socket_.write_some(asio::const_buffer(bytes.data(), bytes.size()), error));
    }

    /// The next frame's header, with message and payload in `text`; none when the peer has gone, or says nothing.
    std::optional<FrameHeader> listen() {
        auto header = FrameHeader();
        if (!read(reinterpret_cast<char*>(&header), sizeof header)) return std::nullopt;
        text.resize(header.meta_bytes + header.payload_bytes);
        if (!read(text.data(), text.size())) return std::nullopt;
        return header;
    }

    /// Whether the peer ends the connection, after whatever else it still says.
    bool is_cut_off() {
        auto rest = std::array<char, 4096>();
        while (readable(socket_.native_handle()))
            if (recv(socket_.native_handle(), rest.data(), rest.size(), 0) <= 0) return true;
        return false;
    }

    /// All that the peer says until it ends the connection, or is silent.
    std::string everything() {
        auto all = std::string();
        auto some = std::array<char, 4096>();
        while (readable(socket_.native_handle())) {
            const auto got = recv(socket_.native_handle(), some.data(), some.size(), 0);
            if (got <= 0) break;
            all.append(some.data(), static_cast<std::size_t>(got));
        }
        return all;
    }

    /// Whether there is something to listen to.
    [[nodiscard]] bool hears() { return readable(socket_.native_handle()); }
    [[nodiscard]] int fd() { return socket_.native_handle(); }

    std::string text;

  private:
    static bool readable(int fd) {
        auto waiting = pollfd{.fd = fd, .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 10'000) == 1;
    }
    bool read(char* to, std::size_t bytes) {
        while (bytes != 0) {
            if (!readable(socket_.native_handle())) return false;
            const auto got = recv(socket_.native_handle(), to, bytes, 0);
            if (got <= 0) return false;
            to += got;
            bytes -= static_cast<std::size_t>(got);
        }
        return true;
    }

    asio::io_context context_;
    asio::ip::tcp::socket socket_;
};

/// A listening socket that nobody accepts from, unless the test does.
struct SilentServer {
    SilentServer() : acceptor(context, {asio::ip::address_v4::loopback(), 0}) {}
    [[nodiscard]] Endpoint endpoint() const { return {"127.0.0.1", acceptor.local_endpoint().port()}; }

    asio::io_context context;
    asio::ip::tcp::acceptor acceptor;
};

} // namespace mooncake::test
