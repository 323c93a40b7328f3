#pragma once

#include <mooncake/net/tls_tcp.hpp>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace mooncake::test {

/// A folder that goes with its owner.
struct TemporaryFolder {
    TemporaryFolder() {
        auto pattern = (std::filesystem::temp_directory_path() / "mooncake-tls-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) std::perror("mkdtemp"), std::abort();
        path = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path); }

    /// Replaced in one step, as those who renew certificates do.
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path / (name + ".new"), std::ios::binary) << text;
        std::filesystem::rename(path / (name + ".new"), path / name);
        return (path / name).string();
    }

    std::filesystem::path path;
};

struct CertificateOptions {
    std::string alternative_names = "IP:127.0.0.1,DNS:localhost";
    long from = -3600, to = 3600; ///< seconds from now
};

/// Certificate and key in PEM form.
struct Identity {
    std::string certificate, key;
};

/// Signs certificates; all keys are of the curve P-256.
class Authority {
  public:
    explicit Authority(std::string name) : key_(EVP_EC_gen("P-256")), certificate_(made(name, name, {}, *key_)) {
        extend(*certificate_, NID_basic_constraints, "critical,CA:TRUE");
        sign(*certificate_);
    }

    [[nodiscard]] std::string certificate() const { return pem(*certificate_); }

    [[nodiscard]] Identity issue(const std::string& name, const CertificateOptions& options = {}) const {
        const auto key = net::detail::OpenSslPtr<EVP_PKEY>(EVP_EC_gen("P-256"));
        const auto certificate = made(name, issuer(), options, *key);
        extend(*certificate, NID_subject_alt_name, options.alternative_names);
        sign(*certificate);
        const auto out = net::detail::OpenSslPtr<BIO>(BIO_new(BIO_s_mem()));
        PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        return {.certificate = pem(*certificate), .key = text(*out)};
    }

    /// A key that nobody can read without a passphrase.
    [[nodiscard]] std::string protected_key() const {
        const auto out = net::detail::OpenSslPtr<BIO>(BIO_new(BIO_s_mem()));
        const auto* const phrase = reinterpret_cast<const unsigned char*>("phrase");
        PEM_write_bio_PrivateKey(out.get(), key_.get(), EVP_aes_128_cbc(), phrase, 6, nullptr, nullptr);
        return text(*out);
    }

  private:
    using Certificate = net::detail::OpenSslPtr<X509>;

    [[nodiscard]] std::string issuer() const {
        auto name = std::string(64, '\0');
        const auto length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate_.get()), NID_commonName,
                                                      name.data(), static_cast<int>(name.size()));
        name.resize(static_cast<std::size_t>(length));
        return name;
    }
    static void name_it(X509_NAME* to, const std::string& name) {
        X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                   0);
    }
    static Certificate made(const std::string& name, const std::string& by, const CertificateOptions& options,
                            EVP_PKEY& key) {
        static auto serial = 0L;
        auto certificate = Certificate(X509_new());
        X509_set_version(certificate.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), options.from);
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), options.to);
        name_it(X509_get_subject_name(certificate.get()), name);
        name_it(X509_get_issuer_name(certificate.get()), by);
        X509_set_pubkey(certificate.get(), &key);
        return certificate;
    }
    static void extend(X509& certificate, int what, const std::string& value) {
        auto* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
        X509_add_ext(&certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    void sign(X509& certificate) const { X509_sign(&certificate, key_.get(), EVP_sha256()); }
    static std::string text(BIO& out) {
        auto* bytes = static_cast<char*>(nullptr);
        const auto length = BIO_get_mem_data(&out, &bytes);
        return {bytes, static_cast<std::size_t>(length)};
    }
    static std::string pem(X509& certificate) {
        const auto out = net::detail::OpenSslPtr<BIO>(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(out.get(), &certificate);
        return text(*out);
    }

    net::detail::OpenSslPtr<EVP_PKEY> key_;
    Certificate certificate_;
};

/// Everything that a process needs to be one of a cluster, in files.
struct ClusterFiles {
    TlsConfig put(const std::string& name, const Identity& identity, const std::string& believed = {}) const {
        return {.authority =
                    folder.write(name + "-authority.pem", believed.empty() ? authority.certificate() : believed),
                .certificate = folder.write(name + ".pem", identity.certificate),
                .key = folder.write(name + "-key.pem", identity.key)};
    }
    TlsConfig member(const std::string& name, const CertificateOptions& options = {}) const {
        return put(name, authority.issue(name, options));
    }

    TemporaryFolder folder;
    Authority authority{"the cluster's authority"};
};

/// A stream policy that has certificates without being told, for suites that make configurations themselves.
struct TestTls : TlsTcp {
    TestTls() : TlsTcp(policy()) {}

  private:
    static const TlsTcp& policy() {
        static const auto files = ClusterFiles();
        static const auto one = TlsTcp(files.member("a member"));
        return one;
    }
};

} // namespace mooncake::test
