#include "support/raw_socket.hpp"

#include "cluster/daemon.hpp"
#include "support/copies.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace bench {
namespace {

using namespace mooncake;

void check(bool good, std::string_view call) {
    if (!good) throw_error(errno_error(call, errno));
}

/// All of it; false at the end of the stream.
bool receive(int socket, std::byte* into, std::size_t bytes) {
    while (bytes != 0) {
        const auto got = recv(socket, into, bytes, 0);
        check(got >= 0, "recv");
        if (got == 0) return false;
        into += got;
        bytes -= static_cast<std::size_t>(got);
    }
    return true;
}

void send(int socket, const void* from, std::size_t bytes) {
    const auto* at = static_cast<const std::byte*>(from);
    while (bytes != 0) {
        const auto sent = ::send(socket, at, bytes, MSG_NOSIGNAL);
        check(sent > 0, "send");
        at += sent;
        bytes -= static_cast<std::size_t>(sent);
    }
}

sockaddr_in loopback(std::uint16_t port) {
    auto address = sockaddr_in();
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

} // namespace

void sink(std::vector<std::string> arguments) {
    const auto arena = cold_arena(std::stoull(arguments.at(0)), mooncake::ArenaSharing::host);
    const auto block = std::stoull(arguments.at(1));
    const auto listener = FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    auto length = socklen_t{sizeof address};
    check(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
    check(listen(listener.get(), 1) == 0, "listen");
    check(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    cluster::announce(std::to_string(ntohs(address.sin_port)));
    const auto peer = FileDescriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    check(peer.get() >= 0, "accept4");
    auto left = std::uint64_t{0};
    while (receive(peer.get(), reinterpret_cast<std::byte*>(&left), sizeof left)) {
        for (std::uint64_t at = 0; left != 0; at = (at + block) % arena->bytes().size()) {
            const auto now = std::min<std::uint64_t>(left, block);
            check(receive(peer.get(), arena->bytes().data() + at, now), "recv of all that was promised");
            left -= now;
        }
        send(peer.get(), "!", 1);
    }
}

RawSocket::RawSocket(const std::string& port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = loopback(static_cast<std::uint16_t>(std::stoul(port)));
    check(connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    const auto on = 1;
    check(setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt");
}

Sample RawSocket::send_all(ConstBytes bytes, std::size_t piece) {
    return timed(static_cast<double>(bytes.size()), [&] {
        const auto total = std::uint64_t{bytes.size()};
        send(socket_.get(), &total, sizeof total);
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            send(socket_.get(), bytes.data() + at, std::min(piece, bytes.size() - at));
        auto done = std::byte();
        check(receive(socket_.get(), &done, 1), "recv of the sink's answer");
    });
}

} // namespace bench
