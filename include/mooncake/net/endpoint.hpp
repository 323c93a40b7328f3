#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace mooncake {

/// Where a server is: `10.0.0.1:7000`, `[fe80::1]:7000`, `db-3.example:7000`. Port 0, to bind to, means any free one.
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    std::string from = {}; ///< of a client: the address of this host that it connects from; empty: the kernel's choice

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

[[nodiscard]] inline std::string to_string(const Endpoint& endpoint) {
    const auto bare = endpoint.host.find(':') == std::string::npos;
    return (bare ? endpoint.host : "[" + endpoint.host + "]") + ":" + std::to_string(endpoint.port);
}

/// Errors: `invalid_argument`, with what was wrong and what would be right.
[[nodiscard]] inline Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto wrong = [text](std::string_view why) {
        return Error(Errc::invalid_argument, in_quotes(text, 256) + " is no address: " + std::string(why) +
                                                 "; write host:port, or [address]:port for IPv6");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong("the port is missing");
    auto host = text.substr(0, colon);
    if (host.starts_with('[')) {
        if (!host.ends_with(']')) return wrong("the bracket is not closed");
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return wrong("an IPv6 address needs brackets");
    }
    if (host.find_first_of("[]") != std::string_view::npos) return wrong("a bracket is in the wrong place");
    if (host.empty() || host.size() > 255) return wrong("the host is empty or longer than 255");
    const auto digits = text.substr(colon + 1);
    auto port = std::uint16_t{0};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size()) return wrong("the port is no number up to 65535");
    return Endpoint{std::string(host), port};
}

/// Where a server listens, and what it tells others: behind address translation, in containers and on hosts with several
/// networks the two differ.
struct ListenConfig {
    Endpoint bind = {.host = "127.0.0.1", .port = 0};
    Endpoint advertise = {}; ///< an empty host means the bound one, port 0 the bound one
};

} // namespace mooncake
