#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/repeats.hpp>
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
    std::string path = "/metadata";           ///< begins with a slash
    std::size_t connections = 1'024;          ///< at once; those beyond are closed as they come
    std::uint64_t most_bytes = 1 * GiB;       ///< of records and leases that are held; what would be beyond is refused
    std::uint64_t most_body_bytes = 16 * MiB; ///< of one request
    std::uint64_t most_in_hand_bytes =
        512 * MiB; ///< of bodies that come in or go out; who would need more is told to try again
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
        : config_(std::move(config)), policy_(std::move(policy)), log_(config_.log), records_({}, config_.most_bytes),
          tenant_(std::in_place, runtime), scope_(runtime.next_executor()),
          listener_(policy_.listen(scope_.executor(), config_.listen)), endpoint_(listener_.endpoint()) {}

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
                    log_(Severity::warning, "full",
                         "a client of the metadata server was turned away: it serves " + std::to_string(connections_) +
                             " already");
                continue;
            }
            if (accepted.error() != Errc::system) co_return ok;
            log_(Severity::warning, "accept",
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
            auto in_hand = InHand(*this);
            const auto read =
                co_await with_deadline(read_request(stream, buffer, in_hand, request), Deadline(config_.idle));
            if (!read && !is_answered(read.error())) co_return read.error();
            auto reply = Reply();
            if (read) {
                auto answer = co_await answer_to(request);
                if (!answer) co_return answer.error(); // it is being closed
                reply = std::move(*answer);
                if (!in_hand.add(reply.body.size())) reply = refused(too_much_in_hand());
            } else {
                reply = refused(read.error());
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

    /// Bytes of bodies that somebody has in hand, on the scope's executor.
    class InHand {
      public:
        explicit InHand(HttpMetadataServer& server) noexcept : server_(server) {}
        InHand(const InHand&) = delete;
        InHand& operator=(const InHand&) = delete;
        ~InHand() { server_.in_hand_ -= bytes_; }

        /// False: all have too many.
        [[nodiscard]] bool add(std::uint64_t bytes) noexcept {
            if (bytes > server_.config_.most_in_hand_bytes - server_.in_hand_) return false;
            server_.in_hand_ += bytes;
            bytes_ += bytes;
            return true;
        }

      private:
        HttpMetadataServer& server_;
        std::uint64_t bytes_ = 0;
    };

    [[nodiscard]] Error too_much_in_hand() const {
        return {Errc::no_space,
                "the bodies of other requests, " + std::to_string(in_hand_) + " bytes, leave no room; try again"};
    }
    /// Whether that is a request after all, though a wrong one, and not the end of a connection.
    [[nodiscard]] static bool is_answered(const Error& error) noexcept {
        return error == Errc::invalid_argument || error == Errc::too_large || error == Errc::no_space;
    }

    /// Errors: those that `is_answered` names; `connection_lost`.
    Task<void> read_request(typename P::Stream& stream, Buffer& buffer, InHand& in_hand, Request& request) const {
        namespace http = boost::beast::http;
        auto parser = http::request_parser<http::string_body>();
        parser.header_limit(metadata::detail::most_http_header);
        parser.body_limit(config_.most_body_bytes);
        const auto [header_error, header_bytes] = co_await http::async_read_header(stream, buffer, parser, as_result);
        if (header_error) co_return wrong(header_error);
        for (auto counted = std::size_t{0}; !parser.is_done();) { // what has come counts, and not what was promised
            const auto [error, bytes] = co_await http::async_read_some(stream, buffer, parser, as_result);
            if (error) co_return wrong(error);
            const auto came = parser.get().body().size();
            if (!in_hand.add(came - std::exchange(counted, came))) co_return too_much_in_hand();
        }
        request = parser.release();
        co_return ok;
    }
    [[nodiscard]] Error wrong(const boost::system::error_code& error) const {
        if (metadata::detail::is_too_large(error))
            return {Errc::too_large, "a header may have " + std::to_string(metadata::detail::most_http_header) +
                                         " bytes, a body " + std::to_string(config_.most_body_bytes)};
        if (metadata::detail::is_no_http(error))
            return {Errc::invalid_argument, "this is no HTTP/1.1 request: " + error.message()};
        return Errc::connection_lost;
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
        if (method == http_verb::delete_ && target->has("key")) co_return co_await remove(*target, request);
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
        return refused(status_of(why.code()),
                       why.context().empty() ? std::string_view("there is no such thing") : why.context());
    }
    [[nodiscard]] static unsigned status_of(Errc why) noexcept {
        switch (why) {
        case Errc::not_found: return 404;
        case Errc::conflict: return 412;
        case Errc::too_large: return 413;
        case Errc::no_space: return 507;
        default: return 400;
        }
    }
    Task<Reply> get(const Target& target) {
        auto document = co_await records_.get(target.text("key"), Deadline());
        if (!document) co_return refused(document.error());
        co_return Reply{.body = std::move(document->value), .version = document->version};
    }

    /// The version that has to be there, 0 for none; nothing: whatever is. Errors: `invalid_argument`.
    static Result<std::optional<std::uint64_t>> expected_by(const Request& request) {
        const auto if_match = std::string(request[boost::beast::http::field::if_match]);
        const auto if_none_match = std::string(request[boost::beast::http::field::if_none_match]);
        if (!if_none_match.empty() && (if_none_match != "*" || !if_match.empty()))
            return Error(Errc::invalid_argument, "If-None-Match may be * and nothing else, and not beside If-Match");
        if (!if_none_match.empty()) return std::optional<std::uint64_t>(0);
        if (if_match.empty()) return std::optional<std::uint64_t>();
        const auto version = metadata::detail::version_of(if_match);
        if (!version) return version.error();
        return std::optional(*version);
    }

    Task<Reply> put(const Target& target, Request& request) {
        const auto& key = target.text("key");
        const auto expected = expected_by(request);
        if (!expected) co_return refused(expected.error());
        const auto lease = target.has("lease") ? target.number("lease") : Result<std::uint64_t>(0);
        if (!lease) co_return refused(lease.error());
        auto putting = Task<std::uint64_t>();
        if (*expected)
            putting = records_.compare_and_swap(key, **expected, std::move(request.body()), *lease, Deadline());
        else if (*lease != 0) putting = records_.put_leased(key, std::move(request.body()), *lease, Deadline());
        else putting = records_.put(key, std::move(request.body()), Deadline());
        const auto put = co_await std::move(putting);
        if (!put) co_return refused(put.error());
        co_return Reply{.version = *put};
    }

    Task<Reply> remove(const Target& target, const Request& request) {
        const auto& key = target.text("key");
        const auto expected = expected_by(request);
        if (!expected) co_return refused(expected.error());
        auto removing = Task<void>();
        if (*expected) removing = records_.remove(key, **expected, Deadline());
        else removing = records_.remove(key, Deadline());
        const auto removed = co_await std::move(removing);
        if (!removed) co_return refused(removed.error());
        co_return Reply();
    }

    Task<Reply> changes(const Target& target) {
        const auto after = target.has("after") ? target.number("after") : Result<std::uint64_t>(0);
        if (!after) co_return refused(after.error());
        // Before memory is taken; what comes while changes are waited for is counted when it is there.
        if (records_.bytes_of(target.text("prefix"), *after) > config_.most_in_hand_bytes - in_hand_)
            co_return refused(too_much_in_hand());
        auto found = Result<std::vector<DocumentChange>>();
        if (target.has("after")) {
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
    Repeats log_;
    MemoryMetadata records_;
    std::optional<Runtime::Tenant> tenant_; ///< until it is closed
    Closing closing_;
    std::size_t connections_ = 0;
    std::uint64_t in_hand_ = 0; ///< bytes of bodies
    TaskScope scope_;
    typename P::Listener listener_;
    Endpoint endpoint_;
};

} // namespace mooncake
