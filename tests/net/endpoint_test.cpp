#include <mooncake/net/endpoint.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("endpoint: names, IPv4 and bracketed IPv6 addresses are understood, and written the same way") {
    for (const auto& [text, host, port] :
         {std::tuple("127.0.0.1:7000", "127.0.0.1", 7000), std::tuple("[::1]:0", "::1", 0),
          std::tuple("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535), std::tuple("db-3.example:1", "db-3.example", 1)}) {
        const auto parsed = parse_endpoint(text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->host == host);
        CHECK(parsed->port == port);
        CHECK(to_string(*parsed) == text);
    }
}

TEST_CASE("endpoint: what is no address is refused with what would be right") {
    for (const auto* text : {"",          ":",         "host",      "7000",       "host:",
                             ":7000",     "host:-1",   "host:+1",   "host:65536", "host:99999999999999999999",
                             "host:7x",   "host: 7",   "::1",       "::1:7000",   "[::1]",
                             "[::1]7000", "[::1:7000", "::1]:7000", "[]:7000",    "[[::1]]:7000",
                             "]:7000",    "[:7000",    "[a]b]:7000"}) {
        CAPTURE(std::string(text));
        const auto parsed = parse_endpoint(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error() == Errc::invalid_argument);
        CHECK(parsed.error().message().find("write host:port") != std::string::npos);
    }
    CHECK_FALSE(parse_endpoint(std::string(256, 'h') + ":1").has_value());
    CHECK(parse_endpoint(std::string(255, 'h') + ":1").has_value());
    CHECK(parse_endpoint(std::string(100'000, 'h')).error().message().size() < 1000);
}
