#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/metadata/http_wire.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/plain_tcp.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace mooncake {

struct HttpMetadataServerConfig {
    ListenConfig listen = {};
    std::string path = "/metadata";  ///< begins with a slash
    std::size_t connections = 1'024; ///< at once; those beyond are closed as they come
    std::chrono::milliseconds idle{
        60'000}; ///< after which a connection that asks nothing, or takes no answer, is closed
    Log log = {};
};

/// A metadata server to embed in a process of one's own: what `HttpMetadata` talks to, and everything that speaks the field's
/// `GET`, `PUT` and `DELETE` of `/metadata?key=…`. What it holds is in memory, and gone with it: owners put their records again.
///
/// The constructor binds, and throws `address_in_use`, `invalid_argument` or `system`; nothing is accepted before `start`.
/// Close it before it dies.
template <class P>
class HttpMetadataServer {
    static_assert(StreamPolicy<P>);

  public:
    explicit HttpMetadataServer(Runtime& runtime, HttpMetadataServerConfig config = {}, P policy = {})
        : config_(std::move(config)), policy_(std::move(policy)), tenant_(std::in_place, runtime),
          scope_(runtime.next_executor()), listener_(policy_.listen(scope_.executor(), config_.listen)),
          endpoint_(listener_.endpoint()) {}

    /// Where clients reach it.
    [[nodiscard]] const Endpoint& endpoint() const noexcept { return endpoint_; }
    void start() { (void)scope_.spawn(accept_all()); }
    /// Ends every connection. Idempotent.
    asio::awaitable<void> close() { return closing_.once(close_now()); }

