#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/small_vector.hpp>
#include <mooncake/engine/engine_bodies.hpp>
#include <mooncake/store/client/client_config.hpp>
#include <mooncake/store/client/descriptor_cache.hpp>
#include <mooncake/store/client/lease_keeper.hpp>
#include <mooncake/store/client/master_calls.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/reader.hpp>
#include <mooncake/store/client/replica_options.hpp>
#include <mooncake/store/client/segment_cache.hpp>
#include <mooncake/store/client/sentences.hpp>
#include <mooncake/store/client/split.hpp>
#include <mooncake/store/client/view.hpp>
#include <mooncake/store/client/writer.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What a `Store` does, in coroutines that own the keys they are told: a task may begin long after its call. It knows its
/// master by the calls alone, so that it is compiled for an engine, and not for every policy of a master.
/// What each does, and its errors, stand at the store's. Thread: everything from any executor.
template <class Traits>
class Client {
  public:
    using Engine = TransferEngine<Traits>;
    using Keys = std::vector<std::string>;
    using Pieces = SmallVector<ConstBytes, 1>; ///< of a value, at least one

    /// Throws `invalid_argument`: what `client` says cannot be.
    Client(Runtime& runtime, EngineConfig<Traits> engine, std::unique_ptr<MasterCalls> master, ClientConfig client);

    [[nodiscard]] Engine& engine() noexcept { return engine_; }
    [[nodiscard]] const std::string& tenant() const noexcept { return tenant_; }
    /// As it is said to the master; every key below is one.
    [[nodiscard]] std::string name_of(std::string_view key) const { return key_of_tenant(tenant_, key); }
    [[nodiscard]] std::string prefix_of(std::string_view prefix) const { return prefix_of_tenant(tenant_, prefix); }

    /// Once the master is attached.
    void start();
    [[nodiscard]] bool is_closed() const;

    asio::awaitable<void> close();
    Task<PutReceipt> put(std::string key, Pieces value, PutOptions options);
    template <class Value>
    Task<PutReceipt> put_owned(std::string key, Value value, PutOptions options);
    Task<PutBatchReport> put_batch(Keys keys, std::vector<ConstBytes> values, std::vector<std::uint64_t> expected,
                                   PutOptions options);
    Task<std::vector<std::byte>> get(std::string key, GetOptions options);
    Task<std::uint64_t> get_into(std::string key, MutableBytes into, GetOptions options);
    Task<std::uint64_t> get_pieces(std::string key, Range range, std::vector<MutableBytes> into, RangeOptions options);
    Task<GetBatchReport> get_batch(Keys keys, std::vector<MutableBytes> into, GetBatchOptions options);
    Task<GetBatchReport> lease_batch(Keys keys, GetBatchOptions options);
    Task<LeaseHandle> renew(std::uint64_t lease, Deadline deadline);
    Task<void> release(std::uint64_t lease, Deadline deadline);
    Task<View> view(std::string key, ViewOptions options);
    Task<void> wait_for(Keys keys, Deadline deadline);
    Task<std::vector<Errc>> exists_batch(Keys keys, LookUp mode, Deadline deadline);
    Task<void> exists(std::string key, Deadline deadline);
    Task<std::vector<Errc>> remove_batch(Keys keys, RemoveMode mode, Deadline deadline);
    Task<void> remove(std::string key, RemoveMode mode, Deadline deadline);
    Task<RemoveMatchingReply> remove_matching(RemoveMatching message, Deadline deadline);
    Task<std::vector<ListedObject>> list(List message, Deadline deadline);
    Task<EventsReply> events(Events message, Deadline deadline);
    Task<ReplicaReport> change_replicas_batch(CopyStart start, Deadline deadline);
    Task<std::uint32_t> change_replicas(CopyStart start, Deadline deadline);
    Task<void> move(CopyStart start, Deadline deadline);
    Task<MoveReport> drain(std::string segment, Deadline deadline);
    Task<void> end_drain(std::string segment, Deadline deadline);
    Task<MoveReport> repair(Deadline deadline);
    Task<std::vector<SegmentInfo>> segments(Deadline deadline);
    Task<std::vector<Errc>> pin_batch(Keys keys, PinObjects message, Deadline deadline);
    Task<void> pin(std::string key, PinObjects message, Deadline deadline);
    Task<StatsReply> statistics(Deadline deadline);
    Task<void> set_quota(SetQuota message, Deadline deadline);
    Task<std::vector<TenantInfo>> tenants(Deadline deadline);

