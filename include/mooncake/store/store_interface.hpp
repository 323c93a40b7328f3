#pragma once

/// What `Store` is to those who use it; `store.hpp` has the insides.

#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/engine/engine_interface.hpp>
#include <mooncake/store/client/client_config.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/replica_options.hpp>
#include <mooncake/store/client/view.hpp>
#include <mooncake/store/traits.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake {

namespace store::detail {

template <class Traits>
class Client;
class MasterCalls;

} // namespace store::detail

template <class Traits>
struct StoreConfig {
    EngineConfig<typename Traits::Engine> engine = {};
    config_of<typename Traits::Master> master = {};
    ClientConfig client = {};
};

/// What a store does, whichever master it asks: see `Store`. It is compiled for an engine, not for every policy of a master.
template <class EngineTraits>
class BasicStore {
  public:
    using Engine = TransferEngine<EngineTraits>;

    BasicStore(const BasicStore&) = delete;
    BasicStore& operator=(const BasicStore&) = delete;

    /// Stores `value`. A key that is there already is left as it is, which is no error: `receipt.stored()` tells.
    /// Errors: `being_written` (by somebody else, just now: `wait_for` tells when it is there), `no_space` (names leased,
    /// pinned and free bytes), `too_large`, `timed_out`, `cancelled`, `closed`, what the way to the segments or the master
    /// said; `quota` (of the tenant: nothing of its own may go). Cancellation: partial; the object is there or is not, never half.
    Task<PutReceipt> put(std::string_view key, ConstBytes value, PutOptions options = {});
    /// The same of a value that the task owns: a temporary, or one that is moved here.
    Task<PutReceipt> put(std::string_view key, std::vector<std::byte>&& value, PutOptions options = {});
    Task<PutReceipt> put(std::string_view key, std::string&& value, PutOptions options = {});

    /// Stores `value` whatever the key has. Until it is there readers find the old object, from then on the new one; those who
    /// hold a view or a lease of the old one finish with it.
    /// Errors and cancellation: as `put`; `being_written` as well where another's upsert is under way; `not_supported`, where
    /// the master is too old.
    Task<PutReceipt> upsert(std::string_view key, ConstBytes value, PutOptions options = {});

    /// The same if the key's object is version `expected`, as a receipt, a view or a report told it, or if there is none and
    /// `expected` is 0.
    /// Errors: also `conflict`: it is another version, or it went while this was written; the sentence says which.
    Task<PutReceipt> compare_and_put(std::string_view key, std::uint64_t expected, ConstBytes value,
                                     PutOptions options = {});

    /// Stores what lies in pieces, such as the pages of a paged KV cache, as one object: one behind the other. As `put`.
    Task<PutReceipt> put_gathered(std::string_view key, std::span<const ConstBytes> pieces, PutOptions options = {});

    /// Stores many at once: one round trip to ask for space, one transfer, one round trip to make them visible; more where
    /// there are more than fit into a message.
    /// Errors: those that concern all; what happened to each is in the report. `too_large`: a lease is wished for, and they
    /// are more than one message takes.
    Task<PutBatchReport> put_batch(std::span<const PutItem> items, PutOptions options = {});

    /// The object's bytes, in memory of the caller's.
    /// Errors: `not_found`, `lost` (it was there, and every replica failed, or went with its node, as far as the master
    /// remembers; the sentence says how), `timed_out`, `cancelled`, `closed`.
    Task<std::vector<std::byte>> get(std::string_view key, GetOptions options = {});

    /// The same into `into`; gives the object's size. Errors: also `too_large`.
    Task<std::uint64_t> get_into(std::string_view key, MutableBytes into, GetOptions options = {});

    /// The same into pieces: fills one after the other, up to the object's end; gives its size. Errors: also `too_large`.
    Task<std::uint64_t> get_scattered(std::string_view key, std::span<const MutableBytes> into,
                                      RangeOptions options = {});

    /// A part of the object: `into.size()` bytes from `offset` on; gives the size of all of it.
    /// Errors: also `out_of_range`, `conflict` (it has another version than was asked for).
    Task<std::uint64_t> get_range(std::string_view key, std::uint64_t offset, MutableBytes into,
                                  RangeOptions options = {});

    /// Many at once: one round trip and one transfer; more where there are more than fit into a message.
    /// Errors: those that concern all, as for `put_batch`; the rest is in the report.
    Task<GetBatchReport> get_batch(std::span<const GetItem> items, GetBatchOptions options = {});

    /// Finds objects and leases what it finds, without reading it: for handing on, or for reading later.
    /// The report's outcomes and sizes are those of a get. Errors: also `too_large`, above what one message takes.
    Task<GetBatchReport> lease_batch(std::span<const std::string_view> keys, GetBatchOptions options = {});

