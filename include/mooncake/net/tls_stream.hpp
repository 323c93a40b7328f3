#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/stream.hpp>
#include <mooncake/net/tls_credentials.hpp>

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::net::detail {

/// One TLS connection: OpenSSL between a socket and our buffers. What is to be sent is encrypted into memory of its own, and
/// what is received is decrypted from OpenSSL's, so that a read or a write that is cancelled has lost nothing:
/// `asio::ssl::stream` sends nothing more after a cancelled write, and makes a record, and a system call, of each buffer.
/// Thread: the socket's executor.
class TlsSession : public std::enable_shared_from_this<TlsSession> {
  public:
    using Socket = PlainTcp::Stream;

    TlsSession(Socket socket, SSL_CTX& context, std::uint32_t records_a_key)
        : socket_(std::move(socket)), ssl_(SSL_new(&context)), records_a_key_(records_a_key) {
        auto* const bio = BIO_new(method());
        if (!ssl_ || bio == nullptr) throw_error({Errc::out_of_memory, "OpenSSL gives no session"});
        BIO_set_data(bio, this);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);
    }
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    [[nodiscard]] SSL* ssl() noexcept { return ssl_.get(); }

    /// One step of the handshake. `done`, or what it waits for, or an error.
    enum class Step : std::uint8_t { done, read, write, failed };
    [[nodiscard]] Step shake_hands(boost::system::error_code& error) {
        ERR_clear_error();
        const auto outcome = SSL_do_handshake(ssl_.get());
        if (outcome != 1) error = why(outcome);
        if (const auto broken = send_now(); broken && !error) error = broken;
        if (error) return Step::failed;
        if (!flushed()) return Step::write;
        return outcome == 1 ? Step::done : Step::read;
    }

    /// Decrypts what has come, as far as it fits. 0 without an error: nothing is there.
    std::size_t read(std::span<const asio::mutable_buffer> buffers, boost::system::error_code& error) {
        error = broken_;
        auto total = std::size_t{0};
        for (std::size_t i = 0; i < buffers.size() && !error; ++i) {
            auto* const to = static_cast<unsigned char*>(buffers[i].data());
            auto filled = std::size_t{0}, got = filled;
            while (filled < buffers[i].size() && total < most_read) {
                ERR_clear_error();
                const auto outcome = SSL_read_ex(ssl_.get(), to + filled, buffers[i].size() - filled, &got);
                if (outcome != 1) {
                    broken_ = why(outcome);
                    if (total == 0) error = broken_; // else the next read says it
                    answer();
                    return total;
                }
                filled += got;
                total += got;
                if (drained_ && SSL_has_pending(ssl_.get()) == 0) return total;
            }
        }
        return total;
    }

    /// Encrypts up to `most_written` bytes, which are the caller's no more. Requires: `flushed()`.
    std::size_t write(std::span<const asio::const_buffer> buffers, boost::system::error_code& error) {
        auto total = std::size_t{0};
        auto rest = buffers;
        auto at = std::size_t{0}; // in the first of the rest
        while (total < most_written && !rest.empty() && !(error = broken_)) {
            const auto bytes = fill_record(rest, at);
            if (bytes == 0) break;
            if (++records_ % records_a_key_ == 0) (void)SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
            auto took = std::size_t{0};
            ERR_clear_error();
            const auto outcome = SSL_write_ex(ssl_.get(), record_, bytes, &took);
            if (outcome != 1) broken_ = why(outcome);
            if (outcome != 1 && !broken_) broken_ = asio::ssl::error::unexpected_result;
            total += took;
        }
        if (const auto sent = send_now(); sent) error = sent;
        return total;
    }

    /// Whether all that was encrypted is out.
    [[nodiscard]] bool flushed() const noexcept { return sent_ == outbox_.size(); }

    /// Sends what the network takes at once.
    boost::system::error_code send_now() {
        while (!flushed()) {
            const auto sent = ::send(socket_.native_handle(), outbox_.data() + sent_, outbox_.size() - sent_,
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
            if (sent < 0) return broken_ = {errno, boost::system::system_category()};
            sent_ += static_cast<std::size_t>(sent);
        }
        outbox_.clear();
        sent_ = 0;
        return {};
    }

    /// Sends the rest by itself: for what nobody waits for any more, and which has to go out before anything else can.
    void flush() {
        if (flushing_ || flushed() || !socket_.is_open()) return;
        flushing_ = true;
        socket_.async_wait(asio::socket_base::wait_write,
                           [self = shared_from_this()](const boost::system::error_code&) {
                               self->flushing_ = false;
                               if (!self->socket_.is_open()) return;
                               if (self->send_now()) self->close();
                               else self->flush(); // also after a cancellation, which was not of this
                           });
    }

    template <class Handler>
    void when_readable(Handler&& handler) {
        socket_.async_wait(asio::socket_base::wait_read, std::forward<Handler>(handler));
    }
    template <class Handler>
    void when_writable(Handler&& handler) {
        socket_.async_wait(asio::socket_base::wait_write, std::forward<Handler>(handler));
    }
    [[nodiscard]] Executor executor() { return socket_.get_executor(); }

    /// Counts calls of `cancel`: an operation that was begun before one touches no buffer after it.
    [[nodiscard]] std::uint64_t cancellations() const noexcept { return cancellations_; }
    void cancel() {
        ++cancellations_;
        auto ignored = boost::system::error_code();
        socket_.cancel(ignored);
    }

    /// Says that nothing more comes, if the network takes it at once.
    void close() {
        if (!socket_.is_open()) return;
        ++cancellations_;
        if (!broken_ && SSL_is_init_finished(ssl_.get()) != 0) {
            ERR_clear_error();
            (void)SSL_shutdown(ssl_.get());
            (void)send_now();
        }
        if (!broken_) broken_ = asio::error::operation_aborted;
        auto ignored = boost::system::error_code();
        socket_.close(ignored);
    }

    [[nodiscard]] Task<void> wait(asio::socket_base::wait_type what) {
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) co_return Errc::cancelled;
        const auto [error] = co_await socket_.async_wait(what, as_result);
        if (error == asio::error::operation_aborted) co_return Errc::cancelled;
        if (error) co_return Error(Errc::connection_lost, error.message());
        co_return ok;
    }

  private:
    static constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
    static constexpr std::size_t most_written =
        8 * record_bytes;                                       ///< of one write; so much is encrypted and not yet out
    static constexpr std::size_t most_read = 16 * record_bytes; ///< in one go: others are to have their turn

    /// The next record: a large buffer as it lies, small ones put together, so that a header costs no record of its own.
    std::size_t fill_record(std::span<const asio::const_buffer>& buffers, std::size_t& at) {
        auto bytes = std::size_t{0};
        while (!buffers.empty() && bytes < record_bytes) {
            const auto* const from = static_cast<const unsigned char*>(buffers.front().data()) + at;
            const auto length = std::min(buffers.front().size() - at, record_bytes - bytes);
            if (length == record_bytes) record_ = from;
            if (length != record_bytes && length != 0) {
                staging_.resize(record_bytes);
                std::memcpy(staging_.data() + bytes, from, length);
                record_ = staging_.data();
            }
            bytes += length;
            at += length;
            if (at < buffers.front().size()) continue;
            buffers = buffers.subspan(1);
            at = 0;
        }
        return bytes;
    }

    /// Sends what reading has made OpenSSL say.
    void answer() {
        if (!flushed() && !send_now()) flush();
    }

    /// Why a call of OpenSSL's did not do it; no error: it waits for more to come.
    boost::system::error_code why(int outcome) {
        switch (SSL_get_error(ssl_.get(), outcome)) {
        case SSL_ERROR_WANT_READ: return {};
        case SSL_ERROR_ZERO_RETURN: return asio::error::eof;
        default: break;
        }
        const auto code = ERR_get_error();
        ERR_clear_error();
        if (receiving_) return receiving_;
        if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return asio::ssl::error::stream_truncated;
        return {static_cast<int>(code), asio::error::get_ssl_category()};
    }

    static TlsSession& of(BIO* bio) noexcept { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

    static int put(BIO* bio, const char* bytes, int length) {
        auto& outbox = of(bio).outbox_;
        outbox.insert(outbox.end(), bytes, bytes + length);
        return length;
    }
    static int get(BIO* bio, char* to, int length) {
        auto& self = of(bio);
        BIO_clear_retry_flags(bio);
        auto got = ssize_t{-1};
        do got = ::recv(self.socket_.native_handle(), to, static_cast<std::size_t>(length), MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        self.drained_ = got < length;
        if (got == 0) self.ended_ = true;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
        else if (got < 0) self.receiving_ = {errno, boost::system::system_category()};
        return static_cast<int>(got);
    }
    static long control(BIO* bio, int what, long, void*) {
        if (what == BIO_CTRL_EOF) return of(bio).ended_ ? 1 : 0;
        return what == BIO_CTRL_FLUSH ? 1 : 0;
    }
    static const BIO_METHOD* method() {
        static const auto* const made = [] {
            auto* const bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mooncake");
            BIO_meth_set_write(bio, &put);
            BIO_meth_set_read(bio, &get);
            BIO_meth_set_ctrl(bio, &control);
            return bio; // for as long as the program lives
        }();
        return made;
    }

    Socket socket_;
    const OpenSslPtr<SSL> ssl_;
    const std::uint32_t records_a_key_;
    std::uint64_t records_ = 0;
    std::vector<char> outbox_; ///< encrypted
    std::size_t sent_ = 0;     ///< of it
    std::vector<unsigned char> staging_;
    const unsigned char* record_ = nullptr;
    bool flushing_ = false, ended_ = false;
    bool drained_ = false; ///< the socket had no more when it was last asked
    std::uint64_t cancellations_ = 0;
    boost::system::error_code broken_, receiving_;
};

/// What the frames see of it. One read and one write at a time, beside each other; both may be cancelled, and the stream goes on.
class TlsStream {
  public:
    explicit TlsStream(std::shared_ptr<TlsSession> session) : session_(std::move(session)) {}
    TlsStream(TlsStream&&) noexcept = default;
    TlsStream& operator=(TlsStream&& other) noexcept {
        session_.swap(other.session_);
        return *this;
    }
    ~TlsStream() {
        if (session_) session_->close();
    }

    /// Cancellation: total; the bytes are there for the next read.
    template <class Token>
    auto async_read_some(std::span<asio::mutable_buffer> buffers, Token&& token) {
        return asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
            Read{session_, buffers, session_->cancellations()}, token, session_->executor());
    }

    /// Cancellation: partial; the bytes that it tells of were taken, and go out by themselves.
    template <class Token>
    auto async_write_some(std::span<const asio::const_buffer> buffers, Token&& token) {
        return asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
            Write{session_, buffers, session_->cancellations()}, token, session_->executor());
    }

    /// Encrypts what fits, unless earlier bytes are still on their way out.
    std::size_t write_now(std::span<const asio::const_buffer> buffers, boost::system::error_code& error) {
        if (!session_->flushed()) return 0;
        const auto bytes = session_->write(buffers, error);
        session_->flush();
        return bytes;
    }

    void cancel() { session_->cancel(); }
    void cancel(boost::system::error_code&) { cancel(); }
    void close() { session_->close(); }
    void close(boost::system::error_code&) { close(); }

  private:
    template <class Self>
    static bool stopped(Self& self, const TlsSession& session, std::uint64_t since) {
        return session.cancellations() != since || self.cancelled() != asio::cancellation_type::none;
    }

    struct Read {
        std::shared_ptr<TlsSession> session;
        std::span<asio::mutable_buffer> buffers;
        std::uint64_t since;
        std::size_t bytes = 0;
        boost::system::error_code result{};
        enum class State : std::uint8_t { begun, waiting, over } state = State::begun;

        template <class Self>
        void operator()(Self& self, boost::system::error_code error = {}) {
            if (state == State::over) return self.complete(result, bytes);
            const auto at_once = state == State::begun;
            if (at_once) self.reset_cancellation_state(asio::enable_total_cancellation());
            else if (error || stopped(self, *session, since))
                return self.complete(error ? error : asio::error::operation_aborted, 0);
            bytes = session->read(buffers, result);
            const auto done = bytes != 0 || result || asio::buffer_size(buffers) == 0;
            if (done && !at_once) return self.complete(result, bytes);
            state = done ? State::over : State::waiting;
            auto keep = session; // `self` goes, and with it this
            if (!done) return keep->when_readable(std::move(self));
            asio::post(keep->executor(), std::move(self));
        }
    };

    struct Write {
        std::shared_ptr<TlsSession> session;
        std::span<const asio::const_buffer> buffers;
        std::uint64_t since;
        std::size_t bytes = 0;
        boost::system::error_code result{};
        enum class State : std::uint8_t { begun, waiting, over } state = State::begun;
        bool encrypted = false;

        template <class Self>
        void operator()(Self& self, boost::system::error_code error = {}) {
            if (state == State::over) return self.complete(result, bytes);
            const auto at_once = state == State::begun;
            if (at_once) self.reset_cancellation_state(asio::enable_total_cancellation());
            else if (error || stopped(self, *session, since)) {
                session->flush();
                return self.complete(error ? error : asio::error::operation_aborted, bytes);
            }
            if (!session->flushed()) result = session->send_now();
            if (!result && !encrypted && session->flushed()) {
                encrypted = true;
                bytes = session->write(buffers, result);
            }
            const auto done = result || (encrypted && session->flushed());
            if (done && !at_once) return self.complete(result, bytes);
            state = done ? State::over : State::waiting;
            auto keep = session; // `self` goes, and with it this
            if (!done) return keep->when_writable(std::move(self));
            asio::post(keep->executor(), std::move(self));
        }
    };

    std::shared_ptr<TlsSession> session_;
};

static_assert(AsyncStream<TlsStream>);

} // namespace mooncake::net::detail
