#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/metadata/base64.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/metadata/http_client.hpp>
#include <mooncake/metadata/remote_metadata.hpp>
#include <mooncake/net/plain_tcp.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

struct EtcdMetadataConfig {
    Endpoint server = {.host = "127.0.0.1", .port = 2379};
    std::string prefix = "mooncake/";               ///< before every key: what others keep there is not touched
    std::chrono::milliseconds answer_within{5'000}; ///< most the server may take when the deadline never passes
};

namespace metadata::detail {

using Json = nlohmann::json;

enum class Presence : std::uint8_t { there, removed };

/// The member of an answer, or none. Of what a stranger sent: it may be anything.
[[nodiscard]] inline const Json* member(const Json* json, std::string_view name) {
    if (json == nullptr || !json->is_object()) return nullptr;
    const auto found = json->find(name);
    return found == json->end() ? nullptr : &*found;
}
[[nodiscard]] inline std::string_view text_of(const Json* json) {
    return json != nullptr && json->is_string() ? std::string_view(json->template get_ref<const std::string&>())
                                                : std::string_view();
}
/// A 64-bit number, which etcd writes as a text; what is not there is 0.
[[nodiscard]] inline std::uint64_t number_of(const Json* json) {
    if (json != nullptr && json->is_number_unsigned()) return json->template get<std::uint64_t>();
    const auto number = parse_number(text_of(json));
    return number ? *number : 0;
}

/// One thing that etcd keeps, as its JSON shows it. Errors: `protocol_error`.
[[nodiscard]] inline Result<DocumentChange> change_of(const Json* kv, std::string_view prefix, Presence presence) {
    auto key = base64_decoded(text_of(member(kv, "key")));
    auto value = base64_decoded(text_of(member(kv, "value")));
    if (!key) return key.error();
    if (!value) return value.error();
    const auto version = number_of(member(kv, "mod_revision"));
    if (!key->starts_with(prefix) || version == 0)
        return Error(Errc::protocol_error, "the answer holds a key that was not asked for, or no revision");
    return DocumentChange{.key = key->substr(prefix.size()),
                          .document = {.value = std::move(*value), .version = version},
                          .removed = presence == Presence::removed};
}

/// What the messages of a watch that came whole say: lines of JSON. Nothing: no change among them so far.
/// Errors: `conflict` (what is asked for was compacted), `protocol_error`.
[[nodiscard]] inline Result<std::vector<DocumentChange>> watched_changes(std::string_view body,
                                                                         std::string_view prefix) {
    auto latest = std::map<std::string, DocumentChange>();
    for (auto end = body.find('\n'); end != std::string_view::npos; end = body.find('\n')) {
        const auto message = Json::parse(body.substr(0, end), nullptr, false);
        body.remove_prefix(end + 1);
        if (message.is_discarded()) return Error(Errc::protocol_error, "etcd's watch says what is no JSON");
        const auto* const result = member(&message, "result");
        if (number_of(member(result, "compact_revision")) != 0)
            return Error(Errc::conflict, "changes before revision " +
                                             std::to_string(number_of(member(result, "compact_revision"))) +
                                             " are forgotten; list again");
        if (result == nullptr || member(result, "canceled") != nullptr)
            return Error(Errc::protocol_error, "etcd refuses the watch: " + in_quotes(message.dump(), 256));
        const auto* const events = member(result, "events");
        if (events == nullptr || !events->is_array()) continue; // "created", or a sign of life
        for (const auto& event : *events) {
            const auto gone = text_of(member(&event, "type")) == "DELETE";
            auto change = change_of(member(&event, "kv"), prefix, gone ? Presence::removed : Presence::there);
            if (!change) return change.error();
            auto name = change->key;
            latest.insert_or_assign(std::move(name), std::move(*change));
        }
    }
    auto changes = std::vector<DocumentChange>();
    for (auto& [key, change] : latest) changes.push_back(std::move(change));
    std::sort(changes.begin(), changes.end(),
              [](const auto& a, const auto& b) { return a.document.version < b.document.version; });
    return changes;
}

} // namespace metadata::detail

/// Choose this when: there is an etcd, as many clusters have. Through its JSON gateway (v3); versions are its revisions. Watches
/// resume where they were after a reconnect; leases live at least as long as etcd's least time to live, some seconds. In the clear:
/// `TlsTcp` is for processes of this library among themselves.
///
/// Errors: those of `MetadataBackend`, and `connection_lost` (a change may have been made), `protocol_error`, `too_large`
/// (more than etcd's `--max-request-bytes`), `closed`.
template <class P>
class EtcdMetadata : public metadata::detail::RemoteMetadata<EtcdMetadata<P>, P> {
    using Base = metadata::detail::RemoteMetadata<EtcdMetadata, P>;

