#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/net/shared_links.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace mooncake {

struct PeerMetadataConfig {
    ListenConfig listen = {};                       ///< where others ask for this process's records
    std::chrono::milliseconds answer_within{5'000}; ///< most a peer may take when the deadline never passes
    std::size_t connections = 256; ///< to peers: beyond them those that nobody uses are closed; at least 1
    Log log = {};
};

namespace metadata::detail {

struct GetRecordReply {
    std::string value;
    std::uint64_t version = 0;
};
struct GetRecord {
    static constexpr std::uint32_t method = 1;
    using Reply = GetRecordReply;
    std::string key;
};

} // namespace metadata::detail

/// Choose this when: there is to be no central service. A record stays with its owner, and whoever wants it asks there:
/// others' keys are `name@host:port`. Each peer is asked over a connection of its own, so a silent one delays nobody; the
/// connection stays for the next question, up to `PeerMetadataConfig::connections` of them.
template <class P>
class PeerMetadata {
    static_assert(StreamPolicy<P>);

  public:
    static constexpr auto capabilities = MetadataCapabilities{.on_demand = true};

    /// Throws `address_in_use` when it cannot listen.
    explicit PeerMetadata(Runtime& runtime, PeerMetadataConfig config = {}, P policy = {})
        : runtime_(runtime), config_(std::move(config)), policy_(std::move(policy)),
          clients_(runtime.next_executor(), config_.connections), service_(make_service()),
          server_(runtime, *service_, {.listen = config_.listen, .log = config_.log}, policy_) {}

    void start() { server_.start(); }

    [[nodiscard]] const Endpoint& endpoint() const noexcept { return server_.endpoint(); }
    [[nodiscard]] std::string locator(std::string key) const { return key + "@" + to_string(server_.endpoint()); }

    Task<std::uint64_t> put(std::string key, std::string value, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        own_.insert_or_assign(std::move(key), Own{{.value = std::move(value), .version = ++version_}, {}});
        co_return version_;
    }

    /// `make` is called under a lock, on the thread that answers: it takes what it needs and returns.
    Task<std::uint64_t> offer(std::string key, std::function<std::string()> make, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        own_.insert_or_assign(std::move(key), Own{{.value = {}, .version = ++version_}, std::move(make)});
        co_return version_;
    }

    /// `key`: one of this process's own, or a locator of somebody else's.
    /// Errors: `not_found` (no such record there, or here), `unreachable`, `timed_out`, `invalid_argument` (no address).
    Task<Document> get(std::string key, Deadline deadline) {
        const auto at = key.rfind('@');
        if (at == std::string::npos) {
            auto found = own(key);
            if (!found)
                co_return Error(Errc::not_found, in_quotes(key, 256) +
                                                     " is no record of this process, and no locator of " +
                                                     "somebody else's: such are name@host:port");
            co_return found;
        }
        const auto peer = parse_endpoint(std::string_view(key).substr(at + 1));
        if (!peer) co_return peer.error();
        const auto client = this->client(*peer);
        if (!client) co_return Errc::closed;
        auto request = metadata::detail::GetRecord{.key = key.substr(0, at)};
        if (deadline.is_never()) deadline = Deadline(config_.answer_within);
        auto reply = co_await client->call(std::move(request), deadline);
        if (!reply && reply.error() == Errc::timed_out)
            co_return Error(Errc::timed_out, to_string(*peer) + " did not tell its record of " +
                                                 in_quotes(std::string_view(key).substr(0, at), 256) + " in time");
        if (!reply) co_return reply.error();
        co_return Document{.value = std::move(reply->value), .version = reply->version};
    }

    Task<void> remove(std::string key, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        own_.erase(key);
        co_return ok;
    }

    asio::awaitable<void> close() {
        co_await clients_.close();
        co_await server_.close();
    }

  private:
    using Client = RpcClient<P>;
    struct Own {
        Document document;
        std::function<std::string()> make; ///< none: the document has its value
    };

    std::unique_ptr<RpcService> make_service() {
        auto service = std::make_unique<RpcService>();
        service->template on<metadata::detail::GetRecord>(
            [this](const metadata::detail::GetRecord& request) -> Result<metadata::detail::GetRecordReply> {
                auto document = own(request.key);
                if (!document) return document.error();
                return metadata::detail::GetRecordReply{.value = std::move(document->value),
                                                        .version = document->version};
            });
        return service;
    }

    Result<Document> own(const std::string& key) const {
        const auto lock = std::lock_guard(mutex_);
        const auto found = own_.find(key);
        if (found == own_.end())
            return Error(Errc::not_found,
                         "there is no record of " + in_quotes(key, 256) + " at " + to_string(server_.endpoint()));
        auto document = found->second.document;
        if (found->second.make) document.value = found->second.make();
        return document;
    }

    std::shared_ptr<Client> client(const Endpoint& peer) {
        return clients_.find_or_make(to_string(peer), [&] {
            return std::make_shared<Client>(runtime_.next_executor(),
                                            RpcClientConfig{.server = peer, .connect_within = config_.answer_within},
                                            policy_);
        });
    }

    Runtime& runtime_;
    const PeerMetadataConfig config_;
    const P policy_;
    net::detail::SharedLinks<std::string, Client> clients_; ///< by address
    mutable std::mutex mutex_;                              // of what follows
    std::map<std::string, Own> own_;
    std::uint64_t version_ = 0;
    std::unique_ptr<RpcService> service_;
    Server<P> server_;
};

} // namespace mooncake