  private:
    static constexpr auto longest_wait = std::chrono::milliseconds{60'000}; ///< of one question for changes
    static constexpr auto pause_of_accepting = std::chrono::milliseconds{100};

    using http_verb = boost::beast::http::verb;
    using Request = boost::beast::http::request<boost::beast::http::string_body>;
    using Response = boost::beast::http::response<boost::beast::http::string_body>;
    using Buffer = boost::beast::flat_buffer;
    using Target = metadata::detail::HttpTarget;

    struct Reply {
        unsigned status = 200;
        std::string body{};
        std::uint64_t version = 0; ///< 0: it tells none
    };

    asio::awaitable<void> close_now() {
        co_await scope_.close();
        listener_.close();
        tenant_.reset();
    }

    Task<void> accept_all() {
        for (;;) {
            auto accepted = co_await listener_.accept(scope_.executor());
            if (accepted) {
                if (connections_ < config_.connections) (void)scope_.spawn(serve(std::move(*accepted->stream)));
                else
                    config_.log(Severity::warning, "a client of the metadata server was turned away: it serves " +
                                                       std::to_string(connections_) + " already");
                continue;
            }
            if (accepted.error() != Errc::system) co_return ok;
            config_.log(Severity::warning,
                        "accepting a client on " + to_string(endpoint_) + " failed: " + accepted.error().message());
            auto pause = Event();
            const auto wake = co_await pause.wait(pause_of_accepting);
            if (wake == Wake::cancelled) co_return ok;
        }
    }

    Task<void> serve(typename P::Incoming incoming) {
        const auto counted = Counted(connections_);
        auto greeting = policy_.accept(std::move(incoming));
        auto connected = co_await with_deadline(std::move(greeting), Deadline(config_.idle));
        if (!connected) co_return connected.error();
        auto& stream = *connected->stream;
        auto buffer = Buffer(metadata::detail::most_http_header + 64 * KiB);
        for (auto keep = true; keep;) {
            auto request = Request();
            const auto read = co_await with_deadline(read_request(stream, buffer, request), Deadline(config_.idle));
            if (!read && read.error() != Errc::invalid_argument && read.error() != Errc::too_large)
                co_return read.error();
            auto reply = Reply();
            if (read) {
                auto answer = co_await answer_to(request);
                if (!answer) co_return answer.error(); // it is being closed
                reply = std::move(*answer);
            } else {
                reply = {.status = read.error() == Errc::too_large ? 413U : 400U,
                         .body = std::string(read.error().context())};
            }
            keep = read && request.keep_alive();
            auto response = Response(static_cast<boost::beast::http::status>(reply.status), 11);
            response.keep_alive(keep);
            if (reply.version != 0)
                response.set(boost::beast::http::field::etag, metadata::detail::etag_of(reply.version));
            response.body() = std::move(reply.body);
            response.prepare_payload();
            const auto written = co_await with_deadline(write_response(stream, response), Deadline(config_.idle));
            if (!written) co_return written.error();
        }
        co_return ok;
    }

    /// Errors: `invalid_argument`, `too_large`: what came is answered with a sentence; `connection_lost`.
    static Task<void> read_request(typename P::Stream& stream, Buffer& buffer, Request& request) {
        namespace http = boost::beast::http;
        auto parser = http::request_parser<http::string_body>();
        parser.header_limit(metadata::detail::most_http_header);
        parser.body_limit(metadata::detail::most_http_body);
        const auto [error, bytes] = co_await http::async_read(stream, buffer, parser, as_result);
        if (error == http::error::body_limit || error == http::error::header_limit)
            co_return Error(Errc::too_large, "a header may have " + std::to_string(metadata::detail::most_http_header) +
                                                 " bytes, a body " + std::to_string(metadata::detail::most_http_body));
        const auto malformed = error.category() == http::make_error_code(http::error::bad_method).category() &&
                               error != http::error::end_of_stream && error != http::error::partial_message;
        if (malformed) co_return Error(Errc::invalid_argument, "this is no HTTP/1.1 request: " + error.message());
        if (error) co_return Errc::connection_lost;
        request = parser.release();
        co_return ok;
    }

    static Task<void> write_response(typename P::Stream& stream, Response& response) {
        const auto [error, bytes] = co_await boost::beast::http::async_write(stream, response, as_result);
        if (error) co_return Errc::connection_lost;
        co_return ok;
    }

    /// Errors: `cancelled`: there is no answer, since the server is being closed.
    Task<Reply> answer_to(Request& request) {
        const auto target =
            metadata::detail::parse_target(std::string_view(request.target().data(), request.target().size()));
        if (!target) co_return refused(400, target.error().context());
        if (target->path != config_.path)
            co_return refused(404, "there is " + config_.path + " here, and not " + in_quotes(target->path));
        const auto method = request.method();
        if (method == http_verb::get && target->has("key")) co_return co_await get(*target);
        if (method == http_verb::put && target->has("key")) co_return co_await put(*target, request);
        if (method == http_verb::delete_ && target->has("key")) co_return co_await remove(*target);
        if (method == http_verb::get && target->has("prefix")) co_return co_await changes(*target);
        if (method == http_verb::post && target->has("ttl_ms")) co_return co_await grant(*target);
        if (method == http_verb::post && target->has("lease")) co_return co_await keep_alive(*target);
        co_return refused(
            405, "there are GET, PUT and DELETE with ?key=, GET with ?prefix=, and POST with ?ttl_ms= or ?lease=");
    }

    [[nodiscard]] static Reply refused(unsigned status, std::string_view why) {
        return {.status = status, .body = std::string(why)};
    }
    [[nodiscard]] static Reply refused(const Error& why) {
        const auto status = why == Errc::not_found ? 404U : why == Errc::conflict ? 412U : 400U;
        return refused(status, why.context().empty() ? std::string_view("there is no such thing") : why.context());
    }
    [[nodiscard]] static Reply changed(const Result<std::uint64_t>& version) {
        if (!version) return refused(version.error());
        return {.version = *version};
    }

    Task<Reply> get(const Target& target) {
        auto document = co_await records_.get(target.text("key"), Deadline());
        if (!document) co_return refused(document.error());
        co_return Reply{.body = std::move(document->value), .version = document->version};
    }

    Task<Reply> put(const Target& target, Request& request) {
        const auto& key = target.text("key");
        const auto if_match = std::string(request[boost::beast::http::field::if_match]);
        const auto if_none_match = std::string(request[boost::beast::http::field::if_none_match]);
        if (!if_none_match.empty() && if_none_match != "*")
            co_return refused(400, "If-None-Match may be * and nothing else");
        const auto lease = target.has("lease") ? target.number("lease") : Result<std::uint64_t>(0);
        if (!lease) co_return refused(lease.error());
        if (if_match.empty() && if_none_match.empty()) {
            auto putting = *lease == 0 ? records_.put(key, std::move(request.body()), Deadline())
                                       : records_.put_leased(key, std::move(request.body()), *lease, Deadline());
            const auto put = co_await std::move(putting);
            co_return changed(put);
        }
        const auto expected = if_match.empty() ? Result<std::uint64_t>(0) : metadata::detail::version_of(if_match);
        if (!expected) co_return refused(expected.error());
        const auto swapped =
            co_await records_.compare_and_swap(key, *expected, std::move(request.body()), *lease, Deadline());
        co_return changed(swapped);
    }

    Task<Reply> remove(const Target& target) {
        const auto removed = co_await records_.remove(target.text("key"), Deadline());
        if (!removed) co_return refused(removed.error());
        co_return Reply();
    }

    Task<Reply> changes(const Target& target) {
        auto found = Result<std::vector<DocumentChange>>();
        if (target.has("after")) {
            const auto after = target.number("after");
            if (!after) co_return refused(after.error());
            const auto wait = target.has("wait_ms") ? target.number("wait_ms") : Result<std::uint64_t>(0);
            if (!wait) co_return refused(wait.error());
            const auto bounded = std::chrono::milliseconds(std::min<std::uint64_t>(*wait, longest_wait.count()));
            found = co_await records_.watch(target.text("prefix"), *after, Deadline(bounded));
        } else {
            found = co_await records_.list(target.text("prefix"), Deadline());
        }
        if (!found && found.error() == Errc::cancelled) co_return found.error();
        if (!found && found.error() == Errc::timed_out) co_return Reply{.status = 204};
        if (!found && found.error() == Errc::conflict) co_return refused(410, found.error().context());
        if (!found) co_return refused(found.error());
        co_return Reply{.body = encode(metadata::detail::DocumentChanges{std::move(*found)})};
    }

    Task<Reply> grant(const Target& target) {
        const auto ttl = target.number("ttl_ms");
        if (!ttl) co_return refused(ttl.error());
        if (*ttl == 0 || *ttl > most_ttl_ms)
            co_return refused(400, "ttl_ms is from 1 to " + std::to_string(most_ttl_ms));
        const auto lease = co_await records_.grant(std::chrono::milliseconds(*ttl), Deadline());
        if (!lease) co_return refused(lease.error());
        co_return Reply{.body = std::to_string(*lease)};
    }

    Task<Reply> keep_alive(const Target& target) {
        const auto lease = target.number("lease");
        if (!lease) co_return refused(lease.error());
        const auto kept = co_await records_.keep_alive(*lease, Deadline());
        if (!kept) co_return refused(kept.error());
        co_return Reply();
    }

    static constexpr std::uint64_t most_ttl_ms = 24ULL * 3'600'000;

    /// On the scope's executor, as all that is served.
    struct Counted {
        explicit Counted(std::size_t& count) noexcept : counter(count) { ++counter; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { --counter; }
        std::size_t& counter;
    };

    const HttpMetadataServerConfig config_;
    const P policy_;
    MemoryMetadata records_;
    std::optional<Runtime::Tenant> tenant_; ///< until it is closed
    Closing closing_;
    std::size_t connections_ = 0;
    TaskScope scope_;
    typename P::Listener listener_;
    Endpoint endpoint_;
};

} // namespace mooncake
