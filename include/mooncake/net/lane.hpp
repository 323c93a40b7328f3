#pragma once

#include <mooncake/core/scope.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/health/liveness.hpp>
#include <mooncake/net/frame_reader.hpp>
#include <mooncake/net/greeting.hpp>
#include <mooncake/net/landing.hpp>
#include <mooncake/net/lane_config.hpp>
#include <mooncake/net/lane_intake.hpp>
#include <mooncake/net/send_queue.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

/// One connection to a server with many requests on their way at once. It connects by itself; what is submitted before
/// waits. Any failure of the connection ends the lane and everything on it with `connection_lost` or `unreachable`; the owner
/// makes another. What is wrong with one request, or its owner's patience, concerns no other.
///
/// Thread: `execute` from any executor; everything else happens on the lane's own. Close it before it dies.
template <StreamPolicy P>
class Lane : public std::enable_shared_from_this<Lane<P>> {
  public:
    Lane(Executor executor, LaneConfig config, P policy = {})
        : scope_(std::move(executor)), config_(std::move(config)), policy_(std::move(policy)) {}

    /// An operation that was submitted, for waiting and for giving up.
    struct Ticket {
        std::shared_ptr<Lane> lane;
        std::uint64_t id = 0;
    };

    void start() { (void)scope_.spawn(core::detail::guarded(run(this->shared_from_this()), breakdown())); }

    [[nodiscard]] bool failed() const noexcept { return intake_.shut(); }
    /// Whether that is since the server gave no sign of life, or none any more.
    [[nodiscard]] bool fell_silent() const noexcept { return silent_.load(std::memory_order_acquire); }
    /// Whether a request was ever answered: a server that hangs up after its hello is none to come back to at once.
    [[nodiscard]] bool has_served() const noexcept { return served_.load(std::memory_order_acquire); }
    /// Bytes submitted and not yet answered: what to choose the idlest of several lanes by.
    [[nodiscard]] std::uint64_t bytes_in_flight() const noexcept { return intake_.bytes(); }
    /// How often something was asked for: what does not grow, is idle.
    [[nodiscard]] std::uint64_t asked() const noexcept { return intake_.asked(); }

