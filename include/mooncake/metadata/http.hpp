#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/metadata/http_client.hpp>
#include <mooncake/metadata/remote_metadata.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/plain_tcp.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

struct HttpMetadataConfig {
    Endpoint server = {};
    std::string path = "/metadata";                 ///< begins with a slash
    std::chrono::milliseconds answer_within{5'000}; ///< most the server may take when the deadline never passes
};

/// Choose this when: there is a metadata server that speaks HTTP. A `PlainHttpMetadata` talks to any: a version is then the number
/// of changes that this client has made, and two owners of one name overwrite each other unseen.
/// An `HttpMetadata` talks to a `HttpMetadataServer`, which has versions, leases and a watch.
///
/// Errors: those of `MetadataBackend`, and `connection_lost` (a change may have been made), `protocol_error`, `closed`.
template <HttpDialect Dialect, class P>
class BasicHttpMetadata : public metadata::detail::RemoteMetadata<BasicHttpMetadata<Dialect, P>, P> {
    using Base = metadata::detail::RemoteMetadata<BasicHttpMetadata, P>;
    static constexpr bool versioned = Dialect == HttpDialect::versioned;

  public:
    static constexpr auto capabilities = MetadataCapabilities{
        .compare_and_swap = versioned, .list = versioned, .watch = versioned, .lease = versioned, .outlives = true};

    BasicHttpMetadata(Runtime& runtime, HttpMetadataConfig config, P policy = {})
        : Base(runtime, config.server, config.answer_within, std::move(policy)), config_(std::move(config)) {}

  private:
    friend Base;
    using Base::connections_;
    using Question = metadata::detail::HttpQuestion;
    using Answer = metadata::detail::HttpAnswer;
    using verb = metadata::detail::http::verb;

    [[nodiscard]] static std::string of_key(std::string_view key) {
        return "key=" + metadata::detail::url_encoded(key);
    }
    [[nodiscard]] Question question(verb method, const std::string& query) const {
        return {.verb = method, .target = config_.path + "?" + query};
    }

    /// What a status that is no success means.
    [[nodiscard]] Error error_of(const Answer& answer) const {
        const auto says = to_string(config_.server) + " says: " + in_quotes(answer.body, 256);
        if (answer.status == 404) return {Errc::not_found, says};
        if (answer.status == 410 || answer.status == 412) return {Errc::conflict, says};
        if (answer.status == 413) return {Errc::too_large, says};
        if (answer.status == 507) return {Errc::no_space, says};
        return {Errc::protocol_error, to_string(config_.server) + " answers with status " +
                                          std::to_string(answer.status) + ", and says: " + in_quotes(answer.body, 256) +
                                          "; is it a metadata server, and is " + in_quotes(config_.path) +
                                          " its path?"};
    }

    /// The version in an answer. A plain server has none.
    Result<std::uint64_t> version_in(const Answer& answer) {
        if constexpr (!versioned) return changes_.fetch_add(1, std::memory_order_relaxed) + 1;
        auto version = metadata::detail::version_of(answer.etag);
        if (!version)
            return Error(Errc::protocol_error, to_string(config_.server) +
                                                   " tells no version (ETag), as a HttpMetadataServer does; use "
                                                   "PlainHttpMetadata with other servers");
        return version;
    }

    /// Says which version has to be there. Without one: whatever is.
    static void expect(Question& question, std::optional<std::uint64_t> version) {
        if (version == 0U) question.if_none_match = "*";
        else if (version) question.if_match = metadata::detail::etag_of(*version);
    }

    Task<std::uint64_t> put_now(std::string key, std::string value, metadata::detail::Putting putting) {
        auto query = of_key(key);
        if (putting.lease != 0) query += "&lease=" + std::to_string(putting.lease);
        auto asked = question(verb::put, query);
        asked.body = std::move(value);
        expect(asked, putting.over);
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status != 200) co_return error_of(*answer);
        co_return version_in(*answer);
    }

    Task<Document> get_now(std::string key) {
        auto asked = question(verb::get, of_key(key));
        auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status == 404) co_return this->no_record_of(key);
        if (answer->status != 200) co_return error_of(*answer);
        auto version = std::uint64_t{1};
        if constexpr (versioned) {
            const auto told = version_in(*answer);
            if (!told) co_return told.error();
            version = *told;
        }
        co_return Document{.value = std::move(answer->body), .version = version};
    }

    Task<void> remove_now(std::string key, std::optional<std::uint64_t> version) {
        auto asked = question(verb::delete_, of_key(key));
        expect(asked, version);
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status != 200 && answer->status != 204 && answer->status != 404) co_return error_of(*answer);
        co_return ok;
    }

    Result<std::vector<DocumentChange>> changes_in(const Answer& answer) const {
        auto decoded = decode<metadata::detail::DocumentChanges>(answer.body);
        if (!decoded) return decoded.error();
        return std::move(decoded->changes);
    }

    Task<std::vector<DocumentChange>> list_now(std::string prefix) {
        auto asked = question(verb::get, "prefix=" + metadata::detail::url_encoded(prefix));
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status != 200) co_return error_of(*answer);
        co_return changes_in(*answer);
    }

    /// Asks again and again: a server that says nothing for longer than it was asked to wait is not working.
    Task<std::vector<DocumentChange>> watch_now(std::string prefix, std::uint64_t version, Deadline deadline) {
        const auto query = "prefix=" + metadata::detail::url_encoded(prefix) + "&after=" + std::to_string(version);
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left(SteadyClock{}.now()));
            const auto wait = std::clamp(left, std::chrono::milliseconds{0}, metadata::detail::longest_poll);
            auto asked = question(verb::get, query + "&wait_ms=" + std::to_string(wait.count()));
            auto asking = metadata::detail::ask(connections_, std::move(asked));
            const auto answer = co_await with_deadline(std::move(asking), Deadline(wait + config_.answer_within));
            if (!answer && answer.error() == Errc::timed_out)
                co_return Error(Errc::timed_out, to_string(config_.server) + " did not answer in time");
            if (!answer) co_return answer.error();
            if (answer->status == 200) co_return changes_in(*answer);
            if (answer->status != 204) co_return error_of(*answer);
            if (deadline.passed()) co_return Errc::timed_out;
        }
    }

    Task<std::uint64_t> grant_now(std::chrono::milliseconds ttl) {
        auto asked = question(verb::post, "ttl_ms=" + std::to_string(ttl.count()));
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status != 200) co_return error_of(*answer);
        const auto lease = metadata::detail::parse_number(answer->body);
        if (!lease)
            co_return Error(Errc::protocol_error, "a lease's number is expected, and not " + in_quotes(answer->body));
        co_return *lease;
    }

    Task<void> keep_alive_now(std::uint64_t lease) {
        auto asked = question(verb::post, "lease=" + std::to_string(lease));
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        if (answer->status != 200) co_return error_of(*answer);
        co_return ok;
    }

    const HttpMetadataConfig config_;
    std::atomic<std::uint64_t> changes_ = 0; ///< made here: what a plain server's versions are
};

static_assert(MetadataBackend<HttpMetadata>);
static_assert(MetadataBackend<PlainHttpMetadata>);

} // namespace mooncake
