#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/memory/access.hpp>
#include <mooncake/memory/mapping.hpp>
#include <mooncake/transport/shm_wire.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

namespace mooncake::transport::detail {

/// Notices that wait until the server reads again: a window may be dropped by anybody, who is not to wait for that.
struct ShmOutbox {
    Event come;
    std::mutex mutex; // of what follows
    std::deque<std::uint64_t> released;
    bool closed = false;
};

/// The client's end of the socket as the link and its windows hold it: hung up when the last of them is gone, since the
/// server takes a client that hangs up for one that has nothing mapped. Needs no runtime: a window may outlive that.
class ShmSession {
  public:
    explicit ShmSession(FileDescriptor socket) noexcept : socket_(std::move(socket)) {}
    ShmSession(const ShmSession&) = delete;
    ShmSession& operator=(const ShmSession&) = delete;
    ~ShmSession() {
        hang_up();
        const auto lock = std::lock_guard(outbox_->mutex);
        outbox_->closed = true;
        outbox_->come.set();
    }

    void hang_up() const noexcept { shutdown(socket_.get(), SHUT_RDWR); }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    /// Gives 0 or errno.
    [[nodiscard]] int send(const ShmMessage& message) const noexcept { return send_message(socket_.get(), message); }
    /// Never waits: where the server has much to read already, `deliver` says it later. A notice that is lost would keep the
    /// region pinned; a server that is gone needs none.
    void notify_released(std::uint64_t offset) const {
        if (send(released_notice(offset)) != EAGAIN) return;
        const auto lock = std::lock_guard(outbox_->mutex);
        outbox_->released.push_back(offset);
        outbox_->come.set();
    }
    static ShmMessage released_notice(std::uint64_t offset) noexcept {
        return {.kind = ShmKind::released, .offset = offset};
    }
    [[nodiscard]] const std::shared_ptr<ShmOutbox>& outbox() const noexcept { return outbox_; }
    /// The same socket once more, for a coroutine that waits for it. Errors: `system`.
    [[nodiscard]] Result<FileDescriptor> another_end() const {
        auto fd = FileDescriptor(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
        if (!fd) return errno_error("fcntl(F_DUPFD_CLOEXEC)", errno);
        return fd;
    }

  private:
    const FileDescriptor socket_;
    const std::shared_ptr<ShmOutbox> outbox_ = std::make_shared<ShmOutbox>();
};

/// A peer's region as memory of this process, or as what it is in the peer's. Lets go of it when the last user is done.
struct ShmWindow {
    std::shared_ptr<const ShmSession> session;
    std::uint64_t offset = 0; ///< in the segment
    std::uint64_t length = 0; ///< of the region; the mapping is of whole pages
    std::uint64_t key = 0;
    Rights rights = Rights::none;
    std::uint64_t floor =
        0; ///< the highest epoch that was fenced in there when it was mapped: older writes go another way
    Mapping mapping;
    std::byte* address = nullptr; ///< where there is no mapping: in the peer's memory, for `ForeignProcess`

    ShmWindow() = default;
    ShmWindow(const ShmWindow&) = delete;
    ShmWindow& operator=(const ShmWindow&) = delete;
    ~ShmWindow() {
        mapping = Mapping();
        session->notify_released(offset);
    }

    [[nodiscard]] bool mapped() const noexcept { return address == nullptr; }
    [[nodiscard]] std::byte* at(std::uint64_t remote, std::uint64_t bytes) const noexcept {
        if (remote < offset || !within(remote - offset, bytes, length)) return nullptr;
        return (mapped() ? mapping.bytes().data() : address) + (remote - offset);
    }
};

} // namespace mooncake::transport::detail