    /// Makes a lease last as long again as a new one; gives until when it can be trusted.
    /// Errors: `lease_expired`.
    Task<LeaseHandle> renew(std::uint64_t lease, Deadline deadline = Deadline::usual());

    /// Ends leases that came out of a put or a get, here or in another process.
    Task<void> release(std::uint64_t lease, Deadline deadline = Deadline::usual());

    /// A window onto the object where its memory can be this process's, else a copy of it.
    /// Errors: as `get`; `not_mapped` with `Unreachable::fail`.
    Task<View> view(std::string_view key, ViewOptions options = {});

    /// Waits until all of them are visible. Touches and leases nothing.
    /// Errors: `timed_out`, `cancelled`, `invalid_argument`. Cancellation: total.
    Task<void> wait_for(std::span<const std::string_view> keys, Deadline deadline = Deadline::usual());

    /// `ok` or `not_found` for each; with `prefix` only the leading hits. Touches and leases nothing.
    Task<std::vector<Errc>> exists_batch(std::span<const std::string_view> keys, LookUp mode = LookUp::each,
                                         Deadline deadline = Deadline::usual());

    /// Whether it is visible: `ok`, or `not_found`; any other error says that nobody knows. Touches and leases nothing.
    Task<void> exists(std::string_view key, Deadline deadline = Deadline::usual());

    /// Errors: `not_found`, `conflict` (it is leased or being written, and `mode` does not force it).
    Task<void> remove(std::string_view key, store::RemoveMode mode = store::RemoveMode::unless_in_use,
                      Deadline deadline = Deadline::usual());

    Task<std::vector<Errc>> remove_batch(std::span<const std::string_view> keys,
                                         store::RemoveMode mode = store::RemoveMode::unless_in_use,
                                         Deadline deadline = Deadline::usual());

    /// Removes every object whose key begins with `prefix`; tells how many went, and how many are in use and stay.
    /// Errors: `invalid_argument` (it is empty). Cancellation: partial.
    Task<store::RemoveMatchingReply> remove_prefix(std::string_view prefix,
                                                   store::RemoveMode mode = store::RemoveMode::unless_in_use,
                                                   Deadline deadline = Deadline::usual());
    /// The same of all whose key `pattern` matches: `*` stands for any bytes, `?` for one, and `\` takes the next as it is.
    Task<store::RemoveMatchingReply> remove_matching(std::string_view pattern,
                                                     store::RemoveMode mode = store::RemoveMode::unless_in_use,
                                                     Deadline deadline = Deadline::usual());

    /// The object stays when room is made for others: for a time while anything else may go (`Pin::soft`), or whatever happens
    /// (`Pin::hard`, as far as its tenant's quota goes). In place of the pin that it had. Whoever removes or replaces it does.
    /// Errors: `not_found`, `lost`, `being_written`, `quota` (of what may be hard-pinned).
    Task<void> pin(std::string_view key, PinOptions options = {});
    /// Of each, what `pin` fails with, or `ok`.
    Task<std::vector<Errc>> pin_batch(std::span<const std::string_view> keys, PinOptions options = {});
    /// It may go as any other. Errors: `not_found`, `lost`, `being_written`; that it had no pin is none.
    Task<void> unpin(std::string_view key, Deadline deadline = Deadline::usual());
    Task<std::vector<Errc>> unpin_batch(std::span<const std::string_view> keys, Deadline deadline = Deadline::usual());

    /// Sees to it that the object has `replicas` of them, on different segments: copies it, or lets some go, which those who
    /// read there finish with. Gives how many it has now; fewer than asked for where there are fewer segments.
    /// Errors: `not_found`, `lost`, `being_written` (by somebody, or copied by somebody), `no_space` (not in another segment).
    /// Cancellation: partial.
    Task<std::uint32_t> change_replicas(std::string_view key, std::uint32_t replicas, ReplicaOptions options = {});
    /// The same of many, with one round trip for space and one to say that it is done for each 16 MiB of them.
    Task<ReplicaReport> change_replicas_batch(std::span<const std::string_view> keys, std::uint32_t replicas,
                                              ReplicaOptions options = {});
    /// One replica more than it ought to have, as `change_replicas`; `ReplicaOptions::preferred` says where.
    Task<std::uint32_t> copy(std::string_view key, ReplicaOptions options = {});
    /// The object's replica in segment `from` goes to another one. Errors: as `change_replicas`.
    Task<void> move(std::string_view key, std::uint32_t from, ReplicaOptions options = {});