  public:
    static constexpr auto capabilities =
        MetadataCapabilities{.compare_and_swap = true, .list = true, .watch = true, .lease = true, .outlives = true};

    explicit EtcdMetadata(Runtime& runtime, EtcdMetadataConfig config = {}, P policy = {})
        : Base(runtime, config.server, config.answer_within, std::move(policy)), config_(std::move(config)) {}

  private:
    friend Base;
    using Base::connections_;
    using Json = metadata::detail::Json;
    using Putting = metadata::detail::Putting;
    using Question = metadata::detail::HttpQuestion;

    [[nodiscard]] std::string full(std::string_view key) const {
        return metadata::detail::base64_encoded(config_.prefix + std::string(key));
    }
    /// All keys with that prefix.
    [[nodiscard]] Json range_of(std::string_view prefix) const {
        auto after = config_.prefix + std::string(prefix);
        while (!after.empty() && after.back() == '\xff') after.pop_back();
        if (after.empty()) after = std::string(1, '\0'); // etcd's word for all that there is
        else ++after.back();
        return {{"key", full(prefix)}, {"range_end", metadata::detail::base64_encoded(after)}};
    }

    [[nodiscard]] static Question question(std::string target, const Json& body) {
        return {.verb = metadata::detail::http::verb::post,
                .target = std::move(target),
                .body = body.dump(),
                .content_type = "application/json"};
    }

    /// What etcd answers, if it is no error.
    Task<Json> call(std::string target, Json body) {
        auto asked = question(std::move(target), body);
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        auto json = Json::parse(answer->body, nullptr, false);
        const auto is_json = json.is_object();
        if (answer->status == 200 && is_json) co_return json;
        const auto why = std::string(metadata::detail::text_of(metadata::detail::member(&json, "error")));
        const auto says = to_string(config_.server) + " says: " + in_quotes(is_json ? why : answer->body, 256);
        constexpr auto grpc_invalid = 3U, grpc_not_found = 5U, grpc_exhausted = 8U, grpc_unavailable = 14U;
        const auto code = metadata::detail::number_of(metadata::detail::member(&json, "code"));
        if (code == grpc_not_found) co_return Error(Errc::not_found, says);
        if (code == grpc_unavailable) co_return Error(Errc::unreachable, says);
        if (code == grpc_exhausted || (code == grpc_invalid && why.find("too large") != std::string::npos))
            co_return Error(Errc::too_large, says);
        co_return Error(Errc::protocol_error, says + "; is it an etcd of version 3.4 or later?");
    }

    [[nodiscard]] Result<std::uint64_t> revision_in(const Json& answer) const {
        using namespace metadata::detail;
        const auto revision = number_of(member(member(&answer, "header"), "revision"));
        if (revision == 0)
            return Error(Errc::protocol_error, to_string(config_.server) + " tells no revision; is it an etcd?");
        return revision;
    }

    /// A request, or the same as part of a transaction that does it only if the key is at a version.
    /// Errors: those of `call`, `conflict`.
    Task<Json> change(std::string key, std::optional<std::uint64_t> version, std::string_view kind, Json request) {
        if (!version) return call(kind == "request_put" ? "/v3/kv/put" : "/v3/kv/deleterange", std::move(request));
        auto transaction = Json{{"compare", Json::array({Json{{"key", full(key)},
                                                              {"target", "MOD"},
                                                              {"result", "EQUAL"},
                                                              {"mod_revision", std::to_string(*version)}}})},
                                {"success", Json::array({Json{{kind, std::move(request)}}})}};
        return transact(std::move(key), *version, std::move(transaction));
    }
    Task<Json> transact(std::string key, std::uint64_t version, Json transaction) {
        auto answer = co_await call("/v3/kv/txn", std::move(transaction));
        if (!answer) co_return answer;
        const auto* const succeeded = metadata::detail::member(&*answer, "succeeded");
        if (succeeded == nullptr || !succeeded->is_boolean() || !succeeded->template get<bool>())
            co_return Base::conflict(key, version);
        co_return answer;
    }

