#pragma once

/// The insides of `BasicStore`: what does not depend on the master.

#include <mooncake/core/end_program.hpp>
#include <mooncake/store/client/client.hpp>
#include <mooncake/store/client/client_gets.hpp>
#include <mooncake/store/client/client_memory.hpp>
#include <mooncake/store/client/client_pins.hpp>
#include <mooncake/store/client/client_puts.hpp>
#include <mooncake/store/client/client_replicas.hpp>
#include <mooncake/store/client/client_tenants.hpp>
#include <mooncake/store/store_interface.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

namespace store::detail {

/// As `tenant`'s; of items, or of keys.
template <class Item>
std::vector<std::string> keys_of(std::string_view tenant, std::span<const Item> items) {
    auto keys = std::vector<std::string>();
    keys.reserve(items.size());
    for (const auto& item : items) {
        if constexpr (requires { item.key; }) keys.push_back(key_of_tenant(tenant, item.key));
        else keys.push_back(key_of_tenant(tenant, item));
    }
    return keys;
}
template <class Part, class Item>
std::vector<Part> parts_of(std::span<const Item> items, Part Item::* part) {
    auto parts = std::vector<Part>();
    parts.reserve(items.size());
    for (const auto& item : items) parts.push_back(item.*part);
    return parts;
}

} // namespace store::detail

template <class EngineTraits>
BasicStore<EngineTraits>::BasicStore(Runtime& runtime, EngineConfig<EngineTraits> engine,
                                     std::unique_ptr<store::detail::MasterCalls> master, ClientConfig client)
    : client_(std::make_unique<store::detail::Client<EngineTraits>>(runtime, std::move(engine), std::move(master),
                                                                    client)) {}

