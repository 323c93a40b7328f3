#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/parse_number.hpp>

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

/// What `HttpMetadata` and its server say to each other beyond HTTP itself.
///
/// | request | answer |
/// |---|---|
/// | `GET <path>?key=K` | 200, the value, its version as `ETag`; 404 |
/// | `PUT <path>?key=K`, optionally `&lease=L`, `If-Match: "version"` or `If-None-Match: *` | 200, `ETag`; 412: somebody else changed it; 404: the lease is over |
/// | `DELETE <path>?key=K`, optionally `If-Match: "version"` | 200, also where there was none; 412 |
/// | `GET <path>?prefix=P` | 200, `DocumentChanges` as the codec writes them |
/// | `GET <path>?prefix=P&after=V&wait_ms=N` | the same, once there are changes; 204: none came in that time; 410: list again |
/// | `POST <path>?ttl_ms=N` | 200, a lease's number |
/// | `POST <path>?lease=L` | 200: it is kept alive; 404: it is over |
namespace mooncake::metadata::detail {

/// Larger answers are refused by clients; what servers take they are told (`HttpMetadataServerConfig`).
inline constexpr std::uint64_t most_http_body = 64 * MiB;
inline constexpr std::uint32_t most_http_header = 16 * KiB;

/// Whether what came is no HTTP at all, rather than too little of it.
[[nodiscard]] inline bool is_no_http(const boost::system::error_code& error) noexcept {
    namespace http = boost::beast::http;
    return error.category() == http::make_error_code(http::error::bad_method).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
}
[[nodiscard]] inline bool is_too_large(const boost::system::error_code& error) noexcept {
    return error == boost::beast::http::error::body_limit || error == boost::beast::http::error::header_limit;
}

struct DocumentChanges {
    std::vector<DocumentChange> changes;
};

[[nodiscard]] inline std::string etag_of(std::uint64_t version) { return "\"" + std::to_string(version) + "\""; }

/// Errors: `invalid_argument`.
[[nodiscard]] inline Result<std::uint64_t> version_of(std::string_view etag) {
    if (etag.size() < 3 || etag.front() != '"' || etag.back() != '"')
        return Error(Errc::invalid_argument, in_quotes(etag) + " is no version: such are numbers in quotes");
    return parse_number(etag.substr(1, etag.size() - 2));
}

/// `text` as it stands in a query: all but letters, digits and `-._~` is escaped (RFC 3986, 2.3).
[[nodiscard]] inline std::string url_encoded(std::string_view text) {
    constexpr auto digits = std::string_view("0123456789ABCDEF");
    auto encoded = std::string();
    for (const auto c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const auto plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) encoded += c;
        else encoded.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return encoded;
}

/// Errors: `invalid_argument`: an escape that is none.
[[nodiscard]] inline Result<std::string> url_decoded(std::string_view text) {
    auto decoded = std::string();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') decoded += ' ';
        if (text[i] != '%' && text[i] != '+') decoded += text[i];
        if (text[i] != '%') continue;
        auto byte = 0U;
        const auto escape = text.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(escape.data(), escape.data() + escape.size(), byte, 16);
        if (error != std::errc{} || end != text.data() + i + 3)
            return Error(Errc::invalid_argument,
                         in_quotes(text) + " holds a '%' that two hexadecimal digits do not follow");
        decoded += static_cast<char>(byte);
        i += 2;
    }
    return decoded;
}

/// What is asked for: `/metadata?key=a%2Fb` is a path and one field.
struct HttpTarget {
    std::string path;
    std::map<std::string, std::string, std::less<>> fields;

    [[nodiscard]] bool has(std::string_view field) const { return fields.contains(field); }
    [[nodiscard]] const std::string& text(std::string_view field) const { return fields.find(field)->second; }
    /// Errors: `invalid_argument`, with the field's name.
    [[nodiscard]] Result<std::uint64_t> number(std::string_view field) const {
        const auto parsed = parse_number(text(field));
        if (!parsed)
            return Error(Errc::invalid_argument, std::string(field) + ": " + std::string(parsed.error().context()));
        return parsed;
    }
};

/// Errors: `invalid_argument`.
[[nodiscard]] inline Result<HttpTarget> parse_target(std::string_view text) {
    auto target = HttpTarget();
    const auto question = text.find('?');
    target.path = text.substr(0, question);
    if (question == std::string_view::npos) return target;
    for (auto rest = text.substr(question + 1); !rest.empty();) {
        const auto field = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), field.size() + 1));
        const auto equals = field.find('=');
        auto name = url_decoded(field.substr(0, equals));
        auto value = url_decoded(equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1));
        if (!name) return name.error();
        if (!value) return value.error();
        target.fields.insert_or_assign(std::move(*name), std::move(*value));
    }
    return target;
}

} // namespace mooncake::metadata::detail
