#pragma once

#include <mooncake/core/log.hpp>

#include <cstdint>
#include <string>

namespace mooncake {

/// What a client makes sure of, besides that the server's certificate is the authority's.
enum class TlsServerCheck : std::uint8_t {
    host, ///< that it names the host that was connected to: a DNS name, or an IP address, among its alternative names
    name, ///< that it names `TlsConfig::server_name`, wherever the server is
    none, ///< nothing: whoever has a certificate of the authority may be a server
};

/// Who this process is, and whom it believes. The files are PEM, and are looked at again for every new connection: whoever
/// replaces them restarts nothing. Connections that are open stay as they are.
struct TlsConfig {
    std::string
        authority; ///< file: the certificates of those who sign this cluster's, and nobody else's; no system-wide
                   ///< ones are believed
    std::string certificate; ///< file: this process's certificate, and after it those in between, up to the authority's
    std::string key;         ///< file: its private key, without a passphrase
    TlsServerCheck check = TlsServerCheck::host;
    std::string server_name = {}; ///< for `TlsServerCheck::name`
    /// Records of 16 KiB that are sent under one key before the next is made, 1 … 2^24 (RFC 8446, 5.5).
    std::uint32_t records_a_key = 1U << 22;
    Log log = {}; ///< told of new files, and of new ones that are broken
};

} // namespace mooncake
