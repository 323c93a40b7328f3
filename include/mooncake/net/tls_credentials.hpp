#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/net/tls_config.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

namespace net::detail {

/// Frees what OpenSSL made.
struct OpenSslFree {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
template <class T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

/// A file's text, which nobody finds in memory afterwards.
class SecretText {
  public:
    SecretText() = default;
    SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) {}
    SecretText& operator=(SecretText&& other) noexcept {
        text_.swap(other.text_);
        return *this;
    }
    ~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }

    [[nodiscard]] std::string_view view() const noexcept { return text_; }

    static constexpr std::size_t most = 1 * MiB;

    /// `field`: the one of the configuration that names the file.
    static Result<SecretText> read(std::string_view field, const std::string& path) {
        const auto wrong = [&](std::string_view why) {
            return Error(Errc::invalid_argument,
                         "TlsConfig::" + std::string(field) + ": " + in_quotes(path, 256) + " " + std::string(why));
        };
        if (path.empty()) return wrong("is no file: give the path of one in PEM form");
        const auto file = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        const auto reason = errno;
        if (!file) return wrong("cannot be opened: " + std::string(std::strerror(reason)));
        struct stat about = {};
        if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return wrong("is no regular file");
        if (about.st_size > static_cast<off_t>(most)) return wrong("has more than 1 MiB; give a file in PEM form");
        auto secret = SecretText();
        secret.text_.resize(static_cast<std::size_t>(about.st_size)); // once: a string that grows leaves copies behind
        auto have = std::size_t{0};
        while (have < secret.text_.size()) {
            const auto got = ::read(file.get(), secret.text_.data() + have, secret.text_.size() - have);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return wrong("cannot be read: " + std::string(std::strerror(errno)));
            if (got == 0) break;
            have += static_cast<std::size_t>(got);
        }
        secret.text_.resize(have);
        return secret;
    }

  private:
    std::string text_;
};

/// The first thing that OpenSSL has to complain about, in its words.
[[nodiscard]] inline std::string openssl_complaint() {
    const auto code = ERR_get_error();
    const auto* const reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != nullptr ? reason : "OpenSSL does not say why";
}

/// The three files, as they are now.
struct TlsFiles {
    SecretText authority, certificate, key;

    static Result<TlsFiles> read(const TlsConfig& config) {
        auto files = TlsFiles();
        auto authority = SecretText::read("authority", config.authority);
        if (!authority) return authority.error();
        auto certificate = SecretText::read("certificate", config.certificate);
        if (!certificate) return certificate.error();
        auto key = SecretText::read("key", config.key);
        if (!key) return key.error();
        files.authority = std::move(*authority);
        files.certificate = std::move(*certificate);
        files.key = std::move(*key);
        return files;
    }
    [[nodiscard]] std::uint64_t hash() const noexcept {
        return hash_text(key.view(), hash_text(certificate.view(), hash_text(authority.view())));
    }
};

/// Makes of the files what connections are made with.
class TlsContextMaker {
  public:
    TlsContextMaker(const TlsConfig& config, const TlsFiles& files) : config_(config), files_(files) {}