  private:
    using Reader = detail::Reader<Engine, MasterCalls>;
    using Writer = detail::Writer<Engine, MasterCalls>;

    asio::awaitable<void> close_now();

    /// Asks `message` of all keys, in as many as it takes. `mode`: whether the answer may end at the first miss.
    template <class Message>
    Task<std::vector<Errc>> outcomes_of(Keys keys, Message message, LookUp mode, Deadline deadline);
    Error too_many_for_a_lease() const;
    /// Where the master is in this process, releasing is a call; otherwise it can wait for others to go along.
    asio::awaitable<void> give_back(LeaseHandle lease);

    // What is remembered of objects: `client_memory.hpp`.
    using Known = DescriptorCache::Entry;
    using Stamps = std::vector<DescriptorCache::Stamp>;
    Known known_of(std::string_view key, Freshness freshness);
    std::vector<Known> known_of(const Keys& keys, Freshness freshness);
    Stamps stamps_of(std::span<const std::string> keys) const;
    void remember(const Reader& reader, std::span<const Errc> outcomes, const Stamps& asked,
                  const std::shared_ptr<CachedLease>& lease);
    bool keep(const Reader& reader, std::span<const Errc> outcomes, const Stamps& asked, CachedLease::Told told);
    std::shared_ptr<const OpenLease> view_under(const std::shared_ptr<CachedLease>& lease);
    std::vector<Known> forget(std::span<const std::string> keys);
    asio::awaitable<void> give_up(std::vector<Known> known);
    Task<std::vector<Errc>> remove_known(Keys keys, RemoveMode mode, Deadline deadline);
    Task<View> copied(Reader& reader, GetBatchOptions options);

    const std::string tenant_;
    Engine engine_;
    const std::unique_ptr<MasterCalls> master_;
    LeaseKeeper<MasterCalls> keeper_;
    SegmentCache<Engine, MasterCalls> segments_;
    DescriptorCache descriptors_;
    Gate gate_;
    Closing closing_;
};

inline std::vector<std::string> one(std::string key) {
    auto keys = std::vector<std::string>();
    keys.push_back(std::move(key));
    return keys;
}
/// `key` is empty behind it.
inline std::vector<std::string> taken(std::string& key) {
    auto keys = std::vector<std::string>(1);
    keys.front().swap(key);
    return keys;
}
inline std::span<const std::uint64_t> one(const std::uint64_t& version) noexcept { return {&version, 1}; }
inline std::span<const ConstBytes> one(const ConstBytes& value) noexcept { return {&value, 1}; }
inline std::span<const MutableBytes> one(const MutableBytes& into) noexcept { return {&into, 1}; }

template <class Config> // so that it is compiled where it is used
const Config& checked(const Config& client) {
    if (client.cached_descriptors > Config::most_cached_descriptors)
        throw_error({Errc::invalid_argument, "ClientConfig::cached_descriptors is " +
                                                 std::to_string(client.cached_descriptors) + "; give at most " +
                                                 std::to_string(Config::most_cached_descriptors)});
    if (!client.tenant.empty() && !is_tenant_name(client.tenant))
        throw_error({Errc::invalid_argument, "ClientConfig::tenant is " + in_quotes(client.tenant, 100) +
                                                 "; give 1 to 64 letters, digits, points, lines and dashes"});
    return client;
}

template <class Traits>
Client<Traits>::Client(Runtime& runtime, EngineConfig<Traits> engine, std::unique_ptr<MasterCalls> master,
                       ClientConfig client)
    : tenant_(checked(client).tenant), engine_(runtime, std::move(engine)), master_(std::move(master)),
      keeper_(runtime.next_executor(), *master_), segments_(engine_, *master_),
      descriptors_(client.cached_descriptors) {}

template <class Traits>
void Client<Traits>::start() {
    keeper_.start();
}

template <class Traits>
bool Client<Traits>::is_closed() const {
    return closing_.is_over();
}

template <class Traits>
asio::awaitable<void> Client<Traits>::close() {
    return closing_.once(close_now());
}

template <class Traits>
Task<LeaseHandle> Client<Traits>::renew(std::uint64_t lease, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto asked = SteadyClock{}.now();
    const auto message = Renew{.lease = lease};
    const auto renewed = co_await master_->call(message, deadline);
    if (!renewed && renewed.error() == Errc::lease_expired)
        co_return Error(Errc::lease_expired,
                        "lease " + std::to_string(lease) + " is over, or never was; get a new one");
    if (!renewed) co_return renewed.error();
    co_return LeaseHandle{.id = lease, .trusted_until = trusted_until(asked, renewed->ttl_ms)};
}

