#include "support/raw_socket.hpp"

#include "cluster/daemon.hpp"
#include "support/copies.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

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

/// Waits until something has come.
void sleep_in(const FileDescriptor& epoll) {
    auto event = epoll_event();
    while (epoll_wait(epoll.get(), &event, 1, -1) < 0) check(errno == EINTR, "epoll_wait");
}

FileDescriptor epoll_of(int socket) {
    auto epoll = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    auto event = epoll_event();
    event.events = EPOLLIN | EPOLLET;
    check(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
    return epoll;
}

/// A message that may come in pieces; false at the end of the stream.
bool receive_asleep(const FileDescriptor& epoll, int socket, std::vector<std::byte>& message) {
    for (std::size_t done = 0; done != message.size();) {
        const auto got = recv(socket, message.data() + done, message.size() - done, MSG_DONTWAIT);
        if (got == 0) return false;
        if (got > 0) done += static_cast<std::size_t>(got);
        else if (errno == EAGAIN) sleep_in(epoll);
        else check(false, "recv");
    }
    return true;
}

/// The same, but whoever waits looks so often in vain before he sleeps.
bool receive_awake(int socket, std::vector<std::byte>& message, std::uint64_t looks) {
    auto left = looks;
    for (std::size_t done = 0; done != message.size();) {
        const auto wait = left == 0 ? 0 : MSG_DONTWAIT;
        const auto got = recv(socket, message.data() + done, message.size() - done, wait);
        if (got == 0) return false;
        if (got > 0) done += static_cast<std::size_t>(got);
        else if (errno == EAGAIN && left != 0) --left;
        else check(false, "recv");
    }
    return true;
}

FileDescriptor listen_anywhere() {
    auto listener = FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    auto length = socklen_t{sizeof address};
    check(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) == 0, "bind");
    check(listen(listener.get(), 1) == 0, "listen");
    check(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
    cluster::announce(std::to_string(ntohs(address.sin_port)));
    auto peer = FileDescriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    check(peer.get() >= 0, "accept4");
    return peer;
}

FileDescriptor connected(const std::string& port) {
    auto socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(static_cast<std::uint16_t>(std::stoul(port)));
    check(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    const auto yes = 1;
    check(setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0, "setsockopt");
    return socket;
}

} // namespace

void sink(std::vector<std::string> arguments) {
    const auto arena = cold_arena(std::stoull(arguments.at(0)), mooncake::ArenaSharing::host);
    const auto block = std::stoull(arguments.at(1));
    const auto peer = listen_anywhere();
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

void source(std::vector<std::string> arguments) {
    const auto arena = cold_arena(std::stoull(arguments.at(0)), mooncake::ArenaSharing::host);
    const auto block = std::stoull(arguments.at(1));
    const auto peer = listen_anywhere();
    auto left = std::uint64_t{0};
    while (receive(peer.get(), reinterpret_cast<std::byte*>(&left), sizeof left))
        for (std::uint64_t at = 0; left != 0; at = (at + block) % arena->bytes().size()) {
            const auto now = std::min<std::uint64_t>(left, block);
            send(peer.get(), arena->bytes().data() + at, now);
            left -= now;
        }
}

RawSocket::RawSocket(const std::string& port) : socket_(connected(port)) {}

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

Sample RawSocket::receive_all(MutableBytes into, std::size_t piece) {
    return timed(static_cast<double>(into.size()), [&] {
        const auto total = std::uint64_t{into.size()};
        send(socket_.get(), &total, sizeof total);
        for (std::size_t at = 0; at < into.size(); at += piece)
            check(receive(socket_.get(), into.data() + at, std::min(piece, into.size() - at)),
                  "recv of what was asked");
    });
}

void echo(std::vector<std::string> arguments) {
    auto message = std::vector<std::byte>(std::stoull(arguments.at(0)));
    const auto peer = listen_anywhere();
    const auto yes = 1;
    check(setsockopt(peer.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0, "setsockopt");
    const auto looks = arguments.size() > 1 ? std::stoull(arguments[1]) : 0;
    const auto epoll = looks == 0 ? epoll_of(peer.get()) : FileDescriptor();
    while (looks == 0 ? receive_asleep(epoll, peer.get(), message) : receive_awake(peer.get(), message, looks))
        send(peer.get(), message.data(), message.size());
}

RawEcho::RawEcho(const std::string& port, std::size_t bytes, std::uint64_t looks)
    : socket_(connected(port)), epoll_(looks == 0 ? epoll_of(socket_.get()) : FileDescriptor()), message_(bytes),
      looks_(looks) {}

Sample RawEcho::round_trips(std::uint64_t count) {
    return timed(static_cast<double>(count), [&] {
        for (std::uint64_t i = 0; i < count; ++i) {
            send(socket_.get(), message_.data(), message_.size());
            const auto whole = looks_ == 0 ? receive_asleep(epoll_, socket_.get(), message_)
                                           : receive_awake(socket_.get(), message_, looks_);
            check(whole, "recv of the echo");
        }
    });
}

} // namespace bench
