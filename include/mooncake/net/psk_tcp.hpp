#pragma once

/// Opt-in: component `tls`, which needs OpenSSL 3 (Debian package: libssl-dev).

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/secret.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/stream.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake {

namespace net::detail {

/// The bytes of a greeting between two who have the same key, all of fixed length: pure, without I/O.
///
/// | from | bytes |
/// |---|---|
/// | client | `magic`, its nonce |
/// | server | its nonce, the server's proof |
/// | client | the client's proof |
/// | server | one byte: come in |
///
/// A proof is HMAC-SHA256, with the key, of the role of who makes it and of both nonces: what one side has said proves
/// nothing when it is said by the other, or another time.
class PskGreeting {
  public:
    static constexpr std::size_t nonce_bytes = 32, proof_bytes = 32;
    static constexpr auto magic = std::string_view("mcpsk\0\0\1", 8);
    static constexpr char welcome = '\x01';

    enum class Role : char { client = 'c', server = 's' };

    using Nonce = std::array<char, nonce_bytes>;
    using Proof = std::array<char, proof_bytes>;
    using Hello = std::array<char, magic.size() + nonce_bytes>;
    using Challenge = std::array<char, nonce_bytes + proof_bytes>;

    explicit PskGreeting(std::string_view key) : key_(key) {
        for (std::size_t at = 0; at < nonce_bytes; at += sizeof(std::uint64_t)) {
            const auto part = random_secret();
            std::memcpy(own_.data() + at, &part, sizeof part);
        }
    }

    /// Client.
    [[nodiscard]] Hello hello() const noexcept {
        auto bytes = Hello();
        std::copy(magic.begin(), magic.end(), bytes.begin());
        std::copy(own_.begin(), own_.end(), bytes.begin() + magic.size());
        return bytes;
    }
    /// Server. False: that is something else.
    [[nodiscard]] bool take_hello(const Hello& bytes) noexcept {
        std::copy(bytes.begin() + magic.size(), bytes.end(), theirs_.begin());
        return std::equal(magic.begin(), magic.end(), bytes.begin());
    }
    /// Server.
    [[nodiscard]] Challenge challenge() const {
        auto bytes = Challenge();
        const auto proof = prove(Role::server, theirs_, own_);
        std::copy(own_.begin(), own_.end(), bytes.begin());
        std::copy(proof.begin(), proof.end(), bytes.begin() + nonce_bytes);
        return bytes;
    }
    /// Client. Whether the server has the key.
    [[nodiscard]] bool take_challenge(const Challenge& bytes) {
        auto proof = Proof();
        std::copy_n(bytes.begin(), nonce_bytes, theirs_.begin());
        std::copy_n(bytes.begin() + nonce_bytes, proof_bytes, proof.begin());
        return same(proof, prove(Role::server, own_, theirs_));
    }
    /// Client.
    [[nodiscard]] Proof proof() const { return prove(Role::client, own_, theirs_); }
    /// Server. Whether the client has the key.
    [[nodiscard]] bool take_proof(const Proof& proof) const { return same(proof, prove(Role::client, theirs_, own_)); }

  private:
    [[nodiscard]] Proof prove(Role role, const Nonce& clients, const Nonce& servers) const {
        auto said = std::string(magic).append(1, static_cast<char>(role));
        said.append(clients.data(), clients.size()).append(servers.data(), servers.size());
        auto proof = Proof();
        auto length = 0U;
        if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                 reinterpret_cast<const unsigned char*>(said.data()), said.size(),
                 reinterpret_cast<unsigned char*>(proof.data()), &length) == nullptr ||
            length != proof_bytes)
            throw_error({Errc::not_supported, "OpenSSL cannot do HMAC-SHA256"});
        return proof;
    }
    /// In a time that does not tell where they differ.
    static bool same(const Proof& a, const Proof& b) noexcept {
        return CRYPTO_memcmp(a.data(), b.data(), proof_bytes) == 0;
    }

    std::string_view key_;
    Nonce own_{}, theirs_{};
};

} // namespace net::detail

/// What both sides of a connection know, and nobody else.
struct PskConfig {
    std::string key; ///< 16 … 1024 bytes that nobody guesses: 32 random ones, and no password

    /// Errors: `invalid_argument`.
    friend Result<void> validate(const PskConfig& config) {
        if (config.key.size() < 16 || config.key.size() > 1024)
            return Error(Errc::invalid_argument, "PskConfig::key has " + std::to_string(config.key.size()) +
                                                     " bytes; give 16 to 1024, best 32 random ones");
        return ok;
    }
};

/// Choose this when: nobody reads or changes what is on the wire, but anybody may connect. Both sides prove that they have the
/// same key before the first frame; after that it is plain TCP, not encrypted and not protected: somebody who sits in between
/// lets them greet each other and has the connection. Where that is to be feared, `TlsTcp`.
/// One that was made without a key connects nowhere, and does not listen. Copies share the key.
class PskTcp {
  public:
    using Stream = PlainTcp::Stream;
    using Incoming = PlainTcp::Incoming;
    using Connected = PlainTcp::Connected;
    using Listener = PlainTcp::Listener;