    /// Waits until the lanes are done with all operations, whose number `latch` was made with.
    /// Cancellation and deadline: the operations that are not done end with `cancelled` or `timed_out`. By then nothing
    /// reads or writes their memory: replies on their way are dropped, and the rest of a request that was half sent is
    /// finished from a copy. The server is told.
    static asio::awaitable<void> wait_all(std::span<const Ticket> tickets, net::detail::Latch& latch,
                                          Deadline deadline) {
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        const auto wake = co_await latch.wait(deadline);
        if (wake != Wake::set) {
            abandon(tickets, to_errc(wake));
            co_await latch.wait(Deadline::never(), Interrupt::no);
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

    /// One operation, from beginning to end.
    asio::awaitable<void> execute(LaneOperation& operation, Deadline deadline) {
        auto latch = net::detail::Latch(1);
        operation.latch = &latch;
        operation.deadline = deadline;
        const auto ticket = submit(operation); // and as `wait_all`, without another coroutine
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        const auto wake = co_await latch.wait(deadline);
        if (wake != Wake::set) {
            abandon(std::span(&ticket, 1), to_errc(wake));
            co_await latch.wait(Deadline::never(), Interrupt::no);
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
    }

    /// Hands `operation` to the lane; its latch counts down when the lane is done with it. Follow with `wait_all`.
    Ticket submit(LaneOperation& operation) {
        if (auto ticket = submit_unless_retired(operation)) return std::move(*ticket);
        operation.error = Errc::closed;
        operation.latch->count_down();
        return {this->shared_from_this(), operation.id};
    }

    /// The same; or nothing at all, and none, where the lane was retired.
    std::optional<Ticket> submit_unless_retired(LaneOperation& operation) {
        using Entry = net::detail::LaneIntake::Entry;
        const auto now = SteadyClock{}.now();
        net::detail::make_ready(operation, intake_.next_id(), now);
        auto ticket = Ticket{this->shared_from_this(), operation.id};
        auto entry = Entry::failed;
        if (operation.deadline.passed(now)) operation.error = Errc::timed_out;
        else operation.error = net::detail::check_size(operation, config_.limits, config_.peer, sealed_bytes());
        if (operation.error == Errc::ok) {
            if (config_.check_frames) operation.payload_digest = net::detail::digest_of(operation.payload);
            entry = intake_.enter(operation);
            if (entry == Entry::retired) return std::nullopt;
            if (entry == Entry::failed) operation.error = failure();
        }
        if (entry == Entry::failed) {
            operation.latch->count_down();
            return ticket;
        }
        try {
            if (!send_at_once(operation)) wake_.set();
        } catch (const std::bad_alloc&) { // it is in, and leaves with the next one, or ends when its time is over
        }
        return ticket;
    }

    /// Ends the lane, unless something is on its way on it. Whether it does.
    bool retire() {
        if (!intake_.retire()) return false;
        asio::post(scope_.executor(), [self = this->shared_from_this()] { self->end(); });
        return true;
    }

    /// Ends the lane; outstanding operations get `closed`.
    asio::awaitable<void> close() {
        asio::post(scope_.executor(), [self = this->shared_from_this()] { self->fail(Errc::closed); });
        co_await scope_.join();
    }

    /// Why the lane ended. Thread: any.
    [[nodiscard]] Error failure() const { return intake_.failure(); }

  private:
    using Operation = LaneOperation;

    /// What an exception in a coroutine of this lane does.
    std::function<void(std::string)> breakdown() {
        return
            [self = this->shared_from_this()](std::string what) { self->fail(Error(Errc::system, std::move(what))); };
    }

    static Task<void> run(std::shared_ptr<Lane> self) {
        const auto within = Deadline(self->config_.connect_within);
        const auto connected = co_await with_deadline(self->connect(), within);
        if (!connected) {
            auto error = connected.error();
            self->silent_.store(error == Errc::timed_out, std::memory_order_release);
            if (error == Errc::timed_out)
                error = Error(Errc::unreachable, to_string(self->config_.peer) + " did not answer within " +
                                                     std::to_string(self->config_.connect_within.count()) + " ms");
            self->fail(std::move(error));
            co_return ok;
        }
        (void)self->scope_.spawn(core::detail::guarded(write_all(self), self->breakdown()));
        (void)self->scope_.spawn(core::detail::guarded(watch(self), self->breakdown()));
        co_await self->read_all();
        co_return ok;
    }

    Task<void> connect() {
        auto connected = co_await policy_.connect(scope_.executor(), config_.peer);
        if (!connected) co_return connected.error();
        stream_.emplace(std::move(*connected->stream));
        reader_.emplace(*stream_);
        auto hello = config_.hello;
        if (config_.check_frames) hello.features |= wire_features::sealed_frames;
        if (const auto error = co_await net::detail::say_hello(*stream_, std::move(hello)); error)
            co_return lost(error);
        auto reply = std::string();
        const auto answered = co_await read_head(reply);
        if (!answered) co_return answered.error();
        if (answered->status != 0)
            co_return Error(errc_from_wire(answered->status), to_string(config_.peer) + ": " + reply);
        const auto features = net::detail::read_welcome(reply).features;
        if (config_.check_frames && (features & wire_features::sealed_frames) != 0) {
            sending_.seal_all();
            hasher_.emplace();
        }
        co_return ok;
    }

    /// The next frame's header and, in `meta`, its message.
    Task<FrameHeader> read_head(std::string& meta) {
        auto raw = std::array<std::byte, FrameHeader::size>();
        if (const auto error = co_await reader_->read_header(raw); error) co_return lost(error);
        auto header = decode_header(raw, FrameKind::reply, config_.limits);
        if (!header) co_return of_peer(header.error());
        if (const auto error = co_await reader_->read_meta(meta, header->meta_bytes); error) co_return lost(error);
        if (!hasher_) co_return *header;
        const auto digest = net::detail::unseal(*header, meta);
        if (!digest) co_return damaged(digest.error());
        payload_digest_ = *digest;
        hasher_->reset();
        co_return *header;
    }
    [[nodiscard]] Error of_peer(const Error& error) const {
        return {error.code(), to_string(config_.peer) + ": " + std::string(error.context())};
    }
    /// The next connection may do better.
    [[nodiscard]] Error damaged(const Error& error) const {
        return {Errc::connection_lost, to_string(config_.peer) + ": " + std::string(error.context())};
    }

    [[nodiscard]] std::uint32_t sealed_bytes() const noexcept {
        return config_.check_frames ? net::detail::seal_bytes : 0;
    }

    [[nodiscard]] Error lost(const boost::system::error_code& error) const {
        return {Errc::connection_lost, to_string(config_.peer) + ": " + error.message()};
    }

    asio::awaitable<void> read_all() {
        auto meta = std::string();
        while (!failed()) {
            auto outcome = Error();
            if (!receive_what_came(meta, outcome)) {
                const auto header = co_await read_head(meta);
                if (header) outcome = co_await receive(*header, meta);
                else outcome = header.error();
            }
            if (!(outcome == Errc::ok)) fail(std::move(outcome));
        }
    }

    /// A small reply that is there already, without a coroutine. Whether it was.
    bool receive_what_came(std::string& meta, Error& outcome) {
        auto raw = std::array<std::byte, FrameHeader::size>();
        if (hasher_ || !reader_->peek_header(raw)) return false;
        const auto header = decode_header(raw, FrameKind::reply, config_.limits);
        if (!header || !reader_->has_whole(*header)) return false;
        reader_->take_head(*header, meta);
        auto* const operation = expect(*header, meta, outcome);
        const auto sinks =
            operation != nullptr ? std::span<const MutableBytes>(operation->sinks) : std::span<const MutableBytes>();
        reader_->take_payload(sinks, header->payload_bytes);
        if (operation != nullptr && !answered(*operation)) finish(*operation, {}, Resume::here);
        return true;
    }

    /// The operation that a reply is for, once it has taken what comes before the payload. None: nobody wants it any more, or
    /// it is an `error`.
    Operation* expect(const FrameHeader& header, std::string& meta, Error& error) {
        if (header.id == 0 && header.payload_bytes == 0) return nullptr; // a sign of life
        served_.store(true, std::memory_order_release);
        const auto found = sent_.find(header.id);
        const auto* wrong = static_cast<const char*>(nullptr);
        if (found == sent_.end())
            wrong = intake_.knows(header.id) ? nullptr : " answered a request that was never made";
        else if (found->second->given_up) return nullptr;
        else if (found->second->answered) wrong = " answered a request twice";
        else if (net::detail::accept_reply(*found->second, header, meta) != Errc::ok)
            wrong = " sent a reply that does not fit its request";
        else return found->second;
        if (wrong != nullptr) error = Error(Errc::protocol_error, to_string(config_.peer) + wrong);
        return nullptr;
    }

    /// The rest of a reply: to the operation that asked for it, or, if that was abandoned, nowhere.
    asio::awaitable<Error> receive(FrameHeader header, std::string& meta) {
        auto wrong = Error();
        auto left = header.payload_bytes;
        receiving_ = expect(header, meta, wrong);
        if (!(wrong == Errc::ok)) co_return wrong;
        if (receiving_ != nullptr) {
            const auto sinks = std::move(receiving_->sinks); // the operation may be gone before the cursor is
            auto cursor = net::detail::SpanCursor<std::byte>(sinks);
            const auto wanted = [this] { return receiving_ != nullptr; };
            auto error = boost::system::error_code();
            {
                const auto over = [this](Operation& operation, Error why) { finish(operation, std::move(why)); };
                const auto landing = net::detail::Landing::During(landing_, *receiving_, over);
                error = co_await reader_->read_payload(cursor, wanted, hasher_ ? &*hasher_ : nullptr);
            }
            if (receiving_ && error) co_return lost(error);
            left = cursor.left();
            if (receiving_ && left == 0 && hasher_ && hasher_->hash() != payload_digest_) {
                receiving_ = nullptr;
                co_return damaged(net::detail::damaged_payload());
            }
            auto* const whole = std::exchange(receiving_, nullptr);
            if (whole != nullptr && !answered(*whole)) finish(*whole, {}, Resume::here);
        }
        if (left == 0) co_return Error();
        const auto error = co_await skip(left);
        co_return error ? lost(error) : Error();
    }

    asio::awaitable<boost::system::error_code> skip(std::uint64_t left) {
        auto error = boost::system::error_code();
        do error = co_await reader_->skip(left);
        while (error == asio::error::operation_aborted && !failed());
        co_return error;
    }

    /// A request that is alone leaves without the writer being woken: whether it has.
    bool send_at_once(const Operation& operation) {
        if constexpr (ImmediateStreamPolicy<P>) {
            if (operation.weight > most_at_once || !core::detail::runs_here(scope_.executor())) return false;
            if (!may_write_ || !sent_.empty() || !sending_.empty() || failed()) return false;
            take_inbox();
            const auto gather = [this](auto& buffers) { return sending_.gather(buffers, SteadyClock{}.now()); };
            auto error = boost::system::error_code();
            const auto sent = net::detail::write_gathered_now(policy_, *stream_, gather, error);
            sent_bytes_ += sent;
            if (!advance(sent)) fail(given_up_half_sent());
            else if (error) fail(lost(error));
            return failed() || sending_.empty();
        }
        return false;
    }

    /// For as long as a write: what it points to is over when the write is, and not because its stream is closed.
    class Writing {
      public:
        explicit Writing(Lane& lane) : lane_(lane) {
            lane.may_write_ = false;
            lane.writing_ = true;
        }
        Writing(const Writing&) = delete;
        Writing& operator=(const Writing&) = delete;
        ~Writing() { over(); }
        void over() {
            if (!std::exchange(lane_.writing_, false)) return;
            lane_.may_write_ = true;
            if (lane_.failed()) lane_.finish_all();
        }

      private:
        Lane& lane_;
    };

    static Task<void> write_all(std::shared_ptr<Lane> self) {
        auto& lane = *self;
        lane.may_write_ = true;
        while (!lane.failed()) {
            lane.take_inbox();
            if (lane.sending_.empty()) {
                co_await lane.wake_.wait(Deadline::never(), Interrupt::no);
                continue;
            }
            auto buffers = std::array<asio::const_buffer, net::detail::most_buffers>();
            const auto count = lane.sending_.gather(buffers, SteadyClock{}.now());
            const auto all = std::span(buffers).first(count);
            auto token = asio::bind_cancellation_slot(lane.stop_writing_.slot(), as_result);
            auto writing = Writing(lane);
            const auto [error, sent] = co_await lane.stream_->async_write_some(all, std::move(token));
            writing.over();
            if (lane.failed()) break;
            lane.sent_bytes_ += sent;
            if (!lane.advance(sent)) lane.fail(lane.given_up_half_sent());
            // A write also ends because what it points to is wanted back: the others go on.
            else if (error && error != asio::error::operation_aborted) lane.fail(lane.lost(error));
        }
        co_return ok;
    }

    /// Looks whether the server lives, as long as somebody waits for it.
    static Task<void> watch(std::shared_ptr<Lane> self) {
        auto& lane = *self;
        auto pause = Event();
        auto liveness = Liveness();
        while (!lane.failed()) {
            const auto wake = co_await pause.wait(Deadline(lane.config_.silence / (2 * Liveness::patience)));
            if (wake == Wake::cancelled) break;
            const auto received = lane.reader_->received();
            if (lane.heard_ != received) lane.unanswered_ = false;
            const auto verdict = liveness.look({.received = received,
                                                .sent = lane.sent_bytes_,
                                                .asked = lane.sending_.question_sent(),
                                                .due = lane.unanswered_ || !lane.sent_.empty()});
            if (verdict == Liveness::Verdict::ask) lane.ask_for_life();
            if (verdict != Liveness::Verdict::gone) continue;
            lane.silent_.store(true, std::memory_order_release);
            lane.fail(Error(Errc::connection_lost, to_string(lane.config_.peer) + " gave no sign of life for " +
                                                       std::to_string(lane.config_.silence.count()) + " ms"));
        }
        co_return ok;
    }

    void ask_for_life() {
        sending_.push_question(net::detail::make_frame({.kind = FrameKind::ping}));
        wake_.set();
    }
    void tell_of_cancellation(std::uint64_t id) {
        sending_.push(net::detail::make_frame({.kind = FrameKind::cancel, .id = id}));
        wake_.set();
    }

    void take_inbox() {
        intake_.take_all([this](Operation& operation) {
            sending_.push(operation);
            sent_.emplace(operation.id, &operation);
        });
    }

    /// A reply may come before the write that sent its request has resumed: until then the writer points to it.
    /// Whether it does.
    bool answered(Operation& operation) {
        operation.answered = true;
        return !net::detail::SendQueue::all_sent(operation);
    }

    [[nodiscard]] bool advance(std::size_t sent) {
        const auto out = [this](Operation& operation) {
            if (operation.answered) finish(operation, {});
        };
        const auto released = [this](Operation& operation) { let_go(operation); };
        return sending_.advance(sent, out, released);
    }

    static void abandon(std::span<const Ticket> tickets, Errc why) {
        for (const auto& [lane, id] : tickets) {
            const auto executor = lane->scope_.executor();
            asio::post(executor, [self = lane, number = id, why] { self->drop(number, why); });
        }
    }

    void drop(std::uint64_t id, Errc why) {
        take_inbox();
        const auto found = sent_.find(id);
        if (found != sent_.end() && !drop(*found->second, why)) fail(given_up_half_sent());
    }

    [[nodiscard]] Error given_up_half_sent() const {
        return {Errc::connection_lost, "a large request to " + to_string(config_.peer) + " was given up half sent"};
    }

    /// Whether the lane can go on without it.
    bool drop(Operation& operation, Errc why) {
        using net::detail::SendQueue;
        if (operation.given_up) return true;
        operation.given_up = true;
        operation.error = why;
        if (receiving_ == &operation) {
            receiving_ = nullptr;
            auto ignored = boost::system::error_code();
            stream_->cancel(ignored);
        }
        if (!SendQueue::all_sent(operation)) {
            const auto dropped = sending_.drop(operation);
            if (dropped == SendQueue::Drop::in_hand) {
                stop_writing_.emit(asio::cancellation_type::terminal); // and the writer lets it go
                return true;
            }
            if (dropped == SendQueue::Drop::stuck) {
                close_stream();
                finish(operation, why);
                return false;
            }
        }
        let_go(operation);
        return true;
    }

    /// Nothing points to an operation that was given up any more.
    void let_go(Operation& operation) {
        if (operation.maybe_sent && !operation.answered) {
            unanswered_ = true;
            heard_ = reader_->received();
            tell_of_cancellation(operation.id);
        }
        finish(operation, operation.answered ? Error() : operation.error);
    }

    enum class Resume : std::uint8_t { posted, here };
    void finish(Operation& operation, Error error, Resume how = Resume::posted) {
        if (landing_.keeps(operation, error)) return;
        sent_.erase(operation.id);
        intake_.done(operation);
        operation.error = std::move(error);
        if (how == Resume::here) operation.latch->count_down_and_go_on();
        else operation.latch->count_down();
    }

    void close_stream() {
        auto ignored = boost::system::error_code();
        if (stream_) stream_->close(ignored);
    }

    void fail(Error error) {
        if (intake_.fail(std::move(error))) end();
    }

    /// Requires: nothing comes in any more.
    void end() {
        close_stream();
        take_inbox();
        receiving_ = nullptr;
        finish_all();
        wake_.set();
        scope_.cancel();
    }
    /// All but what a write points to: it calls this again.
    void finish_all() {
        const auto why = failure();
        if (!writing_) sending_.clear();
        for (auto next = sent_.begin(); next != sent_.end();) {
            auto& operation = *(next++)->second;
            if (!writing_ || !sending_.in_hand(operation))
                finish(operation, operation.answered ? Error() : operation.given_up ? operation.error : why);
        }
    }

    TaskScope scope_;
    const LaneConfig config_;
    const P policy_;
    std::optional<typename P::Stream> stream_;
    std::optional<net::detail::FrameReader<typename P::Stream>> reader_;
    net::detail::LaneIntake intake_;
    std::atomic<bool> served_ = false, silent_ = false;
    Event wake_;

    static constexpr std::uint64_t most_at_once = 16 * KiB; ///< bytes there and back

    net::detail::SendQueue sending_;
    bool may_write_ = false; ///< connected, and the writer has no write under way
    bool writing_ = false;   ///< a write points to what is in hand
    asio::cancellation_signal stop_writing_;
    std::uint64_t sent_bytes_ = 0;
    bool unanswered_ = false; ///< something was given up, and nothing was heard since
    std::uint64_t heard_ = 0; ///< bytes, when that was
    std::unordered_map<std::uint64_t, Operation*> sent_;
    Operation* receiving_ = nullptr; ///< whose payload comes, and is wanted
    net::detail::Landing landing_;
    std::optional<core::detail::Hasher> hasher_; ///< where frames are sealed: of the payload that comes
    std::uint64_t payload_digest_ = 0;           ///< what that has to be
};

} // namespace mooncake
