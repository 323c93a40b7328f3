#pragma once

#include <mooncake/core/repeats.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/connection_config.hpp>
#include <mooncake/net/departures.hpp>
#include <mooncake/net/frame_reader.hpp>
#include <mooncake/net/greeting.hpp>
#include <mooncake/net/message_budget.hpp>
#include <mooncake/net/reply_queue.hpp>
#include <mooncake/net/seal.hpp>
#include <mooncake/net/service.hpp>
#include <mooncake/net/stall_watch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace mooncake {

namespace net::detail {

/// The server's end of a lane: reads requests one after another, hands them to the service, and writes replies by
/// priority and deadline as they are ready. A peer that breaks the protocol is cut off, and harms no other.
template <StreamPolicy P>
class Connection final : public ReplyChannel, public std::enable_shared_from_this<Connection<P>> {
  public:
    using Incoming = mooncake::Connected<typename P::Incoming>;

    Connection(Executor executor, FrameService& service, const ConnectionConfig& config,
               std::shared_ptr<MessageBudget> budget, std::shared_ptr<Departures> departures, std::string host,
               std::shared_ptr<Repeats> log, P policy)
        : scope_(std::move(executor)), service_(service), config_(config), budget_(std::move(budget)),
          departures_(std::move(departures)), host_(std::move(host)), log_(std::move(log)), policy_(std::move(policy)) {
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() override {
        if (leaving()) departures_->leaving.fetch_sub(1, std::memory_order_relaxed);
    }

    void start(Incoming incoming) {
        auto self = this->shared_from_this();
        (void)scope_.spawn(core::detail::guarded(run(self, std::move(incoming)), breakdown()));
    }

    /// The peer's address.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    /// Whether the peer has said what it wants here.
    [[nodiscard]] bool greeted() const noexcept { return greeted_.load(std::memory_order_acquire); }
    /// Since when nothing of it is being served; never: something is.
    [[nodiscard]] TimePoint idle_since() const noexcept {
        return TimePoint{Duration{idle_since_.load(std::memory_order_acquire)}};
    }
    /// Ends it soon. Thread: any.
    void shed() {
        leaves();
        asio::post(scope_.executor(), [self = this->shared_from_this()] { self->end(); });
    }

    [[nodiscard]] bool over() const noexcept { return over_.load(std::memory_order_acquire); }
    /// Whether it is over, or soon will be.
    [[nodiscard]] bool leaving() const noexcept { return leaving_.load(std::memory_order_acquire); }

    asio::awaitable<void> close() {
        asio::post(scope_.executor(), [self = this->shared_from_this()] { self->end(); });
        co_await scope_.join();
    }

    void send(std::unique_ptr<Exchange> exchange) override {
        --serving_;
        held_bytes_ -= exchange->message.size();
        drained_.set();
        const auto now = SteadyClock{}.now();
        if (serving_ == 0) idle_since_.store(now.time_since_epoch().count(), std::memory_order_release);
        on_cancel_.erase(exchange->request.id);
        if (over()) return;
        if (exchange->reply.size() + (hasher_ ? seal_bytes : 0) > config_.limits.meta_bytes) {
            exchange->status = Errc::too_large;
            exchange->reply = "the reply has " + std::to_string(exchange->reply.size()) +
                              " bytes, and a message at most " + std::to_string(config_.limits.meta_bytes) +
                              ": ask for less at once";
            exchange->payload = {};
        }
        auto header = FrameHeader();
        header.kind = FrameKind::reply;
        header.status = static_cast<std::uint16_t>(exchange->status);
        header.method = exchange->request.method;
        header.meta_bytes = static_cast<std::uint32_t>(exchange->reply.size());
        header.id = exchange->request.id;
        header.payload_bytes = total_bytes(std::span<const ConstBytes>(exchange->payload));
        if (hasher_) seal(header, exchange->reply, digest_of(std::span<const ConstBytes>(exchange->payload)));
        // The request is done with; what it came with, and holds, would otherwise stay until the peer has read the reply.
        exchange->message = {};
        exchange->share.reset();
        exchange->sinks = {};
        if (exchange->payload.empty()) exchange->keep.clear();
        encode_header(header, exchange->reply_header);
        replies_.push(std::move(exchange), now);
        if (!answering_) ready_.set();
    }

    void on_cancel(const Exchange& exchange, std::function<void()> stop) override {
        on_cancel_.insert_or_assign(exchange.request.id, std::move(stop));
    }
    [[nodiscard]] TaskScope& scope() noexcept override { return scope_; }

  private:
    static Task<void> run(std::shared_ptr<Connection> self, Incoming incoming) {
        const auto greeted = co_await with_deadline(self->greet(std::move(incoming)), self->config_.hello_within);
        auto outcome = greeted ? Error() : greeted.error();
        if (greeted) {
            (void)self->scope_.spawn(core::detail::guarded(write_all(self), self->breakdown()));
            while (outcome == Errc::ok && !self->over()) {
                outcome = self->serve_what_came();
                if (outcome == Errc::ok) outcome = co_await self->read_one();
            }
        }
        const auto breach = outcome == Errc::protocol_error || outcome == Errc::too_large ||
                            outcome == Errc::version_mismatch || outcome == Errc::access_denied ||
                            outcome == Errc::corrupt;
        if (breach) (*self->log_)(Severity::warning, "breach", "cut off " + self->peer_ + ": " + outcome.message());
        self->end();
        co_return ok;
    }

    Task<void> greet(Incoming incoming) {
        if (!incoming.peer.empty()) peer_ = std::move(incoming.peer);
        auto accepted = co_await policy_.accept(std::move(*incoming.stream));
        if (!accepted) co_return accepted.error();
        stream_.emplace(std::move(*accepted->stream));
        reader_.emplace(*stream_);
        const auto limits = FrameLimits{.meta_bytes = most_hello_bytes, .payload_bytes = 0};
        auto exchange = co_await read_head(limits);
        if (!exchange) co_return exchange.error();
        auto welcome = Welcome();
        auto verdict = judge_hello(**exchange, service_, welcome);
        (*exchange)->status = verdict.code();
        (*exchange)->reply =
            verdict == Errc::ok ? welcome_text(service_.name(), welcome) : std::string(verdict.context());
        begin_serving(**exchange);
        // Before the peer can know: it may be shed for somebody else as soon as it has its answer.
        greeted_.store(verdict == Errc::ok, std::memory_order_release);
        send(std::move(*exchange));
        while (!replies_.empty()) {
            const auto error = co_await write_some();
            if (error) co_return Error(Errc::connection_lost, error.message());
        }
        if (!(verdict == Errc::ok)) co_return verdict;
        if ((welcome.features & wire_features::sealed_frames) != 0) hasher_.emplace();
        co_return ok;
    }

    /// A request's header and message. Nothing comes for as long as the peer likes; what has begun has to come in time.
    Task<std::unique_ptr<Exchange>> read_head(FrameLimits limits) {
        if (const auto error = co_await reader_->wait(); error) co_return Error(Errc::connection_lost, error.message());
        auto begun = std::optional<Watched>(); // not for what is there
        if (reader_->buffered() < FrameHeader::size) begun.emplace(*this, 0);
        auto raw = std::array<std::byte, FrameHeader::size>();
        if (const auto error = co_await reader_->read_header(raw); error)
            co_return Error(Errc::connection_lost, error.message());
        const auto header = decode_header(raw, FrameKind::request, limits);
        if (!header) co_return header.error();
        auto exchange = begin(*header, SteadyClock{}.now());
        if (reader_->buffered() < header->meta_bytes) begun.emplace(*this, header->meta_bytes);
        if (header->meta_bytes > MessageBudget::small)
            exchange->share = co_await budget_->take(header->meta_bytes, hoarding());
        if (const auto error = co_await reader_->read_meta(exchange->message, header->meta_bytes); error)
            co_return Error(Errc::connection_lost, error.message());
        if (!hasher_ || header->kind != FrameKind::request) co_return exchange;
        const auto digest = unseal(exchange->request, exchange->message);
        if (!digest) co_return digest.error();
        payload_digest_ = *digest;
        hasher_->reset();
        co_return exchange;
    }

    static std::unique_ptr<Exchange> begin(const FrameHeader& header, TimePoint now) {
        auto exchange = std::make_unique<Exchange>();
        exchange->request = header;
        exchange->deadline = deadline_from_wire(header.status, now);
        return exchange;
    }

    void begin_serving(const Exchange& exchange) {
        ++serving_;
        held_bytes_ += exchange.message.size();
        idle_since_.store(TimePoint::max().time_since_epoch().count(), std::memory_order_release);
    }

    /// Signs of life, and requests that nobody waits for any more. Whether it was one of those.
    bool is_control(const Exchange& exchange) {
        const auto& request = exchange.request;
        if (request.kind == FrameKind::request) return false;
        if (request.kind == FrameKind::cancel) {
            const auto stop = on_cancel_.find(request.id);
            if (stop != on_cancel_.end()) stop->second();
            return true;
        }
        auto sign = std::make_unique<Exchange>();
        sign->request = request;
        begin_serving(*sign);
        send(std::move(sign));
        return true;
    }

    /// Small requests that are there already, without a coroutine each.
    Error serve_what_came() {
        auto raw = std::array<std::byte, FrameHeader::size>();
        const auto now = reader_->buffered() < FrameHeader::size ? TimePoint() : SteadyClock{}.now();
        while (!hasher_ && !over() && !has_enough_to_do() && reader_->peek_header(raw)) {
            const auto header = decode_header(raw, FrameKind::request, config_.limits);
            if (!header) return header.error();
            if (header->meta_bytes > MessageBudget::small || header->payload_bytes != 0 || !reader_->has_whole(*header))
                break;
            auto exchange = begin(*header, now);
            reader_->take_head(*header, exchange->message);
            if (is_control(*exchange)) continue;
            if (const auto accepted = service_.accept(*exchange); !accepted) return accepted.error();
            serve(std::move(exchange));
        }
        return {};
    }
    [[nodiscard]] bool has_enough_to_do() const noexcept {
        return replies_.bytes() > config_.most_reply_bytes || serving_ >= config_.most_exchanges ||
               held_bytes_ > config_.most_request_bytes;
    }
    void serve(std::unique_ptr<Exchange> exchange) {
        begin_serving(*exchange);
        answering_ = true;
        service_.serve(std::move(exchange), this->shared_from_this());
        answering_ = false;
    }

    asio::awaitable<Error> read_one() {
        if (reader_->buffered() < FrameHeader::size) write_at_once(); // else others come with them
        if (!replies_.empty()) ready_.set();
        while (has_enough_to_do()) {
            if (over()) co_return Errc::closed;
            const auto wake = co_await drained_.wait();
            if (wake == Wake::cancelled) co_return Errc::cancelled;
        }
        auto read = co_await read_head(config_.limits);
        if (!read) co_return read.error();
        auto& exchange = **read;
        if (is_control(exchange)) co_return Error();
        if (const auto accepted = service_.accept(exchange); !accepted) co_return accepted.error();
        if (exchange.request.payload_bytes != 0) {
            if (total_bytes(std::span<const MutableBytes>(exchange.sinks)) != exchange.request.payload_bytes)
                co_return Error(Errc::protocol_error, "a payload does not fit its request");
            auto cursor = SpanCursor<std::byte>(exchange.sinks);
            const auto begun = Watched(*this, exchange.request.payload_bytes);
            const auto all = [] { return true; };
            const auto error = co_await reader_->read_payload(cursor, all, hasher_ ? &*hasher_ : nullptr);
            if (error) co_return Error(Errc::connection_lost, error.message());
            if (hasher_ && hasher_->hash() != payload_digest_) co_return damaged_payload();
        }
        serve(std::move(*read));
        co_return Error();
    }

    static Task<void> write_all(std::shared_ptr<Connection> self) {
        self->may_write_ = true;
        while (!self->over()) {
            if (self->replies_.empty()) {
                co_await self->ready_.wait(Deadline::never(), Interrupt::no);
                continue;
            }
            self->writing_.begin(self, self->scope_.executor(), self->time_for(0));
            self->may_write_ = false;
            const auto error = co_await self->write_some();
            self->may_write_ = true;
            self->writing_.over();
            if (error) self->end();
            else self->drained_.set();
        }
        self->replies_.clear(); // and with them go of the memory that they name
        co_return ok;
    }

    asio::awaitable<boost::system::error_code> write_some() {
        auto buffers = std::array<asio::const_buffer, most_buffers>();
        const auto all = std::span(buffers).first(replies_.gather(buffers));
        const auto [error, sent] = co_await stream_->async_write_some(all, as_result);
        replies_.advance(sent);
        co_return error;
    }

    /// Replies that are little leave before the next request is waited for, without the writer being woken.
    void write_at_once() {
        if constexpr (ImmediateStreamPolicy<P>) {
            if (!may_write_ || replies_.empty() || replies_.bytes() > most_at_once || over()) return;
            auto error = boost::system::error_code();
            const auto gather = [this](auto& buffers) { return replies_.gather(buffers); };
            replies_.advance(write_gathered_now(policy_, *stream_, gather, error));
            if (error) end();
        }
    }

    void leaves() noexcept {
        if (!leaving_.exchange(true, std::memory_order_acq_rel))
            departures_->leaving.fetch_add(1, std::memory_order_relaxed);
    }

    void end() {
        if (over_.exchange(true, std::memory_order_acq_rel)) return;
        leaves();
        departures_->ended.fetch_add(1, std::memory_order_relaxed);
        auto ignored = boost::system::error_code();
        if (stream_) stream_->close(ignored);
        ready_.set();
        drained_.set();
        scope_.cancel();
    }

    friend StallWatch<Connection>;
    core::detail::DeadlineService& deadlines() {
        return asio::use_service<core::detail::DeadlineService>(
            asio::query(scope_.executor(), asio::execution::context));
    }
    void stalled() { end(); }
    [[nodiscard]] Duration time_for(std::uint64_t bytes) const noexcept {
        return config_.stall + std::chrono::milliseconds{bytes / KiB};
    }
    /// Reading, which has to be over in time.
    class Watched : StallWatch<Connection>::Scope {
      public:
        Watched(Connection& connection, std::uint64_t bytes)
            : StallWatch<Connection>::Scope(connection.reading_, connection.weak_from_this(),
                                            connection.scope_.executor(), connection.time_for(bytes)) {}
    };

    /// What is done about it when its messages have taken much memory for long.
    std::function<void()> hoarding() {
        return [weak = this->weak_from_this()] {
            const auto connection = weak.lock();
            if (!connection) return;
            (*connection->log_)(Severity::warning, "hoarding",
                                "cut off " + connection->peer_ +
                                    ": its messages took most of the memory for messages, for long");
            connection->shed();
        };
    }

    std::function<void(std::string)> breakdown() {
        return [self = this->shared_from_this()](std::string what) {
            (*self->log_)(Severity::error, "breakdown", "a connection from " + self->peer_ + " ends: " + what);
            self->end();
        };
    }

    static constexpr std::uint32_t most_hello_bytes = 4 * KiB;

    TaskScope scope_;
    FrameService& service_;
    const ConnectionConfig config_;
    const std::shared_ptr<MessageBudget> budget_;
    const std::shared_ptr<Departures> departures_;
    const std::string host_;
    const std::shared_ptr<Repeats> log_;
    const P policy_;
    std::string peer_ = "a peer";
    std::optional<typename P::Stream> stream_;
    std::optional<FrameReader<typename P::Stream>> reader_;
    static constexpr std::uint64_t most_at_once = 64 * KiB; ///< bytes of replies

    std::optional<core::detail::Hasher> hasher_; ///< where frames are sealed: of the payload that comes
    std::uint64_t payload_digest_ = 0;           ///< what that has to be
    ReplyQueue replies_;
    bool may_write_ = false;       ///< greeted, and the writer has no write under way
    bool answering_ = false;       ///< the service has a request in hand, and what it answers at once leaves after that
    std::uint64_t held_bytes_ = 0; ///< of messages that are being served
    std::size_t serving_ = 0;
    std::unordered_map<std::uint64_t, std::function<void()>> on_cancel_; ///< by request
    Event ready_, drained_;
    StallWatch<Connection> reading_{deadlines()}, writing_{deadlines()};
    std::atomic<bool> over_ = false, leaving_ = false, greeted_ = false;
    std::atomic<Duration::rep> idle_since_ = TimePoint::max().time_since_epoch().count();
};

} // namespace net::detail

} // namespace mooncake
