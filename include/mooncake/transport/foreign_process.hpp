#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/transport/slice.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::transport::detail {

/// A process of this host whose memory is reached by its addresses there (`process_vm_readv(2)`): one copy, and nothing for
/// the process to do. The kernel lets those do it who may trace the process: mostly those of the same user.
class ForeignProcess {
  public:
    /// The one at the other end of a unix socket, as the kernel names it. Null where that is not to be known: it is of another
    /// namespace, or has hung up, and its number may be somebody else's by now.
    [[nodiscard]] static std::unique_ptr<const ForeignProcess> at_other_end(int socket) {
        auto who = ucred{};
        auto size = socklen_t{sizeof who};
        if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.pid <= 0) return nullptr;
        auto pidfd = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, who.pid, 0)));
        if (!pidfd) return nullptr;
        // It is there still, so that the number was its own when it was opened.
        auto hung_up = pollfd{.fd = socket, .events = POLLRDHUP, .revents = 0};
        if (poll(&hung_up, 1, 0) < 0 || (hung_up.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return nullptr;
        return std::unique_ptr<const ForeignProcess>(new ForeignProcess(who.pid, std::move(pidfd)));
    }

    static constexpr std::size_t most_pieces = 64;       ///< of one move
    static constexpr std::uint64_t most_bytes = 1 * MiB; ///< of a piece, and of one move
    struct Piece {
        std::byte* local;
        std::byte* remote; ///< its address there
        std::size_t bytes;
        std::size_t slice; ///< whose it is
    };

    /// Moves the first of the pieces, as many as go in one move, and gives how many are done; `why` says what is wrong with
    /// the next one, if something is.
    /// `connection_lost`: it is gone; `not_mapped`: the kernel does not allow it, or such memory is not there.
    std::size_t move(Direction direction, std::span<const Piece> pieces, Errc& why) const noexcept {
        if (!alive()) return why = Errc::connection_lost, 0;
        auto here = std::array<iovec, most_pieces>(), there = here;
        auto count = std::size_t{0};
        for (auto left = most_bytes; count < std::min(pieces.size(), most_pieces); ++count) {
            const auto& piece = pieces[count];
            if (piece.bytes > left) break;
            left -= piece.bytes;
            here[count] = {piece.local, piece.bytes};
            there[count] = {piece.remote, piece.bytes};
        }
        const auto call = direction == Direction::read ? &process_vm_readv : &process_vm_writev;
        auto moved = call(pid_, here.data(), count, there.data(), count, 0);
        if (moved < 0) return why = errno == ESRCH ? Errc::connection_lost : Errc::not_mapped, 0;
        auto done = std::size_t{0};
        for (; done < count && static_cast<std::size_t>(moved) >= pieces[done].bytes; ++done)
            moved -= static_cast<ssize_t>(pieces[done].bytes);
        if (done != count) why = Errc::not_mapped;
        return done;
    }

  private:
    ForeignProcess(pid_t pid, FileDescriptor pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}

    [[nodiscard]] bool alive() const noexcept {
        auto over = pollfd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
        return poll(&over, 1, 0) <= 0; // a signal in between says nothing
    }

    const pid_t pid_;
    const FileDescriptor pidfd_;
};

/// What is to be moved of the slices whose remote end `foreign` names, in pieces of at most 1 MiB.
template <class = void>
[[nodiscard]] std::vector<ForeignProcess::Piece> cut(const SliceGroup& group, std::span<std::byte* const> foreign) {
    auto pieces = std::vector<ForeignProcess::Piece>();
    pieces.reserve(foreign.size());
    for (std::size_t i = 0; i < foreign.size(); ++i) {
        if (foreign[i] == nullptr) continue;
        const auto& slice = group.slices[i];
        auto at = std::uint64_t{0};
        do {
            const auto bytes = std::min(slice.length - at, ForeignProcess::most_bytes);
            pieces.push_back({slice.local + at, foreign[i] + at, bytes, i});
            at += bytes;
        } while (at < slice.length);
    }
    return pieces;
}

/// Moves the slices of `group` whose remote end `foreign` names, as addresses of `process` (null: not one of these).
/// Cancellation: partial, between moves, when others on the executor have their turn.
template <class = void> // only who shares memory pays for compiling it
asio::awaitable<void> move_group(const ForeignProcess& process, SliceGroup group, std::span<std::byte* const> foreign) {
    const auto executor = co_await asio::this_coro::executor;
    const auto pieces = cut(group, foreign);
    auto stopped = group.deadline.passed() ? Errc::timed_out : Errc::ok; // nothing is moved for who has given up
    for (auto rest = std::span(pieces); !rest.empty();) {
        if (stopped != Errc::ok) {
            group.slices[rest.front().slice].outcome = stopped;
            rest = rest.subspan(1);
            continue;
        }
        auto why = Errc::ok;
        rest = rest.subspan(process.move(group.direction, rest, why));
        if (why != Errc::ok) {
            group.slices[rest.front().slice].outcome = why;
            rest = rest.subspan(1);
        }
        if (rest.empty()) break;
        co_await asio::post(executor, asio::use_awaitable);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) stopped = Errc::cancelled;
        else if (group.deadline.passed()) stopped = Errc::timed_out;
    }
    if (group.digest != Digest::xxh3) co_return;
    for (std::size_t i = 0; i < foreign.size(); ++i)
        if (auto& slice = group.slices[i]; foreign[i] != nullptr && slice.outcome == Errc::ok)
            slice.digest = hash_bytes({slice.local, slice.length});
}

} // namespace mooncake::transport::detail
