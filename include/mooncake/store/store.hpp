#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/store/client/lease_keeper.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/reader.hpp>
#include <mooncake/store/client/segment_cache.hpp>
#include <mooncake/store/client/split.hpp>
#include <mooncake/store/client/view.hpp>
#include <mooncake/store/client/writer.hpp>
#include <mooncake/store/traits.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

template <StoreTraits Traits>
struct StoreConfig {
    typename TransferEngine<typename Traits::Engine>::Config engine = {};
    typename Traits::Master::Config master = {};
};

/// Objects by key: written once, read by many, evicted when space is wanted, never torn. The same code runs against a
/// master in this process (`EmbeddedStore`) and one for a cluster (`ClusterStore`).
///
/// A put is visible all at once or not at all. A read is compared with the checksums of its writer, so that one that raced
/// an eviction is found out and tried on another replica, and never returned.
///
/// Thread: everything from any executor. Lifetime: the runtime outlives it; views and leases do not; the destructor closes
/// what `close` has not, and then must not run on one of the runtime's threads. Source: FAST'25 §3.
template <StoreTraits Traits>
class Store {
  public:
    using Config = StoreConfig<Traits>;
    using Engine = TransferEngine<typename Traits::Engine>;
    using Master = typename Traits::Master;

    /// Throws `boost::system::system_error`: `unreachable` (no master there), `out_of_memory`, `address_in_use`, …
    /// Thread: none of the runtime's; it waits for the master.
    explicit Store(Runtime& runtime, Config config = {}) : Store(Unattached(), runtime, std::move(config)) {
        const auto attached = sync_wait(runtime.executor(), attach(this));
        if (!attached) {
            (void)sync_wait(runtime.executor(), close_all(this));
            throw_error(attached.error());
        }
    }

    /// The same from a coroutine, on any executor. Lifetime: the runtime outlives the store. Errors: what the constructor
    /// throws when the master cannot be had; it still throws what concerns this process (`address_in_use`).
    static Task<std::unique_ptr<Store>> open(Runtime& runtime, Config config = {}) {
        return open_attached(std::unique_ptr<Store>(new Store(Unattached(), runtime, std::move(config))));
    }
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store() {
        if (closing_.is_over()) return;
        if (engine_.runtime().on_own_thread())
            core::detail::end_program(
                "a Store was destroyed on a thread of its own Runtime, where it cannot wait for its "
                "end: co_await store.close() before");
        (void)sync_wait(engine_.runtime().executor(), close_all(this));
    }

    /// Stores `value`. A key that is there already is left as it is, which is no error: the receipt then has no replicas.
    /// Errors: `being_written` (by somebody else, just now: `wait_for` tells when it is there), `no_space` (names leased,
    /// pinned and free bytes), `too_large`, `timed_out`, `cancelled`, `closed`, what the way to the segments or the master
    /// said. Cancellation: partial; the object is there or is not, never half.
    Task<PutReceipt> put(std::string_view key, ConstBytes value, PutOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto item = PutItem{key, value};
        auto writer = Writer(engine_, master_, segments_);
        const auto report = co_await writer.put(one(item), options);
        if (!report) co_return report.error();
        const auto outcome = report->outcomes.front();
        if (outcome == Errc::being_written)
            co_return sentence(outcome, Error(outcome, "somebody else is writing it; wait_for tells when it is there"),
                               key);
        if (outcome != Errc::ok && outcome != Errc::exists) co_return sentence(outcome, writer.failure(), key);
        co_return PutReceipt{.replicas = report->replicas.front(), .lease = report->lease};
    }

