#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/repeats.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>
#include <mooncake/transport/shm_config.hpp>
#include <mooncake/transport/shm_wire.hpp>

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::transport::detail {

/// Hands the memory of this process's regions to peers that show a key, and asks for it back when a region goes.
/// A region that was handed out stays pinned until its peer has let go of it, or has died.
template <class Void = void>
class BasicShmServer {
  public:
    static constexpr std::size_t most_mappings = 65'536; ///< of one peer
    static constexpr std::size_t most_peers = 1'024;     ///< who have shown a key
    static constexpr std::size_t most_strangers = 64;    ///< who have not: beyond, the one that came first makes room
    static constexpr std::chrono::seconds stranger_for{5};

    BasicShmServer(TransportContext context, ShmTrust trust)
        : context_(std::move(context)), trust_(trust), scope_(context_.runtime.next_executor()),
          address_("mooncake-" + std::to_string(random_secret())), listener_(scope_.executor()) {
        auto fd = FileDescriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) throw_error(errno_error("socket(AF_UNIX)", errno));
        const auto name = UnixAddress(address_);
        if (bind(fd.get(), name.get(), name.length) != 0) throw_error(errno_error("bind of a unix socket", errno));
        if (listen(fd.get(), 128) != 0) throw_error(errno_error("listen on a unix socket", errno));
        listener_.assign(fd.release());
    }

    [[nodiscard]] const std::string& address() const noexcept { return address_; }

    void start() {
        context_.regions->listen(this, [this](const RegionPin& region) { revoke(region); });
        (void)scope_.spawn(accept_all());
        (void)scope_.spawn(expel_strangers());
    }

    /// Whether no peer writes to these bytes of the segment any more for an allocation of `epoch` or an older one. Asks those
    /// who map them for writing; to be called again until it is true. One that does not answer, such as one that is stopped,
    /// keeps it false until it does or is gone. Thread: any.
    [[nodiscard]] bool fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(mutex_);
        auto all = true;
        for (auto& peer : peers_) {
            if (!may_write(peer, offset, length)) continue;
            const auto at = peer.fences.try_emplace(epoch).first;
            all &= at->second.done;
            if (at->second.done || at->second.asked + ask_again > now) continue;
            at->second.asked = now;
            const auto question = ShmMessage{.kind = ShmKind::fence, .id = epoch, .offset = offset, .length = length};
            (void)send_message(peer.socket.native_handle(), question);
        }
        if (all)
            for (auto& peer : peers_) peer.fences.erase(epoch);
        return all;
    }

    asio::awaitable<void> close() {
        context_.regions->unlisten(this);
        co_await scope_.close();
        const auto lock = std::lock_guard(mutex_);
        peers_.clear();
        auto ignored = boost::system::error_code();
        listener_.close(ignored);
    }

  private:
    using Descriptor = core::detail::later<asio::posix::stream_descriptor, Void>;

    struct Peer {
        explicit Peer(const Executor& executor) : socket(executor) {}
        Descriptor socket;
        TimePoint since = SteadyClock{}.now();
        bool greeted = false;
        bool known = false;    ///< has shown a key; guarded by the server's mutex, as what follows
        bool expelled = false; ///< and on its way out

        [[nodiscard]] bool stranger() const noexcept { return !known && !expelled; }
        struct Mapped {
            RegionPin region;
            Rights rights;
        };
        struct Fence {
            TimePoint asked;
            bool done = false;
        };
        // guarded by the server's mutex
        std::vector<Mapped> mapped;            ///< one entry a mapping
        std::map<std::uint64_t, Fence> fences; ///< by epoch: what it was asked to fence
    };

    Task<void> accept_all() {
        for (;;) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return ok;
            const auto [error] = co_await listener_.async_wait(asio::posix::descriptor_base::wait_read,
                                                               asio::as_tuple(asio::use_awaitable));
            if (error) co_return ok;
            auto fd =
                FileDescriptor(accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) {
                if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) continue;
                log_(Severity::warning, "accept", errno_error("accepting a shared-memory peer", errno).message());
                auto pause = Event();
                const auto wake = co_await pause.wait(std::chrono::milliseconds(100));
                if (wake == Wake::cancelled) co_return ok;
                continue;
            }
            // Spawning runs the coroutine up to its first wait, and it takes the lock when the peer has gone already.
            const auto peer = admit(std::move(fd));
            if (peer == peers_.end()) continue;
            (void)scope_.spawn(serve(peer));
        }
    }

    /// The end: there are too many.
    typename std::list<Peer>::iterator admit(FileDescriptor fd) {
        const auto lock = std::lock_guard(mutex_);
        const auto strangers =
            std::count_if(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.stranger(); });
        if (peers_.size() >= most_peers + most_strangers) return peers_.end();
        if (static_cast<std::size_t>(strangers) >= most_strangers)
            expel(*std::find_if(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.stranger(); }));
        auto& peer = peers_.emplace_back(scope_.executor());
        peer.socket.assign(fd.release());
        return std::prev(peers_.end());
    }

    /// Requires: the lock is held. Its coroutine hears of it and ends.
    static void expel(Peer& peer) noexcept {
        peer.expelled = true;
        shutdown(peer.socket.native_handle(), SHUT_RDWR);
    }

    /// Who has shown no key in time has no business here.
    Task<void> expel_strangers() {
        auto pause = Event();
        for (;;) {
            const auto wake = co_await pause.wait(Deadline(std::chrono::seconds(1)));
            if (wake == Wake::cancelled) co_return ok;
            const auto before = SteadyClock{}.now() - stranger_for;
            const auto lock = std::lock_guard(mutex_);
            for (auto& peer : peers_)
                if (peer.stranger() && peer.since < before) expel(peer);
        }
    }

    Task<void> serve(typename std::list<Peer>::iterator peer) {
        for (;;) {
            auto received = co_await next_message(peer->socket);
            if (received.error == EPROTO)
                log_(Severity::warning, "breach", "cut off a shared-memory peer that sent garbage");
            if (received.error != 0 || !answer(*peer, received.message)) break;
        }
        const auto lock = std::lock_guard(mutex_);
        peers_.erase(peer);
        co_return ok;
    }

    /// Whether the peer may go on.
    bool answer(Peer& peer, const ShmMessage& message) {
        auto reply = ShmMessage{.kind = ShmKind::reply, .id = message.id, .generation = context_.regions->generation()};
        if (message.kind == ShmKind::released) return released(peer, message.offset);
        if (message.kind == ShmKind::fenced) return fenced(peer, message.id);
        if (message.kind == ShmKind::hello) {
            peer.greeted = true;
            reply.status = static_cast<std::uint32_t>(message.id != wire_version               ? Errc::version_mismatch
                                                      : message.generation != reply.generation ? Errc::stale_generation
                                                                                               : Errc::ok);
            return send_message(peer.socket.native_handle(), reply) == 0 && reply.status == 0;
        }
        if (message.kind != ShmKind::map || !peer.greeted) {
            log_(Severity::warning, "breach", "cut off a shared-memory peer that broke the protocol");
            return false;
        }
        return map(peer, message, reply);
    }

    bool map(Peer& peer, const ShmMessage& message, ShmMessage& reply) {
        const auto regions = context_.regions->snapshot();
        const auto found = regions.resolve(message.offset, 1, message.key, Rights::none);
        auto refuse = [&](Errc why) {
            reply.status = static_cast<std::uint32_t>(why);
            return send_message(peer.socket.native_handle(), reply) == 0;
        };
        if (found.error != Errc::ok) return refuse(found.error);
        const auto& region = *found.region;
        const auto rights = region->rights_granted(message.key);
        if (rights == Rights::none) return refuse(Errc::access_denied);
        {
            const auto lock = std::lock_guard(mutex_);
            peer.known = true;
        }
        // The peer need not ask again for what is no memory of an arena, or not for him.
        reply.offset = region->offset;
        reply.length = region->bytes.size();
        // Memory of the user's own, and what this peer may not map, it may reach if the kernel lets it anyway.
        const auto own = !region->arena;
        const auto mapped = !own && region->arena->shareable() && may_map(peer, *region->arena, rights);
        const auto reached = (message.rights & ShmMessage::by_address) != 0 &&
                             (own || (region->arena->shareable() && !includes(rights, Rights::write)));
        if (!mapped && !reached) return refuse(Errc::not_mapped);
        // Read-only peers get a descriptor that cannot be mapped for writing.
        auto read_only = FileDescriptor();
        if (mapped && !includes(rights, Rights::write)) {
            auto opened = region->arena->read_only_fd();
            if (!opened) return refuse(opened.error().code());
            read_only = std::move(*opened);
        }
        reply.rights = static_cast<std::uint32_t>(rights);
        if (!mapped) {
            reply.rights |= ShmMessage::by_address;
            reply.generation = reinterpret_cast<std::uintptr_t>(region->bytes.data());
        }
        {
            const auto lock = std::lock_guard(mutex_);
            if (peer.mapped.size() >= most_mappings) return refuse(Errc::too_large);
            peer.mapped.push_back({region, rights});
            // Noted first, looked at after: a fence that is raised from now on is told to this peer as well.
            reply.key = context_.regions->fence().highest(region->offset, region->bytes.size());
        }
        // Noted first, looked up again after: a removal in between has either told the peer, or is seen here.
        if (context_.regions->snapshot().resolve(message.offset, 1, message.key, Rights::none).error != Errc::ok)
            return released(peer, region->offset) && refuse(Errc::out_of_range);
        const auto memory = !mapped ? -1 : read_only ? read_only.get() : region->arena->fd();
        return send_message(peer.socket.native_handle(), reply, memory) == 0;
    }

    /// Whether the kernel keeps this peer to `rights`. One who may only read is handed a descriptor for reading, and a process
    /// can open its descriptors again for writing where the file's mode lets it.
    bool may_map(const Peer& peer, const Arena& arena, Rights rights) const noexcept {
        const auto sealed = arena.write_sealed();
        if (includes(rights, Rights::write)) return !sealed;
        if (sealed || trust_ == ShmTrust::same_user) return true;
        auto who = ucred{};
        auto size = socklen_t{sizeof who};
        if (getsockopt(const_cast<Peer&>(peer).socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
            return false;
        return who.pid == getpid() || (who.uid != 0 && who.uid != geteuid());
    }

    static constexpr Duration ask_again = std::chrono::milliseconds{200};

    /// Requires: the lock is held.
    static bool may_write(const Peer& peer, std::uint64_t offset, std::uint64_t length) {
        return std::any_of(peer.mapped.begin(), peer.mapped.end(), [&](const typename Peer::Mapped& mapped) {
            const auto& region = *mapped.region;
            return includes(mapped.rights, Rights::write) && region.offset < offset + length &&
                   offset < region.offset + region.bytes.size();
        });
    }

    bool fenced(Peer& peer, std::uint64_t epoch) {
        const auto lock = std::lock_guard(mutex_);
        if (const auto found = peer.fences.find(epoch); found != peer.fences.end()) found->second.done = true;
        return true;
    }

    bool released(Peer& peer, std::uint64_t offset) {
        const auto lock = std::lock_guard(mutex_);
        const auto at = std::find_if(peer.mapped.begin(), peer.mapped.end(),
                                     [offset](const auto& mapped) { return mapped.region->offset == offset; });
        if (at == peer.mapped.end()) return false;
        peer.mapped.erase(at);
        return true;
    }

    void revoke(const RegionPin& region) {
        const auto lock = std::lock_guard(mutex_);
        for (auto& peer : peers_) {
            const auto maps = [&region](const auto& mapped) { return mapped.region == region; };
            if (std::none_of(peer.mapped.begin(), peer.mapped.end(), maps)) continue;
            const auto notice = ShmMessage{.kind = ShmKind::revoked, .offset = region->offset};
            // One who does not read is told by the end of what there is to read. He stays in the list, with what he maps,
            // until his own end closes: before, nothing says that he writes no more.
            if (send_message(peer.socket.native_handle(), notice) != 0) shutdown(peer.socket.native_handle(), SHUT_WR);
        }
    }

    const TransportContext context_;
    Repeats log_{context_.log};
    const ShmTrust trust_;
    TaskScope scope_;
    const std::string address_;
    Descriptor listener_;
    std::mutex mutex_; // of `peers_` and what they have mapped
    std::list<Peer> peers_;
};

using ShmServer = BasicShmServer<>;

} // namespace mooncake::transport::detail