    /// Nothing is written to the segment named `segment` any more, and what lies there is copied to others, evicting as a put
    /// would. Ends when it is empty and nobody reads there, at the deadline, or when nothing more can be moved: `left` tells.
    /// Errors: `not_found` (no such segment). Cancellation: partial; it takes no writes until `end_drain`, or until its node
    /// comes back as another.
    Task<MoveReport> drain(std::string_view segment, Deadline deadline = Deadline::usual());
    /// It takes writes again.
    Task<void> end_drain(std::string_view segment, Deadline deadline = Deadline::usual());
    /// Objects that have fewer replicas than they ought to, as after the death of a node, get them. Two at once do not copy
    /// the same. Cancellation: partial.
    Task<MoveReport> repair(Deadline deadline = Deadline::usual());

    /// The segments that are mounted, by id.
    Task<std::vector<store::SegmentInfo>> segments(Deadline deadline = Deadline::usual());

    /// The visible objects whose keys begin with `prefix`, by key, from behind `after`; fewer than `limit`: that was all.
    Task<std::vector<store::ListedObject>> list(std::string_view prefix, std::string_view after = {},
                                                std::uint32_t limit = 1000, Deadline deadline = Deadline::usual());

    /// What happened to objects since event `after` of the master's `term`, as the reply before told them; 0 and 0 at first.
    /// A reply with a `gap` says that some are unknown. The store of a tenant is told of the tenant's, so that numbers are left out;
    /// one without is told of all, and `store::split_key` says whose a key is. Errors: `not_supported` (the master's `Journal` keeps none).
    /// Cancellation: total.
    Task<store::EventsReply> events(std::uint64_t after, std::uint64_t term, EventOptions options = {});

    Task<store::StatsReply> statistics(Deadline deadline = Deadline::usual());

    /// What `tenant` may have from now on; empty: those that name none. One that has more keeps it until it puts again.
    /// Errors: `invalid_argument` (no name of a tenant, or the weight), `quota` (there are too many tenants).
    Task<void> set_quota(std::string_view tenant, store::TenantQuota quota, Deadline deadline = Deadline::usual());
    /// What each tenant has and may have, by name.
    Task<std::vector<store::TenantInfo>> tenants(Deadline deadline = Deadline::usual());

    [[nodiscard]] Engine& engine() noexcept;
    [[nodiscard]] std::string_view tenant() const noexcept; ///< `ClientConfig::tenant`

    /// Gives back leases, ends operations in progress with `closed` and waits for them, closes the engine. Idempotent, and
    /// over when it is closed, whoever else closes it.
    asio::awaitable<void> close();

  protected:
    BasicStore(Runtime& runtime, EngineConfig<EngineTraits> engine, std::unique_ptr<store::detail::MasterCalls> master,
               ClientConfig client);
    ~BasicStore();

    /// To be called once the master is attached: `attached`, or how that failed; then it is closed.
    Task<void> begin(Task<void> attached);

  private:
    const std::unique_ptr<store::detail::Client<EngineTraits>> client_;
};

/// Objects by key: written once, read by many, evicted when space is wanted, never torn. The same code runs against a
/// master in this process (`EmbeddedStore`) and one for a cluster (`ClusterStore`).
///
/// A put is visible all at once or not at all. A read is compared with the checksums of its writer, so that one that raced
/// an eviction is found out and tried on another replica, and never returned.
///
/// Thread: everything from any executor. Lifetime: the runtime outlives it; views and leases do not; the destructor closes
/// what `close` has not, and then must not run on one of the runtime's threads. A task owns the keys that it was made with;
/// the bytes of a value, and the memory that is read into, outlive the task. Source: FAST'25 §3.
template <class Traits>
class Store : public BasicStore<typename Traits::Engine> {
  public:
    using Config = StoreConfig<Traits>;
    using Master = typename Traits::Master;

    /// Throws `boost::system::system_error`: `unreachable` (no master there), `out_of_memory`, `address_in_use`, …
    /// Thread: none of the runtime's; it waits for the master.
    Store(Runtime& runtime, Config config);
    explicit Store(Runtime& runtime); ///< with the default configuration

    /// The same from a coroutine, on any executor. Lifetime: the runtime outlives the store. Errors: what the constructor
    /// throws when the master cannot be had; it still throws what concerns this process (`address_in_use`).
    static Task<std::unique_ptr<Store>> open(Runtime& runtime, Config config);
    static Task<std::unique_ptr<Store>> open(Runtime& runtime);

    [[nodiscard]] Master& master() noexcept;

  private:
    using Base = BasicStore<typename Traits::Engine>;
    struct Unattached {};

    Store(Unattached, Runtime& runtime, Config config);
    Store(Runtime& runtime, EngineConfig<typename Traits::Engine> engine, std::shared_ptr<Master> master,
          ClientConfig client);
    static Task<std::unique_ptr<Store>> open_attached(std::unique_ptr<Store> store);

    Master& master_; ///< the client's
};

} // namespace mooncake
