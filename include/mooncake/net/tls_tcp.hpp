#pragma once

/// Opt-in: component `tls`, which needs OpenSSL 3 (Debian package: libssl-dev).

#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/tls_config.hpp>
#include <mooncake/net/tls_credentials.hpp>
#include <mooncake/net/tls_stream.hpp>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace mooncake {

/// Choose this when: the network is not trusted. TLS 1.3, in which both sides show a certificate of the authority's.
///
/// The server says one byte when it has let the client in: otherwise a client would take a refusal, which in TLS 1.3 comes
/// after its own handshake, for a connection that broke. Copies share their certificates. Who has a certificate may do what
/// everybody may: there are no names of users, and none is revoked: give certificates that live for days, and renew them.
/// One that was made without certificates connects nowhere, and does not listen.
class TlsTcp {
  public:
    using Stream = net::detail::TlsStream;
    using Incoming = PlainTcp::Stream;
    using Connected = mooncake::Connected<Stream>;
    using Listener = PlainTcp::Listener;

    TlsTcp() = default;
    /// Throws `boost::system::system_error`: `invalid_argument`, with the file that is wrong and what would be right.
    explicit TlsTcp(TlsConfig config, PlainTcp tcp = {})
        : tcp_(tcp), credentials_(std::make_shared<net::detail::TlsCredentials>(std::move(config))) {}

    [[nodiscard]] Listener listen(const Executor& executor, const ListenConfig& config) const {
        if (!credentials_) throw_error(no_certificates());
        return tcp_.listen(executor, config);
    }
    [[nodiscard]] Task<Connected> connect(Executor executor, Endpoint endpoint) const {
        return connect_to(*this, std::move(executor), std::move(endpoint));
    }
    [[nodiscard]] Task<Connected> accept(Incoming socket) const { return let_in(credentials_, std::move(socket)); }

    /// See `ImmediateStreamPolicy`. What the network does not take at once of the bytes that were taken goes out by itself.
    [[nodiscard]] static std::size_t write_now(Stream& stream, std::span<const asio::const_buffer> buffers,
                                               boost::system::error_code& error) {
        return stream.write_now(buffers, error);
    }

  private:
    using Credentials = std::shared_ptr<net::detail::TlsCredentials>;
    using Session = std::shared_ptr<net::detail::TlsSession>;

    static Error no_certificates() {
        return {Errc::invalid_argument, "this TlsTcp has no certificates: make it with a TlsConfig"};
    }

    static Session session(net::detail::TlsCredentials& credentials, Incoming socket) {
        const auto context = credentials.context();
        return std::make_shared<net::detail::TlsSession>(std::move(socket), *context,
                                                         credentials.config().records_a_key);
    }

    static Task<Connected> connect_to(TlsTcp self, Executor executor, Endpoint endpoint) {
        if (!self.credentials_) co_return no_certificates();
        auto reached = co_await self.tcp_.connect(std::move(executor), endpoint);
        if (!reached) co_return reached.error();
        auto connected = Connected();
        connected.peer = std::move(reached->peer);
        const auto made = session(*self.credentials_, std::move(*reached->stream));
        connected.stream.emplace(made); // from here on it is closed, whatever happens
        SSL_set_connect_state(made->ssl());
        if (!expect(*made, self.credentials_->config(), endpoint.host))
            co_return Error(Errc::unreachable, to_string(endpoint) + " is no host that a certificate could name");
        const auto shaken = co_await shake_hands(made);
        if (shaken == Errc::cancelled) co_return Errc::cancelled;
        if (!(shaken == Errc::ok)) co_return Error(Errc::unreachable, refusal(*made, self, endpoint, shaken));
        const auto welcome = co_await read_welcome(&*connected.stream);
        if (welcome == asio::error::operation_aborted) co_return Errc::cancelled;
        if (welcome)
            co_return Error(Errc::unreachable, to_string(endpoint) + " refused the certificate in " +
                                                   in_quotes(self.credentials_->config().certificate, 256) + ": " +
                                                   welcome.message());
        co_return connected;
    }