    Result<std::shared_ptr<SSL_CTX>> make() {
        ERR_clear_error();
        context_ = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_method()), OpenSslFree());
        if (!context_) return Error(Errc::system, "OpenSSL gives no context: " + openssl_complaint());
        if (auto set = set_options(); !set) return set.error();
        if (auto set = use_authority(); !set) return set.error();
        if (auto set = use_certificate(); !set) return set.error();
        if (auto set = use_key(); !set) return set.error();
        return std::move(context_);
    }

  private:
    Result<void> set_options() {
        auto* const context = context_.get();
        // A record costs a third less with AES-128 than with AES-256, and is as safe against all that is known.
        const auto* const suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
        if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_ciphersuites(context, suites) != 1)
            return Error(Errc::not_supported, "OpenSSL cannot do TLS 1.3: " + openssl_complaint());
        // Every connection shows its certificates: none is resumed by who was let in once.
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
        // Who is idle costs little; and the authority's own certificate is not shown to those who have it.
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
        SSL_CTX_set_read_ahead(context, 1);
        SSL_CTX_set_default_read_buffer_len(context, 64 * KiB);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        return ok;
    }

    Result<void> use_authority() {
        auto believed = certificates(files_.authority);
        if (believed.empty())
            return wrong("authority", config_.authority,
                         "has no certificate that can be read, which begins with -----BEGIN CERTIFICATE-----");
        for (const auto& certificate : believed) {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), certificate.get());
            SSL_CTX_add_client_CA(context_.get(), certificate.get());
        }
        return ok;
    }

    Result<void> use_certificate() {
        auto chain = certificates(files_.certificate);
        if (chain.empty())
            return wrong("certificate", config_.certificate,
                         "has no certificate that can be read, which begins with -----BEGIN CERTIFICATE-----");
        auto& own = *chain.front();
        if (X509_cmp_current_time(X509_get0_notAfter(&own)) < 0)
            return wrong("certificate", config_.certificate,
                         "has expired on " + text_of(X509_get0_notAfter(&own)) + ": nobody would believe it");
        if (X509_cmp_current_time(X509_get0_notBefore(&own)) > 0)
            return wrong("certificate", config_.certificate,
                         "is valid from " + text_of(X509_get0_notBefore(&own)) +
                             " on, which by this machine's clock is still to come");
        if (SSL_CTX_use_certificate(context_.get(), &own) != 1)
            return wrong("certificate", config_.certificate, "is not taken: " + openssl_complaint());
        for (std::size_t i = 1; i < chain.size(); ++i)
            if (SSL_CTX_add1_chain_cert(context_.get(), chain[i].get()) != 1)
                return wrong("certificate", config_.certificate, "is not taken: " + openssl_complaint());
        return ok;
    }

    Result<void> use_key() {
        const auto text = reader(files_.key);
        auto encrypted = false;
        const auto key = OpenSslPtr<EVP_PKEY>(PEM_read_bio_PrivateKey(text.get(), nullptr, &ask_nobody, &encrypted));
        if (encrypted)
            return wrong("key", config_.key, "is protected with a passphrase; give one without, readable by its owner");
        if (!key)
            return wrong("key", config_.key,
                         "has no private key that can be read, which begins with -----BEGIN PRIVATE KEY-----");
        if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1 || SSL_CTX_check_private_key(context_.get()) != 1)
            return wrong("key", config_.key,
                         "is not the key of the certificate in " + in_quotes(config_.certificate, 256));
        return ok;
    }

    static Error wrong(std::string_view field, const std::string& path, std::string_view why) {
        ERR_clear_error();
        return {Errc::invalid_argument,
                "TlsConfig::" + std::string(field) + ": " + in_quotes(path, 256) + " " + std::string(why)};
    }
    static OpenSslPtr<BIO> reader(const SecretText& text) {
        return OpenSslPtr<BIO>(BIO_new_mem_buf(text.view().data(), static_cast<int>(text.view().size())));
    }
    /// OpenSSL would ask on the terminal.
    static int ask_nobody(char*, int, int, void* encrypted) {
        *static_cast<bool*>(encrypted) = true;
        return -1;
    }
    static std::vector<OpenSslPtr<X509>> certificates(const SecretText& text) {
        auto all = std::vector<OpenSslPtr<X509>>();
        const auto from = reader(text);
        while (auto* const certificate = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr))
            all.emplace_back(certificate);
        const auto end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        ERR_clear_error();
        if (!end) all.clear(); // one of them is broken
        return all;
    }
    static std::string text_of(const ASN1_TIME* time) {
        const auto out = OpenSslPtr<BIO>(BIO_new(BIO_s_mem()));
        ASN1_TIME_print(out.get(), time);
        auto text = std::array<char, 64>();
        const auto length = BIO_read(out.get(), text.data(), static_cast<int>(text.size()));
        return {text.data(), static_cast<std::size_t>(length > 0 ? length : 0)};
    }

    const TlsConfig& config_;
    const TlsFiles& files_;
    std::shared_ptr<SSL_CTX> context_;
};

/// What connections are made with, of the files as they are when they are made. Thread: any.
class TlsCredentials {
  public:
    /// Throws `invalid_argument`, with the file that is wrong and what would be right.
    explicit TlsCredentials(TlsConfig config) : config_(std::move(config)) {
        auto loaded = load(config_);
        if (!loaded) throw_error(loaded.error());
        context_ = std::move(loaded->context);
        seen_ = loaded->hash;
    }

    [[nodiscard]] const TlsConfig& config() const noexcept { return config_; }

    /// New files are used from now on; broken ones are reported, once, and the old ones stay.
    [[nodiscard]] std::shared_ptr<SSL_CTX> context() {
        const auto lock = std::lock_guard(mutex_);
        const auto files = TlsFiles::read(config_);
        const auto now = files ? files->hash() : hash_text(files.error().context());
        if (now == seen_) return context_;
        seen_ = now;
        auto context = files ? TlsContextMaker(config_, *files).make() : files.error();
        if (context) {
            context_ = std::move(*context);
            config_.log(Severity::info, "new certificates are in use, from " + in_quotes(config_.certificate, 256));
        } else {
            config_.log(Severity::error, "the certificates that were in use stay, because the new ones are wrong: " +
                                             std::string(context.error().context()));
        }
        return context_;
    }

    struct Loaded {
        std::shared_ptr<SSL_CTX> context;
        std::uint64_t hash = 0; ///< of the files
    };
    static Result<Loaded> load(const TlsConfig& config) {
        constexpr auto most = std::uint32_t{1} << 24;
        if (config.records_a_key < 1 || config.records_a_key > most)
            return Error(Errc::invalid_argument,
                         "TlsConfig::records_a_key is " + std::to_string(config.records_a_key) + "; give 1 to 2^24");
        if (config.check == TlsServerCheck::name && config.server_name.empty())
            return Error(Errc::invalid_argument,
                         "TlsConfig::server_name is empty, and TlsServerCheck::name asks for it");
        if (config.check != TlsServerCheck::name && !config.server_name.empty())
            return Error(Errc::invalid_argument,
                         "TlsConfig::server_name is given, and nobody looks at it: set check to TlsServerCheck::name");
        const auto files = TlsFiles::read(config);
        if (!files) return files.error();
        auto context = TlsContextMaker(config, *files).make();
        if (!context) return context.error();
        return Loaded{.context = std::move(*context), .hash = files->hash()};
    }

  private:
    const TlsConfig config_;
    std::mutex mutex_; // of what follows
    std::shared_ptr<SSL_CTX> context_;
    std::uint64_t seen_ = 0; ///< hash of the files that were looked at last
};

} // namespace net::detail

/// Whether such a configuration is taken. Errors: `invalid_argument`, with the file that is wrong and what would be right.
[[nodiscard]] inline Result<void> validate(const TlsConfig& config) {
    const auto loaded = net::detail::TlsCredentials::load(config);
    if (!loaded) return loaded.error();
    return ok;
}

} // namespace mooncake
