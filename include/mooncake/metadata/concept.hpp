#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/task_fwd.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake {

/// What is kept under a key. Versions of one backend grow with every change to anything.
struct Document {
    std::string value;
    std::uint64_t version = 0; ///< 0: there is none
};

/// One change, as a watcher sees it.
struct DocumentChange {
    std::string key;
    Document document;
    bool removed = false; ///< `document` then holds the version of the removal and no value
};

/// What a metadata backend can do beyond get, put and remove.
struct MetadataCapabilities {
    bool compare_and_swap = false;
    bool list = false;
    bool watch = false;
    bool lease = false;
    bool on_demand = false; ///< a document may be made when somebody asks for it: `OnDemandMetadata`
    bool outlives = false;  ///< what a process put stays when it dies, unless a lease takes it away
};

template <class M>
concept SwappingMetadata =
    requires(M& metadata, std::string key, std::string value, std::uint64_t version, Deadline deadline) {
        { metadata.compare_and_swap(key, version, value, deadline) } -> std::same_as<Task<std::uint64_t>>;
        { metadata.remove(key, version, deadline) } -> std::same_as<Task<void>>;
    };
template <class M>
concept OnDemandMetadata =
    requires(M& metadata, std::string key, std::function<std::string()> make, Deadline deadline) {
        { metadata.offer(key, make, deadline) } -> std::same_as<Task<std::uint64_t>>;
    };
template <class M>
concept ListingMetadata = requires(M& metadata, std::string prefix, Deadline deadline) {
    { metadata.list(prefix, deadline) } -> std::same_as<Task<std::vector<DocumentChange>>>;
};
template <class M>
concept WatchedMetadata = requires(M& metadata, std::string prefix, std::uint64_t version, Deadline deadline) {
    { metadata.watch(prefix, version, deadline) } -> std::same_as<Task<std::vector<DocumentChange>>>;
};
template <class M>
concept LeasingMetadata = requires(M& metadata, std::string key, std::string value, std::uint64_t lease,
                                   std::chrono::milliseconds ttl, Deadline deadline) {
    { metadata.grant(ttl, deadline) } -> std::same_as<Task<std::uint64_t>>;
    { metadata.keep_alive(lease, deadline) } -> std::same_as<Task<void>>;
    { metadata.put_leased(key, value, lease, deadline) } -> std::same_as<Task<std::uint64_t>>;
};
/// What has both has them together, too.
template <class M>
concept OwningMetadata = requires(M& metadata, std::string key, std::string value, std::uint64_t version,
                                  std::uint64_t lease, Deadline deadline) {
    { metadata.compare_and_swap(key, version, value, lease, deadline) } -> std::same_as<Task<std::uint64_t>>;
};

/// A small key–document store in which segments describe themselves. What a backend claims in `capabilities` it has.
///
/// | expression | effect | errors |
/// |---|---|---|
/// | `m.put(key, value, deadline)` | the document is there; gives its version | `timed_out`, `unreachable` |
/// | `m.get(key, deadline)` | the document | `not_found`, `timed_out`, `unreachable` |
/// | `m.remove(key, deadline)` | it is gone, or was not there | `timed_out`, `unreachable` |
/// | `m.locator(key)` | the key under which *others* get what was put under `key` here | |
/// | `m.start()`, `m.close()` | begins, ends what serves others; `close` is idempotent | |
/// | compare_and_swap: `m.compare_and_swap(key, version, value, deadline)` | puts if the version is still that (0: none); gives the new one | `conflict` |
/// | compare_and_swap: `m.remove(key, version, deadline)` | it is gone, if the version was still that | `conflict` |
/// | on_demand: `m.offer(key, make, deadline)` | as `put` of what `make()` gives whenever somebody asks, at that time, until the next `put`, `offer` or `remove` of the key has returned; gives a version | as `put` |
/// | list: `m.list(prefix, deadline)` | what there is, by key | |
/// | watch: `m.watch(prefix, version, deadline)` | the latest changes after `version`, by version; waits for one | `timed_out`, `cancelled`, `conflict` (too old: list again) |
/// | lease: `m.grant(ttl, deadline)`, `m.keep_alive(lease, deadline)`, `m.put_leased(…)` | a document that goes when its lease is not kept alive | `not_found` (the lease is over) |
/// | both: `m.compare_and_swap(key, version, value, lease, deadline)` | a document that is swapped in and goes with its lease (0: with none) | as both |
///
/// Thread: any executor. Cancellation: total for what only looks, partial for what changes.
template <class M>
concept MetadataBackend =
    requires(M& metadata, const M& constant, std::string key, std::string value, Deadline deadline) {
        { M::capabilities } -> std::convertible_to<MetadataCapabilities>;
        { metadata.put(key, value, deadline) } -> std::same_as<Task<std::uint64_t>>;
        { metadata.get(key, deadline) } -> std::same_as<Task<Document>>;
        { metadata.remove(key, deadline) } -> std::same_as<Task<void>>;
        { constant.locator(key) } -> std::same_as<std::string>;
        { metadata.start() } -> std::same_as<void>;
        { metadata.close() } -> std::same_as<asio::awaitable<void, Executor>>;
    } && (!M::capabilities.compare_and_swap || SwappingMetadata<M>) && (!M::capabilities.list || ListingMetadata<M>) &&
    (!M::capabilities.watch || WatchedMetadata<M>) && (!M::capabilities.lease || LeasingMetadata<M>) &&
    (!M::capabilities.lease || !M::capabilities.compare_and_swap || OwningMetadata<M>) &&
    (!M::capabilities.on_demand || OnDemandMetadata<M>);

} // namespace mooncake