    PskTcp() = default;
    /// Throws `boost::system::system_error`: `invalid_argument`.
    explicit PskTcp(PskConfig config, PlainTcp tcp = {}) : tcp_(tcp) {
        if (const auto valid = validate(config); !valid) throw_error(valid.error());
        key_ = std::make_shared<const std::string>(std::move(config.key));
    }

    [[nodiscard]] Listener listen(const Executor& executor, const ListenConfig& config) const {
        if (!key_) throw_error(no_key());
        return tcp_.listen(executor, config);
    }
    [[nodiscard]] Task<Connected> connect(Executor executor, Endpoint endpoint) const {
        return connect_to(*this, std::move(executor), std::move(endpoint));
    }
    [[nodiscard]] Task<Connected> accept(Incoming socket) const { return let_in(key_, std::move(socket)); }

    /// See `ImmediateStreamPolicy`.
    template <class Buffers, class Error>
    [[nodiscard]] static std::size_t write_now(Stream& socket, const Buffers& buffers, Error& error) {
        return PlainTcp::write_now(socket, buffers, error);
    }

  private:
    using Key = std::shared_ptr<const std::string>;
    using Greeting = net::detail::PskGreeting;

    static Error no_key() { return {Errc::invalid_argument, "this PskTcp has no key: make it with a PskConfig"}; }

    static Task<Connected> connect_to(PskTcp self, Executor executor, Endpoint endpoint) {
        if (!self.key_) co_return no_key();
        auto connected = co_await self.tcp_.connect(std::move(executor), endpoint);
        if (!connected) co_return connected.error();
        auto& socket = *connected->stream;
        auto greeting = Greeting(*self.key_);
        const auto hello = greeting.hello();
        if (const auto said = co_await say(&socket, hello); !said) co_return hung_up(endpoint, said.error());
        auto challenge = Greeting::Challenge();
        if (const auto heard = co_await hear(&socket, challenge); !heard) co_return hung_up(endpoint, heard.error());
        if (!greeting.take_challenge(challenge))
            co_return Error(Errc::unreachable, to_string(endpoint) + " does not have this process's key");
        const auto proof = greeting.proof();
        if (const auto said = co_await say(&socket, proof); !said) co_return hung_up(endpoint, said.error());
        auto welcome = std::array<char, 1>();
        if (const auto heard = co_await hear(&socket, welcome); !heard) co_return hung_up(endpoint, heard.error());
        if (welcome[0] != Greeting::welcome)
            co_return Error(Errc::unreachable, to_string(endpoint) + " answers what no server of this release would");
        co_return connected;
    }

    static Task<Connected> let_in(Key key, Incoming socket) {
        if (!key) co_return no_key();
        auto connected = Connected();
        connected.stream.emplace(std::move(socket));
        auto& stream = *connected.stream;
        auto greeting = Greeting(*key);
        auto hello = Greeting::Hello();
        if (const auto heard = co_await hear(&stream, hello); !heard) co_return heard.error();
        if (!greeting.take_hello(hello))
            co_return Error(Errc::access_denied, "what it says first is no greeting of somebody who has a key");
        const auto challenge = greeting.challenge();
        if (const auto said = co_await say(&stream, challenge); !said) co_return said.error();
        auto proof = Greeting::Proof();
        if (const auto heard = co_await hear(&stream, proof); !heard) co_return heard.error();
        if (!greeting.take_proof(proof)) co_return Error(Errc::access_denied, "it does not have this process's key");
        const auto welcome = std::array{Greeting::welcome};
        if (const auto said = co_await say(&stream, welcome); !said) co_return said.error();
        co_return connected;
    }

    static Error hung_up(const Endpoint& endpoint, const Error& error) {
        if (error == Errc::cancelled) return Errc::cancelled;
        return {Errc::unreachable, to_string(endpoint) + " hung up in the greeting (" + std::string(error.context()) +
                                       "): it has another key, or asks for none"};
    }

    static Error lost(const boost::system::error_code& error) {
        if (error == asio::error::operation_aborted) return Errc::cancelled;
        return {Errc::connection_lost, error.message()};
    }

    /// Lifetime: `socket` and `bytes` outlive it.
    static Task<void> say(Stream* socket, std::span<const char> bytes) {
        while (!bytes.empty()) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return Errc::cancelled;
            const auto out = asio::const_buffer(bytes.data(), bytes.size());
            const auto [error, sent] = co_await socket->async_write_some(out, as_result);
            if (error) co_return lost(error);
            bytes = bytes.subspan(sent);
        }
        co_return ok;
    }
    /// So many bytes, and not one more: what follows belongs to the frames.
    static Task<void> hear(Stream* socket, std::span<char> bytes) {
        while (!bytes.empty()) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return Errc::cancelled;
            const auto in = asio::mutable_buffer(bytes.data(), bytes.size());
            const auto [error, read] = co_await socket->async_read_some(in, as_result);
            if (error) co_return lost(error);
            bytes = bytes.subspan(read);
        }
        co_return ok;
    }

    PlainTcp tcp_;
    Key key_;
};

static_assert(ImmediateStreamPolicy<PskTcp>);

} // namespace mooncake