    /// Stores many at once: one round trip to ask for space, one transfer, one round trip to make them visible; more where
    /// there are more than fit into a message.
    /// Errors: those that concern all; what happened to each is in the report. `too_large`: a lease is wished for, and they
    /// are more than one message takes.
    Task<PutBatchReport> put_batch(std::span<const PutItem> items, PutOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        options.deadline = store::detail::or_default(options.deadline);
        auto all = PutBatchReport();
        do {
            const auto part =
                items.first(store::detail::part_of(items.size(), master_.limits().max_keys, [&](std::size_t i) {
                    return items[i].key.size() + store::detail::checksum_bytes(items[i].value.size());
                }));
            items = items.subspan(part.size());
            if (!items.empty() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
            auto writer = Writer(engine_, master_, segments_);
            auto report = co_await writer.put(part, options);
            if (!report) co_return report.error();
            if (items.empty() && all.outcomes.empty()) co_return std::move(*report);
            all.replicas.insert(all.replicas.end(), report->replicas.begin(), report->replicas.end());
            all.outcomes.insert(all.outcomes.end(), report->outcomes.begin(), report->outcomes.end());
        } while (!items.empty());
        co_return all;
    }

    /// The object's bytes, in memory of the caller's.
    /// Errors: `not_found`, `lost` (it was there, and every replica failed; the sentence says how), `timed_out`, `cancelled`,
    /// `closed`.
    Task<std::vector<std::byte>> get(std::string_view key, GetOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(one(key), wanted);
        if (!located) co_return located.error();
        const auto& object = reader.objects().front();
        if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, key);
        auto bytes = std::vector<std::byte>(object.size);
        const auto item = GetItem{key, bytes};
        const auto report = co_await reader.read(one(item), wanted);
        co_await give_back(reader.lease());
        if (report.outcomes.front() != Errc::ok) co_return sentence(report.outcomes.front(), reader.failure(), key);
        co_return bytes;
    }

    /// The same into `into`; gives the object's size. Errors: also `too_large`.
    Task<std::uint64_t> get_into(std::string_view key, MutableBytes into, GetOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        const auto item = GetItem{key, into};
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(one(key), wanted);
        if (!located) co_return located.error();
        const auto report = co_await reader.read(one(item), wanted);
        co_await give_back(reader.lease());
        if (report.outcomes.front() != Errc::ok) co_return sentence(report.outcomes.front(), reader.failure(), key);
        co_return report.sizes.front();
    }

    /// Many at once: one round trip and one transfer; more where there are more than fit into a message.
    /// Errors: those that concern all, as for `put_batch`; the rest is in the report.
    Task<GetBatchReport> get_batch(std::span<const GetItem> items, GetBatchOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        options.deadline = store::detail::or_default(options.deadline);
        auto keys = std::vector<std::string_view>();
        keys.reserve(items.size());
        for (const auto& item : items) keys.push_back(item.key);
        auto all = GetBatchReport();
        for (auto rest = std::span<const std::string_view>(keys);;) {
            const auto part = store::detail::part_of(rest, master_.limits().max_keys);
            rest = rest.subspan(part.size());
            if (!rest.empty() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
            auto reader = Reader(engine_, master_, segments_);
            const auto located = co_await reader.locate(part, options);
            if (!located) co_return located.error();
            const auto found = reader.objects().size();
            auto report = co_await reader.read(items.subspan(all.sizes.size(), found), options);
            if (options.lease == LeaseWish::grant) report.lease = reader.lease();
            else co_await give_back(reader.lease());
            if (rest.empty() && all.sizes.empty()) co_return report;
            all.sizes.insert(all.sizes.end(), report.sizes.begin(), report.sizes.end());
            all.outcomes.insert(all.outcomes.end(), report.outcomes.begin(), report.outcomes.end());
            if (rest.empty() || found < part.size()) co_return all;
        }
    }

    /// Finds objects and leases what it finds, without reading it: for handing on, or for reading later.
    /// The report's outcomes and sizes are those of a get. Errors: also `too_large`, above what one message takes.
    Task<GetBatchReport> lease_batch(std::span<const std::string_view> keys, GetBatchOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        if (store::detail::part_of(keys, master_.limits().max_keys).size() < keys.size())
            co_return too_many_for_a_lease();
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(keys, options);
        if (!located) co_return located.error();
        auto report = GetBatchReport{.lease = reader.lease()};
        for (const auto& object : reader.objects()) {
            report.outcomes.push_back(object.outcome);
            report.sizes.push_back(object.size);
        }
        co_return report;
    }

    /// Makes a lease last as long again as a new one; gives until when it can be trusted.
    /// Errors: `lease_expired`.
    Task<LeaseHandle> renew(std::uint64_t lease, Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto asked = SteadyClock{}.now();
        const auto message = store::Renew{.lease = lease};
        const auto renewed = co_await master_.call(message, deadline);
        if (!renewed && renewed.error() == Errc::lease_expired)
            co_return Error(Errc::lease_expired,
                            "lease " + std::to_string(lease) + " is over, or never was; get a new one");
        if (!renewed) co_return renewed.error();
        co_return LeaseHandle{.id = lease, .trusted_until = store::detail::trusted_until(asked, renewed->ttl_ms)};
    }

    /// A window onto the object where its memory can be this process's, else a copy of it.
    /// Errors: as `get`; `not_mapped` with `Unreachable::fail`.
    Task<View> view(std::string_view key, ViewOptions options = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto reader = Reader(engine_, master_, segments_);
        const auto get = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        const auto located = co_await reader.locate(one(key), get);
        if (!located) co_return located.error();
        const auto& object = reader.objects().front();
        if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, key);
        auto lease = keeper_.keep(reader.lease().id, reader.lease().trusted_until);
        auto window = co_await reader.map(key, object, options);
        if (window) co_return View(ConstBytes(window->bytes, object.size), std::move(window->hold), std::move(lease));
        if (options.unreachable == Unreachable::fail) co_return sentence(Errc::not_mapped, window.error(), key);
        auto bytes = std::vector<std::byte>(object.size);
        const auto item = GetItem{key, bytes};
        const auto report = co_await reader.read(one(item), get);
        if (report.outcomes.front() != Errc::ok) co_return sentence(report.outcomes.front(), reader.failure(), key);
        co_return View(std::move(bytes));
    }

