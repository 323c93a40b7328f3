#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/metadata/parse_number.hpp>
#include <mooncake/metadata/redis_scripts.hpp>
#include <mooncake/metadata/remote_metadata.hpp>
#include <mooncake/net/plain_tcp.hpp>

#include <boost/asio/write.hpp>

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

struct RedisMetadataConfig {
    Endpoint server = {.host = "127.0.0.1", .port = 6379};
    std::string user = {},
                password = {}; ///< for AUTH; an empty password: none is asked for, an empty user: the default one
    std::string prefix = "mooncake:";               ///< before every key: what others keep there is not touched
    std::chrono::milliseconds answer_within{5'000}; ///< most the server may take when the deadline never passes
};

namespace metadata::detail {

struct FreeReply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using RedisReply = std::unique_ptr<redisReply, FreeReply>;

struct FreeReader {
    void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
};

[[nodiscard]] inline bool is_text(const redisReply* reply) noexcept {
    return reply != nullptr && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);
}
[[nodiscard]] inline std::string_view text_of(const redisReply* reply) noexcept {
    return is_text(reply) || (reply != nullptr && reply->type == REDIS_REPLY_ERROR)
               ? std::string_view(reply->str, static_cast<std::size_t>(reply->len))
               : std::string_view();
}
[[nodiscard]] inline std::span<redisReply* const> elements_of(const redisReply* reply) noexcept {
    if (reply == nullptr || reply->type != REDIS_REPLY_ARRAY) return {};
    return {reply->element, static_cast<std::size_t>(reply->elements)};
}

/// A command as the server reads it.
[[nodiscard]] inline std::string redis_command(std::span<const std::string> words) {
    auto command = "*" + std::to_string(words.size()) + "\r\n";
    for (const auto& word : words)
        command.append("$" + std::to_string(word.size()) + "\r\n").append(word).append("\r\n");
    return command;
}

/// Documents that follow each other as key, value and version. Errors: `protocol_error`.
[[nodiscard]] inline Result<std::vector<DocumentChange>> redis_documents(std::span<redisReply* const> elements) {
    auto documents = std::vector<DocumentChange>();
    if (elements.size() % 3 != 0) return Error(Errc::protocol_error, "redis lists what is no list of documents");
    for (std::size_t i = 0; i < elements.size(); i += 3) {
        const auto version = parse_number(text_of(elements[i + 2]));
        const auto removed = elements[i + 1]->type == REDIS_REPLY_NIL;
        if (!is_text(elements[i]) || !version || !(removed || is_text(elements[i + 1])))
            return Error(Errc::protocol_error, "redis lists what is no document");
        documents.push_back({.key = std::string(text_of(elements[i])),
                             .document = {.value = std::string(text_of(elements[i + 1])), .version = *version},
                             .removed = removed});
    }
    return documents;
}

} // namespace metadata::detail

/// Choose this when: there is a Redis. Changes are compared, made and numbered by scripts that the server runs whole; watchers
/// are told over its channels and read what changed by version, so that a reconnect loses nothing; leases end by the server's clock.
/// Records are as durable as that Redis is. In the clear, password and all: `TlsTcp` is for processes of this library among themselves.
///
/// Errors: those of `MetadataBackend`, and `connection_lost` (a change may have been made), `access_denied` (the password),
/// `protocol_error`, `closed`.
template <class P>
class RedisMetadata : public metadata::detail::RemoteMetadata<RedisMetadata<P>, P> {
    using Base = metadata::detail::RemoteMetadata<RedisMetadata, P>;

  public:
    static constexpr auto capabilities =
        MetadataCapabilities{.compare_and_swap = true, .list = true, .watch = true, .lease = true, .outlives = true};

    explicit RedisMetadata(Runtime& runtime, RedisMetadataConfig config = {}, P policy = {})
        : Base(runtime, config.server, config.answer_within, std::move(policy)), config_(std::move(config)) {}

  private:
    friend Base;
    using Base::connections_;
    using Connection = typename metadata::detail::ServerConnections<P>::Connection;
    using Reply = metadata::detail::RedisReply;
    using Words = std::vector<std::string>;

    /// Reads one answer at a time off a connection.
    class Reader {
      public:
        explicit Reader(Connection& connection) : connection_(connection), reader_(redisReaderCreate()) {
            if (!reader_) throw std::bad_alloc();
        }