template <class EngineTraits>
BasicStore<EngineTraits>::~BasicStore() {
    if (client_->is_closed()) return;
    if (engine().runtime().on_own_thread())
        core::detail::end_program("a Store was destroyed on a thread of its own Runtime, where it cannot wait for its "
                                  "end: co_await store.close() before");
    sync_wait(engine().runtime().executor(), close());
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::begin(Task<void> attached) {
    const auto done = co_await std::move(attached);
    if (done) client_->start();
    else co_await close();
    co_return done;
}

template <class EngineTraits>
auto BasicStore<EngineTraits>::engine() noexcept -> Engine& {
    return client_->engine();
}

template <class EngineTraits>
std::string_view BasicStore<EngineTraits>::tenant() const noexcept {
    return client_->tenant();
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::put(std::string_view key, ConstBytes value, PutOptions options) {
    return client_->put(client_->name_of(key), {value}, options);
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::put(std::string_view key, std::vector<std::byte>&& value,
                                               PutOptions options) {
    return client_->put_owned(client_->name_of(key), std::move(value), options);
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::put(std::string_view key, std::string&& value, PutOptions options) {
    return client_->put_owned(client_->name_of(key), std::move(value), options);
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::upsert(std::string_view key, ConstBytes value, PutOptions options) {
    options.mode = WriteMode::upsert;
    return client_->put(client_->name_of(key), {value}, options);
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::compare_and_put(std::string_view key, std::uint64_t expected,
                                                           ConstBytes value, PutOptions options) {
    options.mode = WriteMode::compare;
    options.expected = expected;
    return client_->put(client_->name_of(key), {value}, options);
}

template <class EngineTraits>
Task<PutReceipt> BasicStore<EngineTraits>::put_gathered(std::string_view key, std::span<const ConstBytes> pieces,
                                                        PutOptions options) {
    if (pieces.empty()) return put(key, ConstBytes(), options);
    return client_->put(client_->name_of(key), {pieces.data(), pieces.data() + pieces.size()}, options);
}

template <class EngineTraits>
Task<std::uint64_t> BasicStore<EngineTraits>::get_scattered(std::string_view key, std::span<const MutableBytes> into,
                                                            RangeOptions options) {
    return client_->get_pieces(client_->name_of(key), {.to_the_end = true}, {into.begin(), into.end()}, options);
}

template <class EngineTraits>
Task<std::uint64_t> BasicStore<EngineTraits>::get_range(std::string_view key, std::uint64_t offset, MutableBytes into,
                                                        RangeOptions options) {
    return client_->get_pieces(client_->name_of(key), {.offset = offset}, std::vector<MutableBytes>(1, into), options);
}

template <class EngineTraits>
Task<PutBatchReport> BasicStore<EngineTraits>::put_batch(std::span<const PutItem> items, PutOptions options) {
    return client_->put_batch(store::detail::keys_of(client_->tenant(), items),
                              store::detail::parts_of<ConstBytes>(items, &PutItem::value),
                              store::detail::parts_of<std::uint64_t>(items, &PutItem::expected), options);
}

template <class EngineTraits>
Task<std::vector<std::byte>> BasicStore<EngineTraits>::get(std::string_view key, GetOptions options) {
    return client_->get(client_->name_of(key), options);
}

template <class EngineTraits>
Task<std::uint64_t> BasicStore<EngineTraits>::get_into(std::string_view key, MutableBytes into, GetOptions options) {
    return client_->get_into(client_->name_of(key), into, options);
}

template <class EngineTraits>
Task<GetBatchReport> BasicStore<EngineTraits>::get_batch(std::span<const GetItem> items, GetBatchOptions options) {
    return client_->get_batch(store::detail::keys_of(client_->tenant(), items),
                              store::detail::parts_of<MutableBytes>(items, &GetItem::into), options);
}

template <class EngineTraits>
Task<GetBatchReport> BasicStore<EngineTraits>::lease_batch(std::span<const std::string_view> keys,
                                                           GetBatchOptions options) {
    return client_->lease_batch(store::detail::keys_of(client_->tenant(), keys), options);
}

template <class EngineTraits>
Task<LeaseHandle> BasicStore<EngineTraits>::renew(std::uint64_t lease, Deadline deadline) {
    return client_->renew(lease, deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::release(std::uint64_t lease, Deadline deadline) {
    return client_->release(lease, deadline);
}

template <class EngineTraits>
Task<View> BasicStore<EngineTraits>::view(std::string_view key, ViewOptions options) {
    return client_->view(client_->name_of(key), options);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::wait_for(std::span<const std::string_view> keys, Deadline deadline) {
    return client_->wait_for(store::detail::keys_of(client_->tenant(), keys), deadline);
}

template <class EngineTraits>
Task<std::vector<Errc>> BasicStore<EngineTraits>::exists_batch(std::span<const std::string_view> keys, LookUp mode,
                                                               Deadline deadline) {
    return client_->exists_batch(store::detail::keys_of(client_->tenant(), keys), mode, deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::exists(std::string_view key, Deadline deadline) {
    return client_->exists(client_->name_of(key), deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::remove(std::string_view key, store::RemoveMode mode, Deadline deadline) {
    return client_->remove(client_->name_of(key), mode, deadline);
}

template <class EngineTraits>
Task<std::vector<Errc>> BasicStore<EngineTraits>::remove_batch(std::span<const std::string_view> keys,
                                                               store::RemoveMode mode, Deadline deadline) {
    return client_->remove_batch(store::detail::keys_of(client_->tenant(), keys), mode, deadline);
}

template <class EngineTraits>
Task<std::vector<store::ListedObject>> BasicStore<EngineTraits>::list(std::string_view prefix, std::string_view after,
                                                                      std::uint32_t limit, Deadline deadline) {
    auto message = store::List{.prefix = client_->prefix_of(prefix), .after = client_->name_of(after), .limit = limit};
    return client_->list(std::move(message), deadline);
}

template <class EngineTraits>
Task<store::RemoveMatchingReply> BasicStore<EngineTraits>::remove_prefix(std::string_view prefix,
                                                                         store::RemoveMode mode, Deadline deadline) {
    auto message = store::RemoveMatching{.mode = mode}; // of nothing at all: the master says so
    if (!prefix.empty()) message.prefix = client_->prefix_of(prefix);
    return client_->remove_matching(std::move(message), deadline);
}

template <class EngineTraits>
Task<store::RemoveMatchingReply> BasicStore<EngineTraits>::remove_matching(std::string_view pattern,
                                                                           store::RemoveMode mode, Deadline deadline) {
    auto message = store::RemoveMatching{.pattern = std::string(pattern), .mode = mode};
    if (!pattern.empty()) message.prefix = client_->prefix_of({});
    return client_->remove_matching(std::move(message), deadline);
}

template <class EngineTraits>
Task<std::uint32_t> BasicStore<EngineTraits>::change_replicas(std::string_view key, std::uint32_t replicas,
                                                              ReplicaOptions options) {
    return client_->change_replicas(store::detail::copy_of(client_->tenant(), {&key, 1}, options, replicas),
                                    options.deadline);
}

template <class EngineTraits>
Task<ReplicaReport> BasicStore<EngineTraits>::change_replicas_batch(std::span<const std::string_view> keys,
                                                                    std::uint32_t replicas, ReplicaOptions options) {
    return client_->change_replicas_batch(store::detail::copy_of(client_->tenant(), keys, options, replicas),
                                          options.deadline);
}

template <class EngineTraits>
Task<std::uint32_t> BasicStore<EngineTraits>::copy(std::string_view key, ReplicaOptions options) {
    auto start = store::detail::copy_of(client_->tenant(), {&key, 1}, options);
    start.more = 1;
    return client_->change_replicas(std::move(start), options.deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::move(std::string_view key, std::uint32_t from, ReplicaOptions options) {
    auto start = store::detail::copy_of(client_->tenant(), {&key, 1}, options);
    start.leaving = {from};
    return client_->move(std::move(start), options.deadline);
}

template <class EngineTraits>
Task<MoveReport> BasicStore<EngineTraits>::drain(std::string_view segment, Deadline deadline) {
    return client_->drain(std::string(segment), deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::end_drain(std::string_view segment, Deadline deadline) {
    return client_->end_drain(std::string(segment), deadline);
}

template <class EngineTraits>
Task<MoveReport> BasicStore<EngineTraits>::repair(Deadline deadline) {
    return client_->repair(deadline);
}

template <class EngineTraits>
Task<std::vector<store::SegmentInfo>> BasicStore<EngineTraits>::segments(Deadline deadline) {
    return client_->segments(deadline);
}

template <class EngineTraits>
Task<store::EventsReply> BasicStore<EngineTraits>::events(std::uint64_t after, std::uint64_t term,
                                                          EventOptions options) {
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(options.wait).count();
    const auto wait_ms =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(wait, 0, std::numeric_limits<std::uint32_t>::max()));
    return client_->events({.after = after, .term = term, .limit = options.limit, .wait_ms = wait_ms},
                           options.deadline);
}

template <class EngineTraits>
Task<store::StatsReply> BasicStore<EngineTraits>::statistics(Deadline deadline) {
    return client_->statistics(deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::pin(std::string_view key, PinOptions options) {
    return client_->pin(client_->name_of(key), store::detail::pin_of(options), options.deadline);
}

template <class EngineTraits>
Task<std::vector<Errc>> BasicStore<EngineTraits>::pin_batch(std::span<const std::string_view> keys,
                                                            PinOptions options) {
    return client_->pin_batch(store::detail::keys_of(client_->tenant(), keys), store::detail::pin_of(options),
                              options.deadline);
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::unpin(std::string_view key, Deadline deadline) {
    return pin(key, {.deadline = deadline, .pin = store::Pin::none});
}

template <class EngineTraits>
Task<std::vector<Errc>> BasicStore<EngineTraits>::unpin_batch(std::span<const std::string_view> keys,
                                                              Deadline deadline) {
    return pin_batch(keys, {.deadline = deadline, .pin = store::Pin::none});
}

template <class EngineTraits>
Task<void> BasicStore<EngineTraits>::set_quota(std::string_view tenant, store::TenantQuota quota, Deadline deadline) {
    return client_->set_quota({.tenant = std::string(tenant), .quota = quota}, deadline);
}

template <class EngineTraits>
Task<std::vector<store::TenantInfo>> BasicStore<EngineTraits>::tenants(Deadline deadline) {
    return client_->tenants(deadline);
}

template <class EngineTraits>
asio::awaitable<void> BasicStore<EngineTraits>::close() {
    return client_->close();
}

} // namespace mooncake