    /// Waits until all of them are visible. Touches and leases nothing.
    /// Errors: `timed_out`, `cancelled`, `invalid_argument`. Cancellation: total.
    Task<void> wait_for(std::span<const std::string_view> keys, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        for (auto rest = keys;;) {
            const auto part = store::detail::part_of(rest, master_.limits().max_keys);
            auto message = store::WaitFor{.keys = strings(part)};
            const auto done = co_await master_.call(std::move(message), deadline);
            if (!done && done.error() == Errc::timed_out)
                co_return Error(Errc::timed_out,
                                "not all of " + std::to_string(keys.size()) + " objects were visible in time");
            if (!done) co_return done.error();
            rest = rest.subspan(part.size());
            if (rest.empty()) co_return ok;
        }
    }

    /// `ok` or `not_found` for each; with `prefix` only the leading hits. Touches and leases nothing.
    Task<std::vector<Errc>> exists_batch(std::span<const std::string_view> keys, LookUp mode = LookUp::each,
                                         Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto outcomes = std::vector<Errc>();
        for (auto rest = keys;;) {
            const auto part = store::detail::part_of(rest, master_.limits().max_keys);
            auto message = store::Query{.keys = strings(part), .mode = mode};
            auto reply = co_await master_.call(std::move(message), deadline);
            if (!reply) co_return reply.error();
            const auto found = reply->outcomes.size();
            if (found > part.size() || (mode == LookUp::each && found != part.size())) co_return wrong_count();
            outcomes.insert(outcomes.end(), reply->outcomes.begin(), reply->outcomes.end());
            rest = rest.subspan(part.size());
            if (rest.empty() || found < part.size()) co_return outcomes;
        }
    }

    Task<bool> exists(std::string_view key, Deadline deadline = {}) {
        const auto found = co_await exists_batch(one(key), LookUp::each, deadline);
        if (!found) co_return found.error();
        co_return found->front() == Errc::ok;
    }

    /// Errors: `not_found`, `conflict` (it is leased or being written, and `mode` does not force it).
    Task<void> remove(std::string_view key, store::RemoveMode mode = store::RemoveMode::unless_in_use,
                      Deadline deadline = {}) {
        const auto removed = co_await remove_batch(one(key), mode, deadline);
        if (!removed) co_return removed.error();
        if (removed->front() == Errc::conflict)
            co_return sentence(
                Errc::conflict,
                Error(Errc::conflict, "it is leased or being written; RemoveMode::force removes it all the same"), key);
        if (removed->front() != Errc::ok) co_return sentence(removed->front(), {}, key);
        co_return ok;
    }

    Task<std::vector<Errc>> remove_batch(std::span<const std::string_view> keys,
                                         store::RemoveMode mode = store::RemoveMode::unless_in_use,
                                         Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto outcomes = std::vector<Errc>();
        for (auto rest = keys;;) {
            const auto part = store::detail::part_of(rest, master_.limits().max_keys);
            auto message = store::Remove{.keys = strings(part), .mode = mode};
            auto reply = co_await master_.call(std::move(message), deadline);
            if (!reply) co_return reply.error();
            if (reply->outcomes.size() != part.size()) co_return wrong_count();
            outcomes.insert(outcomes.end(), reply->outcomes.begin(), reply->outcomes.end());
            rest = rest.subspan(part.size());
            if (rest.empty()) co_return outcomes;
        }
    }

