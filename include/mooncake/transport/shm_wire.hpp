#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/core/text_file.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/net/frame.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

/// What the two ends of shared memory say to each other over a unix socket (SOCK_SEQPACKET: one packet, one message).
namespace mooncake::transport::detail {

enum class ShmKind : std::uint32_t {
    hello = 1, ///< client: `id` is the wire version, `generation` the segment's
    map = 2,   ///< client: wants the region that holds `offset`, and shows `key`
    reply =
        3, ///< server: to hello and map; for a map that was granted the region, and its memory's descriptor beside it
    revoked = 4,  ///< server: the region at `offset` is going away; use it no more, and say when you are done
    released = 5, ///< client: has unmapped one mapping of the region at `offset`
    fence = 6,  ///< server: no write of epoch `id`, or of an older one, may touch `[offset, offset + length)` any more
    fenced = 7, ///< client: none does, as it was asked by the fence of that `id`; not said while one is under way
};

struct ShmMessage {
    static constexpr std::uint32_t magic_number = 0x314d4853; // "SHM1"

    std::uint32_t magic = magic_number;
    ShmKind kind = ShmKind::hello;
    std::uint64_t id = 0; ///< of a request and its reply
    std::uint64_t generation = 0;
    std::uint64_t offset = 0; ///< in the segment
    std::uint64_t length = 0; ///< of the region
    std::uint64_t key = 0;
    std::uint32_t status = 0; ///< an `Errc`
    std::uint32_t rights = 0; ///< of the mapping: `Rights`; and `by_address`

    /// In a map: memory that cannot be mapped will do at its address, see `ForeignProcess`. In its reply: that it is such,
    /// and `generation` its address, with no descriptor beside it.
    static constexpr std::uint32_t by_address = 0x100;
};
static_assert(std::has_unique_object_representations_v<ShmMessage>, "no padding: what is sent is what was set");

/// Sends without waiting: a peer that does not read is a peer that is gone. Gives 0 or errno. Thread: any.
[[nodiscard]] inline int send_message(int socket, const ShmMessage& message, int fd = -1) noexcept {
    auto part = iovec{const_cast<ShmMessage*>(&message), sizeof message};
    alignas(cmsghdr) auto control = std::array<char, CMSG_SPACE(sizeof(int))>{};
    auto header = msghdr{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fd >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        auto* const extra = CMSG_FIRSTHDR(&header);
        extra->cmsg_level = SOL_SOCKET;
        extra->cmsg_type = SCM_RIGHTS;
        extra->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(extra), &fd, sizeof fd);
    }
    while (sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR) return errno;
    return 0;
}

struct ShmReceived {
    ShmMessage message;
    FileDescriptor fd;
    int error = 0; ///< errno; `EPIPE` when the peer has gone, `EPROTO` when it sent something else
};

/// Takes one message, if there is one: otherwise `error` is `EAGAIN`.
[[nodiscard]] inline ShmReceived receive_message(int socket) noexcept {
    auto received = ShmReceived();
    auto part = iovec{&received.message, sizeof received.message};
    alignas(cmsghdr) auto control = std::array<char, CMSG_SPACE(sizeof(int))>{};
    auto header = msghdr{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    auto bytes = ssize_t{0};
    do bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (bytes < 0 && errno == EINTR);
    received.error = bytes < 0 ? errno : bytes == 0 ? EPIPE : 0;
    if (received.error != 0) return received;
    auto many = false;
    for (auto* extra = CMSG_FIRSTHDR(&header); extra != nullptr; extra = CMSG_NXTHDR(&header, extra)) {
        if (extra->cmsg_level != SOL_SOCKET || extra->cmsg_type != SCM_RIGHTS) continue;
        // All of them are ours now, wanted or not.
        for (auto at = CMSG_LEN(0); at + sizeof(int) <= extra->cmsg_len; at += sizeof(int)) {
            auto fd = -1;
            std::memcpy(&fd, reinterpret_cast<const char*>(extra) + at, sizeof fd);
            auto owner = FileDescriptor(fd);
            many |= static_cast<bool>(received.fd);
            if (!received.fd) received.fd = std::move(owner);
        }
    }
    if (many || bytes != sizeof received.message || received.message.magic != ShmMessage::magic_number ||
        (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        received.error = EPROTO;
    return received;
}

/// Waits for a message. Cancellation: `error` is `ECANCELED`.
template <class Descriptor>
asio::awaitable<ShmReceived> next_message(Descriptor& socket) {
    for (;;) {
        auto received = receive_message(socket.native_handle());
        if (received.error != EAGAIN) co_return received;
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) {
            received.error = ECANCELED;
            co_return received;
        }
        const auto [error] =
            co_await socket.async_wait(asio::posix::descriptor_base::wait_read, asio::as_tuple(asio::use_awaitable));
        if (error) {
            received.error = ECANCELED;
            co_return received;
        }
    }
}

/// An abstract unix address: it vanishes with its last socket, and lives in the network namespace.
struct UnixAddress {
    sockaddr_un address{};
    socklen_t length = 0;

    explicit UnixAddress(std::string_view name) noexcept {
        address.sun_family = AF_UNIX;
        const auto bytes = std::min(name.size(), sizeof address.sun_path - 1);
        std::memcpy(address.sun_path + 1, name.data(), bytes);
        length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + bytes);
    }
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address); }
};

/// Tells whether two processes can meet at an abstract unix address: same boot of the same kernel, same network namespace.
[[nodiscard]] inline std::string host_identity() {
    auto boot = core::detail::read_text_file("/proc/sys/kernel/random/boot_id");
    while (!boot.empty() && boot.back() == '\n') boot.pop_back();
    auto space = std::array<char, PATH_MAX>();
    const auto length = readlink("/proc/self/ns/net", space.data(), space.size());
    return boot + "/" +
           (length > 0 ? std::string(space.data(), static_cast<std::size_t>(length)) : std::string("unknown"));
}

} // namespace mooncake::transport::detail
