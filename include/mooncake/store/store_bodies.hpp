#pragma once

/// The insides of `Store`. The parts that it is made of are included by who chooses them; `store.hpp` has those of the
/// ready-made stores.

#include <mooncake/core/end_program.hpp>
#include <mooncake/store/client/client.hpp>
#include <mooncake/store/store_interface.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

namespace store::detail {

inline std::vector<std::string> strings(std::span<const std::string_view> keys) { return {keys.begin(), keys.end()}; }
template <class Item>
std::vector<std::string> keys_of(std::span<const Item> items) {
    auto keys = std::vector<std::string>();
    keys.reserve(items.size());
    for (const auto& item : items) keys.emplace_back(item.key);
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

template <class Traits>
Store<Traits>::Store(Runtime& runtime, Config config) : Store(Unattached(), runtime, std::move(config)) {
    const auto attached = sync_wait(runtime.executor(), attach());
    if (!attached) {
        sync_wait(runtime.executor(), close());
        throw_error(attached.error());
    }
}

template <class Traits>
Store<Traits>::Store(Runtime& runtime) : Store(runtime, Config()) {}

template <class Traits>
auto Store<Traits>::engine() noexcept -> Engine& {
    return client_->engine();
}

template <class Traits>
auto Store<Traits>::master() noexcept -> Master& {
    return *master_;
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open(Runtime& runtime) {
    return open(runtime, Config());
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open(Runtime& runtime, Config config) {
    return open_attached(std::unique_ptr<Store>(new Store(Unattached(), runtime, std::move(config))));
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open_attached(std::unique_ptr<Store> store) {
    const auto attached = co_await store->attach();
    if (attached) co_return store;
    co_await store->close();
    co_return attached.error();
}

template <class Traits>
Store<Traits>::Store(Unattached, Runtime& runtime, Config config)
    : client_(std::make_unique<Client>(runtime, std::move(config.engine), [&] {
          static_assert(StoreTraits<Traits>);
          auto calls = std::make_unique<store::detail::MasterCallsOf<Master>>(runtime, std::move(config.master));
          master_ = &calls->link();
          return calls;
      })) {}

template <class Traits>
Task<void> Store<Traits>::attach() {
    const auto attached = co_await master_->attach(client_->engine());
    if (!attached) co_return attached.error();
    client_->start();
    co_return ok;
}

template <class Traits>
Store<Traits>::~Store() {
    if (client_->is_closed()) return;
    if (engine().runtime().on_own_thread())
        core::detail::end_program("a Store was destroyed on a thread of its own Runtime, where it cannot wait for its "
                                  "end: co_await store.close() before");
    sync_wait(engine().runtime().executor(), close());
}

template <class Traits>
Task<PutReceipt> Store<Traits>::put(std::string_view key, ConstBytes value, PutOptions options) {
    return client_->put(std::string(key), value, options);
}

template <class Traits>
Task<PutBatchReport> Store<Traits>::put_batch(std::span<const PutItem> items, PutOptions options) {
    return client_->put_batch(store::detail::keys_of(items),
                              store::detail::parts_of<ConstBytes>(items, &PutItem::value), options);
}

template <class Traits>
Task<std::vector<std::byte>> Store<Traits>::get(std::string_view key, GetOptions options) {
    return client_->get(std::string(key), options);
}

template <class Traits>
Task<std::uint64_t> Store<Traits>::get_into(std::string_view key, MutableBytes into, GetOptions options) {
    return client_->get_into(std::string(key), into, options);
}

template <class Traits>
Task<GetBatchReport> Store<Traits>::get_batch(std::span<const GetItem> items, GetBatchOptions options) {
    return client_->get_batch(store::detail::keys_of(items),
                              store::detail::parts_of<MutableBytes>(items, &GetItem::into), options);
}

template <class Traits>
Task<GetBatchReport> Store<Traits>::lease_batch(std::span<const std::string_view> keys, GetBatchOptions options) {
    return client_->lease_batch(store::detail::strings(keys), options);
}

template <class Traits>
Task<LeaseHandle> Store<Traits>::renew(std::uint64_t lease, Deadline deadline) {
    return client_->renew(lease, deadline);
}

template <class Traits>
Task<void> Store<Traits>::release(std::uint64_t lease, Deadline deadline) {
    return client_->release(lease, deadline);
}

template <class Traits>
Task<View> Store<Traits>::view(std::string_view key, ViewOptions options) {
    return client_->view(std::string(key), options);
}

template <class Traits>
Task<void> Store<Traits>::wait_for(std::span<const std::string_view> keys, Deadline deadline) {
    return client_->wait_for(store::detail::strings(keys), deadline);
}

template <class Traits>
Task<std::vector<Errc>> Store<Traits>::exists_batch(std::span<const std::string_view> keys, LookUp mode,
                                                    Deadline deadline) {
    return client_->exists_batch(store::detail::strings(keys), mode, deadline);
}

template <class Traits>
Task<void> Store<Traits>::exists(std::string_view key, Deadline deadline) {
    return client_->exists(std::string(key), deadline);
}

template <class Traits>
Task<void> Store<Traits>::remove(std::string_view key, store::RemoveMode mode, Deadline deadline) {
    return client_->remove(std::string(key), mode, deadline);
}

template <class Traits>
Task<std::vector<Errc>> Store<Traits>::remove_batch(std::span<const std::string_view> keys, store::RemoveMode mode,
                                                    Deadline deadline) {
    return client_->remove_batch(store::detail::strings(keys), mode, deadline);
}

template <class Traits>
Task<std::vector<store::ListedObject>> Store<Traits>::list(std::string_view prefix, std::string_view after,
                                                           std::uint32_t limit, Deadline deadline) {
    auto message = store::List{.prefix = std::string(prefix), .after = std::string(after), .limit = limit};
    return client_->list(std::move(message), deadline);
}

template <class Traits>
Task<store::StatsReply> Store<Traits>::statistics(Deadline deadline) {
    return client_->statistics(deadline);
}

template <class Traits>
asio::awaitable<void> Store<Traits>::close() {
    return client_->close();
}

} // namespace mooncake