    /// The visible objects whose keys begin with `prefix`, by key, from behind `after`; fewer than `limit`: that was all.
    Task<std::vector<store::ListedObject>> list(std::string_view prefix, std::string_view after = {},
                                                std::uint32_t limit = 1000, Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto message = store::List{.prefix = std::string(prefix), .after = std::string(after), .limit = limit};
        auto reply = co_await master_.call(std::move(message), deadline);
        if (!reply) co_return reply.error();
        co_return std::move(reply->objects);
    }

    Task<store::StatsReply> statistics(Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        co_return co_await master_.call(store::Stats(), deadline);
    }

    /// Ends leases that came out of a put or a get, here or in another process.
    Task<void> release(std::uint64_t lease, Deadline deadline = {}) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto message = store::Release{.leases = {lease}};
        const auto done = co_await master_.call(std::move(message), deadline);
        if (!done) co_return done.error();
        co_return ok;
    }

    [[nodiscard]] Engine& engine() noexcept { return engine_; }
    [[nodiscard]] Master& master() noexcept { return master_; }

    /// Gives back leases, ends operations in progress with `closed` and waits for them, closes the engine. Idempotent, and
    /// over when it is closed, whoever else closes it.
    asio::awaitable<void> close() { return closing_.once(close_now()); }

  private:
    using Reader = store::detail::Reader<Engine, Master>;
    using Writer = store::detail::Writer<Engine, Master>;

    struct Unattached {};

    asio::awaitable<void> close_now() {
        gate_.shut();
        co_await keeper_.close();
        co_await master_.close();
        co_await engine_.close();
        co_await gate_.wait();
    }

    Store(Unattached, Runtime& runtime, Config config)
        : engine_(runtime, std::move(config.engine)), master_(runtime, std::move(config.master)),
          keeper_(runtime.next_executor(), master_), segments_(engine_, master_) {}

    static Task<void> attach(Store* self) {
        const auto attached = co_await self->master_.attach(self->engine_);
        if (!attached) co_return attached.error();
        self->keeper_.start();
        co_return ok;
    }
    static Task<std::unique_ptr<Store>> open_attached(std::unique_ptr<Store> store) {
        const auto attached = co_await attach(store.get());
        if (attached) co_return store;
        co_await store->close();
        co_return attached.error();
    }

    static Task<void> close_all(Store* self) {
        co_await self->close();
        co_return ok;
    }

    static Error closed() { return {Errc::closed, "the store was closed"}; }
    static Error wrong_count() {
        return {Errc::protocol_error, "the master answered for other keys than it was asked for"};
    }
    Error too_many_for_a_lease() const {
        return {Errc::too_large, "one lease is for the keys of one message: at most " +
                                     std::to_string(master_.limits().max_keys) + ", and " +
                                     std::to_string(store::detail::bytes_a_message) + " bytes; ask in several batches"};
    }

    template <class T>
    static std::span<const T> one(const T& item) noexcept {
        return {&item, 1};
    }

    static std::vector<std::string> strings(std::span<const std::string_view> keys) {
        return {keys.begin(), keys.end()};
    }

    /// A public error from a bare outcome: with the sentence that came with it, or at least the key.
    static Error sentence(Errc outcome, const Error& failure, std::string_view key) {
        auto text = "object " + in_quotes(key);
        if (!failure.context().empty()) text += ": " + std::string(failure.context());
        return {outcome, std::move(text)};
    }

    /// Where the master is in this process, releasing is a call; otherwise it can wait for others to go along.
    asio::awaitable<void> give_back(LeaseHandle lease) {
        if (!lease) co_return;
        if constexpr (Master::in_process) {
            auto message = store::Release{.leases = {lease.id}};
            (void)co_await master_.call(std::move(message), Deadline());
            co_return;
        }
        keeper_.release(lease.id);
    }

    Engine engine_;
    Master master_;
    store::detail::LeaseKeeper<Master> keeper_;
    store::detail::SegmentCache<Engine, Master> segments_;
    Gate gate_; ///< of the operations in progress
    Closing closing_;
};

} // namespace mooncake
