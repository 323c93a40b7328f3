#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/memory/access.hpp>
#include <mooncake/memory/write_fence.hpp>
#include <mooncake/transport/foreign_process.hpp>
#include <mooncake/transport/shm_session.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace mooncake::transport::detail {

/// The client's end of shared memory with one peer: maps the peer's regions as they are needed, and notices when the peer
/// takes one back or dies. It ends with its last user; windows that are still held stay valid. Thread: any.
template <class Void = void>
class BasicShmLink {
  public:
    using Windows = std::vector<std::shared_ptr<const ShmWindow>>;

    BasicShmLink(FileDescriptor socket, std::uint64_t generation)
        : session_(std::make_shared<const ShmSession>(std::move(socket))), generation_(generation),
          process_(ForeignProcess::at_other_end(session_->socket())) {}

    /// Connects and says hello. What the server sends is read by a coroutine in `scope`.
    /// Errors: `unreachable`, `stale_generation`, `version_mismatch`, `connection_lost`, `cancelled`, `closed`, `system`.
    static Task<std::shared_ptr<BasicShmLink>> connect(std::string address, std::uint64_t generation,
                                                       TaskScope& scope) {
        auto fd = FileDescriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) co_return errno_error("socket(AF_UNIX)", errno);
        const auto name = UnixAddress(address);
        if (::connect(fd.get(), name.get(), name.length) != 0)
            co_return Error(Errc::unreachable,
                            "shared memory of " + address + ": " + errno_error("connect", errno).message());
        auto link = std::make_shared<BasicShmLink>(std::move(fd), generation);
        auto reading_end = link->session_->another_end();
        if (!reading_end) co_return reading_end.error();
        auto writing_end = link->session_->another_end();
        if (!writing_end) co_return writing_end.error();
        auto to_read = Descriptor(scope.executor(), reading_end->release());
        const auto reading = scope.spawn(read_all(link, std::move(to_read)));
        if (!reading) co_return reading.error();
        auto to_write = Descriptor(scope.executor(), writing_end->release());
        const auto writing = scope.spawn(deliver(link->session_->outbox(), std::move(to_write)));
        if (!writing) co_return writing.error();
        const auto greeted = co_await link->greet(std::move(address));
        if (!greeted) co_return greeted.error();
        co_return link;
    }

    [[nodiscard]] bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }

    /// What is mapped now; holds it as long as it lives.
    [[nodiscard]] std::shared_ptr<const Windows> windows() const {
        const auto lock = std::lock_guard(mutex_);
        return windows_;
    }

    /// By which windows that are not mapped are reached. Requires: there is one.
    [[nodiscard]] const ForeignProcess& process() const noexcept { return *process_; }

    /// Which writes over this link still count, as the owner of the memory has it: he has nobody else to ask, since he does
    /// not see them.
    [[nodiscard]] WriteFence& fence() noexcept { return fence_; }

    /// The right to ask for a region. One asks at a time, and those who come after look whether it is mapped by then: many
    /// that begin at once would map the same region as often, and fill the socket.
    class Turn {
      public:
        Turn() = default;
        explicit Turn(BasicShmLink& link) noexcept : link_(&link) {}
        Turn(Turn&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
        Turn& operator=(Turn&& other) noexcept {
            std::swap(link_, other.link_);
            return *this;
        }
        ~Turn() {
            if (link_) link_->pass_turn();
        }

      private:
        BasicShmLink* link_ = nullptr;
    };

    /// Lifetime: the link outlives the turn. Errors: `timed_out`, `cancelled`.
    Task<Turn> turn(Deadline deadline) {
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto come = Event();
        auto wake = Wake::set;
        if (!take_turn(come)) wake = co_await come.wait(deadline);
        const auto mine = wake == Wake::set || !give_up_turn(come);
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (wake == Wake::set) co_return Turn(*this);
        if (mine) pass_turn();
        co_return to_errc(wake);
    }

    /// Whether the server has said that this is not for mapping under `key`.
    [[nodiscard]] bool is_refused(std::uint64_t offset, std::uint64_t key) const {
        const auto lock = std::lock_guard(mutex_);
        return std::any_of(refused_.begin(), refused_.end(), [&](const Refusal& refusal) {
            return refusal.key == key && offset >= refusal.offset && offset - refusal.offset < refusal.length;
        });
    }

    /// Maps the region that holds `offset`. Requires: a turn.
    /// Errors: the server's refusal (bare), `connection_lost`, `timed_out`, `cancelled`, `protocol_error`, `out_of_memory`.
    Task<void> map(std::uint64_t offset, std::uint64_t key, Deadline deadline) {
        const auto request = ShmMessage{.kind = ShmKind::map,
                                        .generation = generation_,
                                        .offset = offset,
                                        .key = key,
                                        .rights = process_ ? ShmMessage::by_address : 0U};
        auto reply = co_await ask(request, deadline);
        if (!reply) co_return reply.error();
        if (reply->message.status != 0) {
            const auto why = errc_from_wire(static_cast<std::uint16_t>(reply->message.status));
            if (why == Errc::not_mapped && reply->message.length != 0) {
                const auto lock = std::lock_guard(mutex_);
                refused_.push_back({reply->message.offset, reply->message.length, key});
            }
            co_return why;
        }
        const auto by_address = process_ && (reply->message.rights & ShmMessage::by_address) != 0;
        const auto adopted = by_address ? adopt_address(reply->message, key) : adopt(reply->message, reply->fd, key);
        if (!adopted) give_back(reply->message);
        if (by_address && !adopted && adopted.error() == Errc::not_mapped) {
            const auto lock = std::lock_guard(mutex_);
            refused_.push_back({reply->message.offset, reply->message.length, key});
        }
        co_return adopted;
    }

    /// Nothing new begins. The server hears of it when the last window is gone, and with it the session: a copy that is under
    /// way may write until then.
    void close() {
        if (broken_.exchange(true, std::memory_order_acq_rel)) return;
        auto waiting = std::map<std::uint64_t, Question*>();
        {
            const auto lock = std::lock_guard(mutex_);
            waiting.swap(asked_);
            windows_ = std::make_shared<const Windows>();
        }
        for (const auto& [id, question] : waiting) question->answered.set();
    }

  private:
    using Descriptor = core::detail::later<asio::posix::stream_descriptor, Void>;

    struct Refusal {
        std::uint64_t offset, length, key;
    };
    struct Question {
        Event answered;
        ShmReceived answer;
    };

    /// Whether nobody has the turn; otherwise `come` is set when it comes.
    bool take_turn(Event& come) {
        const auto lock = std::lock_guard(mutex_);
        if (!std::exchange(taken_, true)) return true;
        waiting_.push_back(&come);
        return false;
    }
    void pass_turn() {
        const auto lock = std::lock_guard(mutex_);
        taken_ = !waiting_.empty();
        if (!taken_) return;
        waiting_.front()->set();
        waiting_.pop_front();
    }
    /// Whether it had yet to come.
    bool give_up_turn(const Event& come) {
        const auto lock = std::lock_guard(mutex_);
        return std::erase(waiting_, &come) != 0;
    }

    Task<void> greet(std::string address) {
        const auto hello = ShmMessage{.kind = ShmKind::hello, .id = wire_version, .generation = generation_};
        auto reply = co_await ask(hello, Deadline());
        if (!reply) co_return reply.error();
        const auto status = errc_from_wire(static_cast<std::uint16_t>(reply->message.status));
        if (status != Errc::ok) co_return Error(status, "shared memory of " + address + " was refused");
        co_return ok;
    }

    static Task<void> read_all(std::weak_ptr<BasicShmLink> link, Descriptor socket) {
        for (;;) {
            auto received = co_await next_message(socket);
            const auto self = link.lock();
            // Without a link nothing writes any more, though windows may be left.
            if (!self && received.error == 0 && received.message.kind == ShmKind::fence) {
                received.message.kind = ShmKind::fenced;
                (void)send_message(socket.native_handle(), received.message);
            }
            // None: what is revoked now is given back by the windows that are left.
            const auto intact = received.error == 0 && (!self || self->take(std::move(received)));
            if (intact) continue;
            if (self) self->close();
            co_return ok;
        }
    }

    /// Says what could not be said at once. Ends with the session, or with the scope.
    static Task<void> deliver(std::shared_ptr<ShmOutbox> outbox, Descriptor socket) {
        for (;;) {
            const auto wake = co_await outbox->come.wait();
            if (wake == Wake::cancelled) co_return ok;
            while (send_waiting(*outbox, socket.native_handle())) {
                auto token = asio::as_tuple(asio::use_awaitable);
                const auto [error] = co_await socket.async_wait(asio::posix::descriptor_base::wait_write, token);
                if (error) co_return ok;
            }
            const auto lock = std::lock_guard(outbox->mutex);
            if (outbox->closed) co_return ok;
        }
    }
    /// Whether some are left, since the server has to read first.
    static bool send_waiting(ShmOutbox& outbox, int socket) {
        const auto lock = std::lock_guard(outbox.mutex);
        for (; !outbox.released.empty(); outbox.released.pop_front())
            if (send_message(socket, ShmSession::released_notice(outbox.released.front())) == EAGAIN)
                return !outbox.closed;
        return false;
    }

    bool take(ShmReceived received) {
        if (received.message.kind == ShmKind::revoked) return revoke(received.message.offset);
        if (received.message.kind == ShmKind::fence) return raise_fence(received.message);
        if (received.message.kind != ShmKind::reply) return false;
        const auto lock = std::lock_guard(mutex_);
        if (const auto found = asked_.find(received.message.id); found != asked_.end()) {
            found->second->answer = std::move(received);
            found->second->answered.set();
            asked_.erase(found);
        } else {
            give_back(received.message); // nobody waits any more
        }
        return true;
    }

    /// Answers when no such write is under way; the server asks again until then. False: nonsense.
    bool raise_fence(const ShmMessage& message) {
        if (message.length > ~std::uint64_t{0} - message.offset) return false;
        fence_.raise(message.offset, message.length, message.id);
        if (!fence_.quiet(message.offset, message.length, message.id)) return true;
        auto answer = message;
        answer.kind = ShmKind::fenced;
        (void)session_->send(answer); // one that is lost is asked for again
        return true;
    }

    /// The server counts what it granted as mapped until it hears otherwise.
    void give_back(const ShmMessage& reply) const {
        if (reply.status == 0 && reply.length != 0) session_->notify_released(reply.offset);
    }

    bool revoke(std::uint64_t offset) {
        auto keep = std::make_shared<Windows>();
        auto last = std::shared_ptr<const Windows>(); // dies, and with it the windows, outside of the lock
        const auto lock = std::lock_guard(mutex_);
        revoked_.insert(offset); // its reply may have come already, and wait for the coroutine that asked
        for (const auto& window : *windows_)
            if (window->offset != offset) keep->push_back(window);
        last = std::exchange(windows_, std::move(keep));
        return true;
    }

    Task<ShmReceived> ask(ShmMessage message, Deadline deadline) {
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto question = Question();
        {
            const auto lock = std::lock_guard(mutex_);
            if (broken()) co_return Errc::connection_lost;
            if (message.kind != ShmKind::hello) message.id = ++next_id_;
            asked_.emplace(message.id, &question);
        }
        const auto failed = session_->send(message);
        auto wake = Wake::set;
        if (failed == 0) wake = co_await question.answered.wait(deadline);
        else close(); // known before `read_all` hears of it, so that a transfer can tell
        {
            const auto lock = std::lock_guard(mutex_);
            asked_.erase(message.id);
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        // An answer that came as time ran out counts: what it grants would be lost otherwise.
        if (question.answer.message.kind == ShmKind::reply) co_return std::move(question.answer);
        if (failed == 0 && wake != Wake::set) co_return to_errc(wake);
        co_return Error(Errc::connection_lost, "the process that shares the memory is gone");
    }

    /// Makes a window of what the server sent, which is believed only after a look at the descriptor itself: a file that
    /// could shrink would kill this process at the next access.
    Result<void> adopt(const ShmMessage& region, const FileDescriptor& fd, std::uint64_t key) {
        const auto rights = static_cast<Rights>(region.rights & 3U);
        struct stat file{};
        const auto seals = fd ? fcntl(fd.get(), F_GET_SEALS) : -1;
        if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd.get(), &file) != 0 || region.length == 0 ||
            region.length > static_cast<std::uint64_t>(file.st_size))
            return Error(Errc::protocol_error,
                         "the peer shared something that is not a sealed memory file of the size it said");
        const auto writable = includes(rights, Rights::write);
        auto mapping =
            Mapping::of(fd.get(), 0, round_up(region.length, 4 * KiB), PROT_READ | (writable ? PROT_WRITE : 0));
        if (!mapping) return mapping.error();
        (void)madvise(mapping->bytes().data(), mapping->bytes().size(), MADV_HUGEPAGE);
        return add_window(region, key, std::move(*mapping), nullptr);
    }

    /// The same of memory that stays where it is. Errors: `not_mapped`: the kernel does not let this process reach it.
    Result<void> adopt_address(const ShmMessage& region, std::uint64_t key) {
        auto* const address = reinterpret_cast<std::byte*>(region.generation);
        if (address == nullptr || region.length == 0 || region.length > ~region.generation)
            return Error(Errc::protocol_error, "the peer shared memory that cannot be");
        auto byte = std::byte();
        auto why = Errc::ok;
        const auto piece = ForeignProcess::Piece{&byte, address, 1, 0};
        if (process_->move(Direction::read, std::span(&piece, 1), why) != 1) return why;
        return add_window(region, key, Mapping(), address);
    }

    Result<void> add_window(const ShmMessage& region, std::uint64_t key, Mapping mapping, std::byte* address) {
        const auto lock = std::lock_guard(mutex_);
        if (broken()) return Errc::connection_lost;
        if (revoked_.contains(region.offset)) return Errc::out_of_range;
        auto window = std::make_shared<ShmWindow>();
        window->session = session_;
        window->offset = region.offset;
        window->length = region.length;
        window->key = key;
        window->rights = static_cast<Rights>(region.rights & 3U);
        window->floor = region.key;
        window->mapping = std::move(mapping);
        window->address = address;
        auto next = std::make_shared<Windows>(*windows_);
        next->push_back(std::move(window));
        windows_ = std::move(next);
        return ok;
    }

    const std::shared_ptr<const ShmSession> session_;
    const std::uint64_t generation_;
    const std::unique_ptr<const ForeignProcess> process_; ///< none: it is not to be known
    WriteFence fence_;
    std::atomic<bool> broken_ = false;
    mutable std::mutex mutex_; // of what follows
    std::shared_ptr<const Windows> windows_ = std::make_shared<const Windows>();
    std::map<std::uint64_t, Question*> asked_;
    std::vector<Refusal> refused_;
    std::set<std::uint64_t> revoked_; ///< offsets, which are never given to another region
    std::uint64_t next_id_ = wire_version;
    std::deque<Event*> waiting_; ///< for their turn
    bool taken_ = false;
};

using ShmLink = BasicShmLink<>;

} // namespace mooncake::transport::detail
