#pragma once

#include <mooncake/metadata/http_wire.hpp>
#include <mooncake/metadata/server_connections.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake::metadata::detail {

namespace http = boost::beast::http;

struct HttpQuestion {
    http::verb verb = http::verb::get;
    std::string target; ///< path and query
    std::string body{};
    std::string content_type = "application/octet-stream";
    std::string if_match{};                              ///< an ETag; empty: whatever there is
    std::string if_none_match{};                         ///< `*`: only if there is none
    std::function<bool(std::string_view body)> enough{}; ///< of an answer that never ends: what has come so far will do
};

struct HttpAnswer {
    unsigned status = 0;
    std::string body{};
    std::string etag{};
};

/// Asks an HTTP/1.1 server. Errors: `unreachable`, `connection_lost` (it may have been done), `protocol_error`, `too_large`,
/// `cancelled`. To be run by `connections.run`.
template <StreamPolicy P>
Task<HttpAnswer> ask(ServerConnections<P>& connections, HttpQuestion question) {
    auto taken = co_await connections.take();
    if (!taken) co_return taken.error();
    auto& stream = (*taken)->stream;
    const auto name = to_string(connections.server());
    const auto failed = [&name](const boost::system::error_code& error) {
        if (error == asio::error::operation_aborted) return Error(Errc::cancelled);
        if (is_too_large(error))
            return Error(Errc::too_large,
                         "the answer of " + name + " is larger than " + std::to_string(most_http_body) + " bytes");
        if (is_no_http(error))
            return Error(Errc::protocol_error, name + " does not answer as an HTTP server does: " + error.message());
        return Error(Errc::connection_lost,
                     name + " closed the connection before it had answered; what was asked of it may have been done");
    };

    auto message = http::request<http::string_body>(question.verb, question.target, 11);
    message.set(http::field::host, name);
    message.set(http::field::content_type, question.content_type);
    if (!question.if_match.empty()) message.set(http::field::if_match, question.if_match);
    if (!question.if_none_match.empty()) message.set(http::field::if_none_match, question.if_none_match);
    message.body() = std::move(question.body);
    message.prepare_payload();
    const auto [write_error, sent] = co_await http::async_write(stream, message, as_result);
    if (write_error) co_return failed(write_error);

    auto parser = http::response_parser<http::string_body>();
    parser.header_limit(most_http_header);
    parser.body_limit(most_http_body);
    auto buffer = boost::beast::flat_buffer(most_http_header + 64 * KiB);
    const auto [header_error, read] = co_await http::async_read_header(stream, buffer, parser, as_result);
    if (header_error) co_return failed(header_error);
    while (!parser.is_done() && !(question.enough && question.enough(parser.get().body()))) {
        const auto [error, more] = co_await http::async_read_some(stream, buffer, parser, as_result);
        if (error) co_return failed(error);
    }
    auto answer = HttpAnswer{.status = parser.get().result_int(), .etag = std::string(parser.get()[http::field::etag])};
    const auto reusable = parser.is_done() && parser.get().keep_alive() && buffer.size() == 0;
    answer.body = std::move(parser.get().body());
    if (reusable) connections.give_back(std::move(*taken));
    co_return answer;
}

} // namespace mooncake::metadata::detail