    static Task<Connected> let_in(Credentials credentials, Incoming socket) {
        if (!credentials) co_return no_certificates();
        auto connected = Connected();
        const auto made = session(*credentials, std::move(socket));
        connected.stream.emplace(made);
        SSL_set_accept_state(made->ssl());
        const auto shaken = co_await shake_hands(made);
        if (shaken == Errc::cancelled || shaken == Errc::connection_lost) co_return shaken;
        if (!(shaken == Errc::ok)) co_return Error(Errc::access_denied, verdict(*made, shaken));
        const auto error = co_await say_welcome(&*connected.stream);
        if (error == asio::error::operation_aborted) co_return Errc::cancelled;
        if (error) co_return Error(Errc::connection_lost, error.message());
        co_return connected;
    }

    /// What the server's certificate has to say. False: nothing can.
    static bool expect(net::detail::TlsSession& session, const TlsConfig& config, const std::string& host) {
        auto* const ssl = session.ssl();
        const auto& name = config.check == TlsServerCheck::name ? config.server_name : host;
        auto* const wanted = SSL_get0_param(ssl);
        const auto is_address = X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1;
        if (!is_address) (void)SSL_set_tlsext_host_name(ssl, name.c_str());
        if (config.check == TlsServerCheck::none) return X509_VERIFY_PARAM_set1_ip(wanted, nullptr, 0) == 1;
        if (is_address) return true;
        X509_VERIFY_PARAM_set_hostflags(wanted,
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        return X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size()) == 1;
    }

    /// `ok`, `cancelled`, `connection_lost` (it hung up), or `access_denied` with OpenSSL's words.
    static asio::awaitable<Error> shake_hands(Session session) {
        using Step = net::detail::TlsSession::Step;
        for (;;) {
            auto error = boost::system::error_code();
            const auto step = session->shake_hands(error);
            if (step == Step::done) co_return Error();
            if (step == Step::failed) {
                const auto ours = error.category() == asio::error::get_ssl_category();
                co_return Error(ours ? Errc::access_denied : Errc::connection_lost, error.message());
            }
            const auto what = step == Step::read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
            const auto waited = co_await session->wait(what);
            if (!waited) co_return waited.error();
        }
    }

    /// Why the peer's certificate is not believed, or what else it did wrong.
    static std::string verdict(net::detail::TlsSession& session, const Error& shaken) {
        const auto verified = SSL_get_verify_result(session.ssl());
        if (verified == X509_V_OK) return "the TLS handshake failed: " + std::string(shaken.context());
        return std::string("its certificate is not believed: ") + X509_verify_cert_error_string(verified);
    }
    static std::string refusal(net::detail::TlsSession& session, const TlsTcp& self, const Endpoint& endpoint,
                               const Error& shaken) {
        const auto& config = self.credentials_->config();
        const auto verified = SSL_get_verify_result(session.ssl());
        auto sentence = to_string(endpoint) + ": " + verdict(session, shaken);
        if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
            sentence += "; none of its alternative names is " +
                        in_quotes(config.check == TlsServerCheck::name ? config.server_name : endpoint.host, 256);
        else if (verified == X509_V_OK) sentence += "; does it speak TLS 1.3?";
        return sentence;
    }

    static constexpr char welcome_byte = '\x01';

    static asio::awaitable<boost::system::error_code> say_welcome(Stream* stream) {
        auto out = std::array{asio::const_buffer(&welcome_byte, 1)};
        const auto all = std::span<const asio::const_buffer>(out);
        const auto [error, sent] = co_await stream->async_write_some(all, as_result);
        co_return error;
    }
    static asio::awaitable<boost::system::error_code> read_welcome(Stream* stream) {
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) co_return asio::error::operation_aborted;
        auto byte = char{0};
        auto in = std::array{asio::mutable_buffer(&byte, 1)};
        const auto all = std::span<asio::mutable_buffer>(in);
        const auto [error, read] = co_await stream->async_read_some(all, as_result);
        if (!error && byte != welcome_byte)
            co_return boost::system::errc::make_error_code(boost::system::errc::bad_message);
        co_return error;
    }

    PlainTcp tcp_;
    Credentials credentials_;
};

static_assert(ImmediateStreamPolicy<TlsTcp>);

} // namespace mooncake