    Task<std::uint64_t> put_now(std::string key, std::string value, Putting putting) {
        auto put = Json{{"key", full(key)}, {"value", metadata::detail::base64_encoded(value)}};
        if (putting.lease != 0) put["lease"] = std::to_string(putting.lease);
        const auto answer = co_await change(std::move(key), putting.over, "request_put", std::move(put));
        if (!answer) co_return answer.error();
        co_return revision_in(*answer);
    }

    Task<Document> get_now(std::string key) {
        auto range = Json{{"key", full(key)}};
        const auto answer = co_await call("/v3/kv/range", std::move(range));
        if (!answer) co_return answer.error();
        auto found = changes_in(*answer);
        if (!found) co_return found.error();
        if (found->empty()) co_return this->no_record_of(key);
        co_return std::move(found->front().document);
    }

    Task<void> remove_now(std::string key, std::optional<std::uint64_t> version) {
        auto range = Json{{"key", full(key)}};
        const auto answer = co_await change(std::move(key), version, "request_delete_range", std::move(range));
        if (!answer) co_return answer.error();
        co_return ok;
    }

    [[nodiscard]] Result<std::vector<DocumentChange>> changes_in(const Json& answer) const {
        auto changes = std::vector<DocumentChange>();
        const auto* const kvs = metadata::detail::member(&answer, "kvs");
        if (kvs == nullptr || !kvs->is_array()) return changes;
        for (const auto& kv : *kvs) {
            auto change = metadata::detail::change_of(&kv, config_.prefix, metadata::detail::Presence::there);
            if (!change) return change.error();
            changes.push_back(std::move(*change));
        }
        return changes;
    }

    Task<std::vector<DocumentChange>> list_now(std::string prefix) {
        auto range = range_of(prefix);
        const auto answer = co_await call("/v3/kv/range", std::move(range));
        if (!answer) co_return answer.error();
        co_return changes_in(*answer);
    }

    Task<std::vector<DocumentChange>> watch_now(std::string prefix, std::uint64_t version, Deadline) {
        auto create = range_of(prefix);
        create["start_revision"] = std::to_string(version + 1);
        auto asked = question("/v3/watch", Json{{"create_request", std::move(create)}});
        asked.enough = [this](std::string_view body) {
            const auto changes = metadata::detail::watched_changes(body, config_.prefix);
            return !changes || !changes->empty();
        };
        const auto answer = co_await metadata::detail::ask(connections_, std::move(asked));
        if (!answer) co_return answer.error();
        auto changes = metadata::detail::watched_changes(answer->body, config_.prefix);
        if (changes && changes->empty())
            co_return Error(Errc::connection_lost, to_string(config_.server) + " ended the watch; watch again");
        co_return changes;
    }

    Task<std::uint64_t> grant_now(std::chrono::milliseconds ttl) {
        const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(ttl).count());
        auto request = Json{{"TTL", std::to_string(seconds)}};
        const auto answer = co_await call("/v3/lease/grant", std::move(request));
        if (!answer) co_return answer.error();
        const auto lease = metadata::detail::number_of(metadata::detail::member(&*answer, "ID"));
        if (lease == 0)
            co_return Error(Errc::protocol_error, to_string(config_.server) + " grants no lease; is it an etcd?");
        co_return lease;
    }

    Task<void> keep_alive_now(std::uint64_t lease) {
        auto request = Json{{"ID", std::to_string(lease)}};
        const auto answer = co_await call("/v3/lease/keepalive", std::move(request));
        if (!answer) co_return answer.error();
        const auto* const result = metadata::detail::member(&*answer, "result");
        if (metadata::detail::number_of(metadata::detail::member(result, "TTL")) == 0) co_return Base::lease_over();
        co_return ok;
    }

    const EtcdMetadataConfig config_;
};

static_assert(MetadataBackend<EtcdMetadata<>>);

} // namespace mooncake