        /// Errors: `connection_lost`, `protocol_error`, `too_large`, `cancelled`.
        Task<Reply> next(const Endpoint& server) {
            auto bytes = std::array<char, 16 * KiB>();
            auto total = std::uint64_t{0};
            for (;;) {
                auto* found = static_cast<void*>(nullptr);
                if (redisReaderGetReply(reader_.get(), &found) != REDIS_OK)
                    co_return Error(Errc::protocol_error,
                                    to_string(server) + " does not answer as a redis-server does");
                if (found != nullptr) co_return Reply(static_cast<redisReply*>(found));
                const auto [error, count] = co_await connection_.stream.async_read_some(asio::buffer(bytes), as_result);
                if (error == asio::error::operation_aborted) co_return Errc::cancelled;
                if (error)
                    co_return Error(Errc::connection_lost,
                                    to_string(server) + " closed the connection before it had answered; what was "
                                                        "asked of it may have been done");
                total += count;
                if (total > most_answer)
                    co_return Error(Errc::too_large, "the answer of " + to_string(server) + " is larger than " +
                                                         std::to_string(most_answer) + " bytes");
                if (redisReaderFeed(reader_.get(), bytes.data(), count) != REDIS_OK)
                    co_return Error(Errc::protocol_error,
                                    to_string(server) + " does not answer as a redis-server does");
            }
        }

      private:
        static constexpr std::uint64_t most_answer = 64 * MiB;

        Connection& connection_;
        std::unique_ptr<redisReader, metadata::detail::FreeReader> reader_;
    };

    Task<void> send(Connection& connection, Words words) {
        const auto command = metadata::detail::redis_command(words);
        const auto [error, sent] = co_await asio::async_write(connection.stream, asio::buffer(command), as_result);
        if (error == asio::error::operation_aborted) co_return Errc::cancelled;
        if (error) co_return Error(Errc::connection_lost, to_string(config_.server) + " closed the connection");
        co_return ok;
    }

    /// What the server says to a command, if it is no error.
    Task<Reply> exchange(Connection& connection, Reader& reader, Words words) {
        const auto sent = co_await send(connection, std::move(words));
        if (!sent) co_return sent.error();
        auto reply = co_await reader.next(config_.server);
        if (reply && (*reply)->type == REDIS_REPLY_ERROR) co_return error_of(metadata::detail::text_of(reply->get()));
        co_return reply;
    }

    [[nodiscard]] Error error_of(std::string_view says) const {
        const auto sentence = to_string(config_.server) + " says: " + in_quotes(says, 256);
        if (says.starts_with("NOAUTH") || says.starts_with("WRONGPASS") || says.starts_with("NOPERM"))
            return {Errc::access_denied, sentence + "; give RedisMetadataConfig::user and password"};
        if (says.starts_with("LOADING") || says.starts_with("MASTERDOWN")) return {Errc::unreachable, sentence};
        return {Errc::protocol_error, sentence};
    }

    /// A connection that may be used: a new one says who we are first.
    Task<std::unique_ptr<Connection>> take() {
        auto connection = co_await connections_.take();
        if (!connection || config_.password.empty() || (*connection)->greeted) co_return connection;
        auto reader = Reader(**connection);
        auto words = Words{"AUTH", config_.password};
        if (!config_.user.empty()) words.insert(words.begin() + 1, config_.user);
        const auto reply = co_await exchange(**connection, reader, std::move(words));
        if (!reply) co_return reply.error();
        (*connection)->greeted = true;
        co_return connection;
    }

    /// Has the server run a script with the prefix and these.
    Task<Reply> run(std::string_view script, Words arguments) {
        auto connection = co_await take();
        if (!connection) co_return connection.error();
        auto reader = Reader(**connection);
        auto words =
            Words{"EVAL", std::string(metadata::detail::redis_scripts::common).append(script), "0", config_.prefix};
        words.insert(words.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
        auto reply = co_await exchange(**connection, reader, std::move(words));
        if (reply) connections_.give_back(std::move(*connection));
        co_return reply;
    }

    [[nodiscard]] Error unexpected() const {
        return {Errc::protocol_error,
                to_string(config_.server) + " answers what its script does not; is it a Redis of version 5 or later?"};
    }
    [[nodiscard]] Result<std::uint64_t> number_in(const Reply& reply) const {
        if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) return unexpected();
        return static_cast<std::uint64_t>(reply->integer);
    }
    /// A version or a lease as the scripts have it: empty for none.
    [[nodiscard]] static std::string word(std::optional<std::uint64_t> number) {
        return number ? std::to_string(*number) : std::string();
    }

    Task<std::uint64_t> put_now(std::string key, std::string value, metadata::detail::Putting putting) {
        auto lease = putting.lease == 0 ? std::string() : std::to_string(putting.lease);
        auto arguments = Words{key, std::move(value), word(putting.over), std::move(lease)};
        const auto reply = co_await run(metadata::detail::redis_scripts::put, std::move(arguments));
        if (!reply) co_return reply.error();
        const auto said = metadata::detail::text_of(reply->get());
        if (said == "lease") co_return Base::lease_over();
        if (said == "conflict") co_return Base::conflict(key, putting.over.value_or(0));
        co_return number_in(*reply);
    }