template <class Traits>
Task<void> Client<Traits>::release(std::uint64_t lease, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    descriptors_.end_told(lease);
    const auto message = Release{.leases = {lease}};
    const auto done = co_await master_->call(message, deadline);
    if (!done) co_return done.error();
    co_return ok;
}

template <class Traits>
Task<void> Client<Traits>::wait_for(Keys keys, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto count = keys.size();
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    do {
        const auto message = WaitFor{.keys = parts.next()};
        const auto done = co_await master_->call(message, deadline);
        if (!done && done.error() == Errc::timed_out)
            co_return Error(Errc::timed_out, "not all of " + std::to_string(count) + " objects were visible in time");
        if (!done) co_return done.error();
    } while (!parts.over());
    co_return ok;
}

template <class Traits>
Task<std::vector<Errc>> Client<Traits>::exists_batch(Keys keys, LookUp mode, Deadline deadline) {
    return outcomes_of(std::move(keys), Query{.keys = {}, .mode = mode}, mode, deadline);
}

template <class Traits>
Task<void> Client<Traits>::exists(std::string key, Deadline deadline) {
    const auto found = co_await exists_batch(one(std::move(key)), LookUp::each, deadline);
    if (!found) co_return found.error();
    if (found->front() != Errc::ok) co_return found->front();
    co_return ok;
}

template <class Traits>
Task<std::vector<Errc>> Client<Traits>::remove_batch(Keys keys, RemoveMode mode, Deadline deadline) {
    if (descriptors_.is_on()) return remove_known(std::move(keys), mode, deadline);
    return outcomes_of(std::move(keys), Remove{.keys = {}, .mode = mode}, LookUp::each, deadline);
}

template <class Traits>
Task<void> Client<Traits>::remove(std::string key, RemoveMode mode, Deadline deadline) {
    const auto removed = co_await remove_batch(one(key), mode, deadline);
    if (!removed) co_return removed.error();
    if (removed->front() == Errc::conflict)
        co_return sentence(
            Errc::conflict,
            Error(Errc::conflict, "it is leased or being written; RemoveMode::force removes it all the same"), key);
    if (removed->front() != Errc::ok) co_return sentence(removed->front(), {}, key);
    co_return ok;
}

template <class Traits>
Task<RemoveMatchingReply> Client<Traits>::remove_matching(RemoveMatching message, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    if (!descriptors_.is_on()) co_return co_await master_->call(message, deadline);
    co_await give_up(descriptors_.clear()); // our own leases are in nobody's way
    auto removed = co_await master_->call(message, deadline);
    (void)descriptors_.clear();
    co_return removed;
}

template <class Traits>
Task<StatsReply> Client<Traits>::statistics(Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto message = Stats();
    co_return co_await master_->call(message, deadline);
}

template <class Traits>
asio::awaitable<void> Client<Traits>::close_now() {
    gate_.shut();
    co_await give_up(descriptors_.clear());
    co_await keeper_.close();
    co_await master_->close();
    co_await engine_.close();
    co_await gate_.wait();
}

template <class Traits>
template <class Message>
Task<std::vector<Errc>> Client<Traits>::outcomes_of(Keys keys, Message message, LookUp mode, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto outcomes = std::vector<Errc>();
    for (;;) {
        message.keys = parts.next();
        const auto asked = message.keys.size();
        auto reply = co_await master_->call(message, deadline);
        if (!reply) co_return reply.error();
        const auto found = reply->outcomes.size();
        if (found > asked || (mode == LookUp::each && found != asked)) co_return wrong_count();
        if (parts.over() && outcomes.empty()) co_return std::move(reply->outcomes);
        outcomes.insert(outcomes.end(), reply->outcomes.begin(), reply->outcomes.end());
        if (parts.over() || found < asked) co_return outcomes;
    }
}

template <class Traits>
Error Client<Traits>::too_many_for_a_lease() const {
    return {Errc::too_large, "one lease is for the keys of one message: at most " +
                                 std::to_string(master_->limits().max_keys) + ", and " +
                                 std::to_string(bytes_a_message) + " bytes; ask in several batches"};
}

template <class Traits>
asio::awaitable<void> Client<Traits>::give_back(LeaseHandle lease) {
    if (!lease) co_return;
    if (master_->in_process()) {
        const auto message = Release{.leases = {lease.id}};
        (void)co_await master_->call(message, Deadline());
        co_return;
    }
    keeper_.release(lease.id);
}

} // namespace mooncake::store::detail