    Task<Document> get_now(std::string key) {
        auto arguments = Words{key};
        const auto reply = co_await run(metadata::detail::redis_scripts::get, std::move(arguments));
        if (!reply) co_return reply.error();
        if ((*reply)->type == REDIS_REPLY_NIL) co_return this->no_record_of(key);
        const auto found = metadata::detail::elements_of(reply->get());
        if (found.size() != 2 || !metadata::detail::is_text(found[0])) co_return unexpected();
        const auto version = metadata::detail::parse_number(metadata::detail::text_of(found[1]));
        if (!version) co_return unexpected();
        co_return Document{.value = std::string(metadata::detail::text_of(found[0])), .version = *version};
    }

    Task<void> remove_now(std::string key, std::optional<std::uint64_t> version) {
        auto arguments = Words{key, word(version)};
        const auto reply = co_await run(metadata::detail::redis_scripts::remove, std::move(arguments));
        if (!reply) co_return reply.error();
        if (metadata::detail::text_of(reply->get()) == "conflict") co_return Base::conflict(key, version.value_or(0));
        co_return ok;
    }

    Task<std::vector<DocumentChange>> list_now(std::string prefix) {
        auto after = prefix;
        while (!after.empty() && after.back() == '\xff') after.pop_back();
        if (!after.empty()) ++after.back();
        auto arguments = Words{"[" + prefix, after.empty() ? "+" : "(" + after};
        const auto reply = co_await run(metadata::detail::redis_scripts::list, std::move(arguments));
        if (!reply) co_return reply.error();
        co_return metadata::detail::redis_documents(metadata::detail::elements_of(reply->get()));
    }

    /// Listens first and looks then: what changes in between is heard.
    Task<std::vector<DocumentChange>> watch_now(std::string prefix, std::uint64_t version, Deadline) {
        auto connection = co_await take();
        if (!connection) co_return connection.error();
        auto reader = Reader(**connection);
        auto words = Words{"SUBSCRIBE", config_.prefix + "changed"};
        auto subscribed = co_await exchange(**connection, reader, std::move(words));
        if (!subscribed) co_return subscribed.error();
        for (;;) {
            auto arguments = Words{prefix, std::to_string(version)};
            auto looking = run(metadata::detail::redis_scripts::changes, std::move(arguments));
            const auto reply = co_await with_deadline(std::move(looking), Deadline(config_.answer_within));
            if (!reply && reply.error() == Errc::timed_out)
                co_return Error(Errc::timed_out, to_string(config_.server) + " did not answer in time");
            if (!reply) co_return reply.error();
            const auto found = metadata::detail::elements_of(reply->get());
            if (found.empty()) co_return unexpected();
            if (metadata::detail::text_of(found[0]) == "forgotten")
                co_return Error(Errc::conflict,
                                "changes after version " + std::to_string(version) + " are forgotten; list again");
            if (found[0]->type != REDIS_REPLY_INTEGER) co_return unexpected();
            if (found.size() > 1) co_return metadata::detail::redis_documents(found.subspan(1));
            // Nobody says that a lease ended: whoever looks then makes it so, and this may be the only one to look.
            const auto ends = found[0]->integer;
            auto until = Deadline(metadata::detail::longest_poll);
            if (ends >= 0) until = until.or_sooner(Deadline(std::chrono::milliseconds(ends + 1)));
            const auto heard = co_await with_deadline(reader.next(config_.server), until);
            if (!heard && heard.error() != Errc::timed_out) co_return heard.error();
        }
    }

    Task<std::uint64_t> grant_now(std::chrono::milliseconds ttl) {
        auto arguments = Words{std::to_string(std::max<std::int64_t>(1, ttl.count()))};
        const auto reply = co_await run(metadata::detail::redis_scripts::grant, std::move(arguments));
        if (!reply) co_return reply.error();
        co_return number_in(*reply);
    }

    Task<void> keep_alive_now(std::uint64_t lease) {
        auto arguments = Words{std::to_string(lease)};
        const auto reply = co_await run(metadata::detail::redis_scripts::keep_alive, std::move(arguments));
        if (!reply) co_return reply.error();
        const auto kept = number_in(*reply);
        if (!kept) co_return kept.error();
        if (*kept == 0) co_return Base::lease_over();
        co_return ok;
    }

    const RedisMetadataConfig config_;
};

static_assert(MetadataBackend<RedisMetadata<>>);

} // namespace mooncake
