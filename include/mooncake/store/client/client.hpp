#pragma once

#include <mooncake/core/closing.hpp>
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

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What a `Store` does, in coroutines that own the keys they are told: a task may begin long after its call.
/// What each does, and its errors, stand at the store's. Thread: everything from any executor.
template <StoreTraits Traits>
class Client {
  public:
    using Engine = TransferEngine<typename Traits::Engine>;
    using Master = typename Traits::Master;
    using Keys = std::vector<std::string>;

    Client(Runtime& runtime, typename Engine::Config engine, typename Master::Config master)
        : engine_(runtime, std::move(engine)), master_(runtime, std::move(master)),
          keeper_(runtime.next_executor(), master_), segments_(engine_, master_) {}

    [[nodiscard]] Engine& engine() noexcept { return engine_; }
    [[nodiscard]] Master& master() noexcept { return master_; }

    Task<void> attach() {
        const auto attached = co_await master_.attach(engine_);
        if (!attached) co_return attached.error();
        keeper_.start();
        co_return ok;
    }

    asio::awaitable<void> close() { return closing_.once(close_now()); }
    [[nodiscard]] bool is_closed() const { return closing_.is_over(); }

    Task<PutReceipt> put(std::string key, ConstBytes value, PutOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto writer = Writer(engine_, master_, segments_);
        const auto report = co_await writer.put(one(key), one(value), options);
        if (!report) co_return report.error();
        const auto outcome = report->outcomes.front();
        if (outcome == Errc::being_written)
            co_return sentence(outcome, Error(outcome, "somebody else is writing it; wait_for tells when it is there"),
                               key);
        if (outcome != Errc::ok && outcome != Errc::exists) co_return sentence(outcome, writer.failure(), key);
        co_return PutReceipt{.replicas = report->replicas.front(), .lease = report->lease};
    }

    Task<PutBatchReport> put_batch(Keys keys, std::vector<ConstBytes> values, PutOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto parts = KeyParts(std::move(keys), master_.limits().max_keys);
        auto rest = std::span<const ConstBytes>(values);
        auto all = PutBatchReport();
        do {
            auto part = parts.next([&values](std::size_t i) { return checksum_bytes(values[i].size()); });
            if (!parts.over() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
            const auto theirs = rest.first(part.size());
            rest = rest.subspan(part.size());
            auto writer = Writer(engine_, master_, segments_);
            auto report = co_await writer.put(std::move(part), theirs, options);
            if (!report) co_return report.error();
            if (parts.over() && all.outcomes.empty()) co_return std::move(*report);
            all.replicas.insert(all.replicas.end(), report->replicas.begin(), report->replicas.end());
            all.outcomes.insert(all.outcomes.end(), report->outcomes.begin(), report->outcomes.end());
        } while (!parts.over());
        co_return all;
    }

    Task<std::vector<std::byte>> get(std::string key, GetOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(one(std::move(key)), wanted);
        if (!located) co_return located.error();
        const auto& object = reader.objects().front();
        if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
        auto bytes = std::vector<std::byte>(object.size);
        const auto into = MutableBytes(bytes);
        const auto report = co_await reader.read(one(into), wanted);
        co_await give_back(reader.lease());
        const auto outcome = report.outcomes.front();
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        co_return bytes;
    }

    Task<std::uint64_t> get_into(std::string key, MutableBytes into, GetOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(one(std::move(key)), wanted);
        if (!located) co_return located.error();
        const auto report = co_await reader.read(one(into), wanted);
        co_await give_back(reader.lease());
        const auto outcome = report.outcomes.front();
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        co_return report.sizes.front();
    }

    Task<GetBatchReport> get_batch(Keys keys, std::vector<MutableBytes> into, GetBatchOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto parts = KeyParts(std::move(keys), master_.limits().max_keys);
        auto rest = std::span<const MutableBytes>(into);
        auto all = GetBatchReport();
        for (;;) {
            auto part = parts.next();
            if (!parts.over() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
            const auto asked = part.size();
            auto reader = Reader(engine_, master_, segments_);
            const auto located = co_await reader.locate(std::move(part), options);
            if (!located) co_return located.error();
            const auto found = reader.objects().size();
            auto report = co_await reader.read(rest.first(found), options);
            rest = rest.subspan(found);
            if (options.lease == LeaseWish::grant) report.lease = reader.lease();
            else co_await give_back(reader.lease());
            if (parts.over() && all.sizes.empty()) co_return report;
            all.sizes.insert(all.sizes.end(), report.sizes.begin(), report.sizes.end());
            all.outcomes.insert(all.outcomes.end(), report.outcomes.begin(), report.outcomes.end());
            if (parts.over() || found < asked) co_return all;
        }
    }

    Task<GetBatchReport> lease_batch(Keys keys, GetBatchOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto parts = KeyParts(std::move(keys), master_.limits().max_keys);
        auto part = parts.next();
        if (!parts.over()) co_return too_many_for_a_lease();
        auto reader = Reader(engine_, master_, segments_);
        const auto located = co_await reader.locate(std::move(part), options);
        if (!located) co_return located.error();
        auto report = GetBatchReport{.lease = reader.lease()};
        report.outcomes.reserve(reader.objects().size());
        report.sizes.reserve(reader.objects().size());
        for (const auto& object : reader.objects()) {
            report.outcomes.push_back(object.outcome);
            report.sizes.push_back(object.size);
        }
        co_return report;
    }

    Task<LeaseHandle> renew(std::uint64_t lease, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto asked = SteadyClock{}.now();
        const auto message = Renew{.lease = lease};
        const auto renewed = co_await master_.call(message, deadline);
        if (!renewed && renewed.error() == Errc::lease_expired)
            co_return Error(Errc::lease_expired,
                            "lease " + std::to_string(lease) + " is over, or never was; get a new one");
        if (!renewed) co_return renewed.error();
        co_return LeaseHandle{.id = lease, .trusted_until = trusted_until(asked, renewed->ttl_ms)};
    }

    Task<void> release(std::uint64_t lease, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto message = Release{.leases = {lease}};
        const auto done = co_await master_.call(message, deadline);
        if (!done) co_return done.error();
        co_return ok;
    }

    Task<View> view(std::string key, ViewOptions options) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto reader = Reader(engine_, master_, segments_);
        const auto get = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
        const auto located = co_await reader.locate(one(std::move(key)), get);
        if (!located) co_return located.error();
        const auto& object = reader.objects().front();
        if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
        auto lease = keeper_.keep(reader.lease().id, reader.lease().trusted_until);
        auto window = co_await reader.map(options);
        if (window) co_return View(ConstBytes(window->bytes, object.size), std::move(window->hold), std::move(lease));
        if (options.unreachable == Unreachable::fail)
            co_return sentence(Errc::not_mapped, window.error(), reader.key());
        auto bytes = std::vector<std::byte>(object.size);
        const auto into = MutableBytes(bytes);
        const auto report = co_await reader.read(one(into), get);
        const auto outcome = report.outcomes.front();
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        co_return View(std::move(bytes));
    }

    Task<void> wait_for(Keys keys, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto count = keys.size();
        auto parts = KeyParts(std::move(keys), master_.limits().max_keys);
        do {
            const auto message = WaitFor{.keys = parts.next()};
            const auto done = co_await master_.call(message, deadline);
            if (!done && done.error() == Errc::timed_out)
                co_return Error(Errc::timed_out,
                                "not all of " + std::to_string(count) + " objects were visible in time");
            if (!done) co_return done.error();
        } while (!parts.over());
        co_return ok;
    }

    Task<std::vector<Errc>> exists_batch(Keys keys, LookUp mode, Deadline deadline) {
        return outcomes_of(std::move(keys), Query{.keys = {}, .mode = mode}, mode, deadline);
    }
    Task<void> exists(std::string key, Deadline deadline) {
        const auto found = co_await exists_batch(one(std::move(key)), LookUp::each, deadline);
        if (!found) co_return found.error();
        if (found->front() != Errc::ok) co_return found->front();
        co_return ok;
    }

    Task<std::vector<Errc>> remove_batch(Keys keys, RemoveMode mode, Deadline deadline) {
        return outcomes_of(std::move(keys), Remove{.keys = {}, .mode = mode}, LookUp::each, deadline);
    }
    Task<void> remove(std::string key, RemoveMode mode, Deadline deadline) {
        const auto removed = co_await remove_batch(one(key), mode, deadline);
        if (!removed) co_return removed.error();
        if (removed->front() == Errc::conflict)
            co_return sentence(
                Errc::conflict,
                Error(Errc::conflict, "it is leased or being written; RemoveMode::force removes it all the same"), key);
        if (removed->front() != Errc::ok) co_return sentence(removed->front(), {}, key);
        co_return ok;
    }

    Task<std::vector<ListedObject>> list(List message, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto reply = co_await master_.call(message, deadline);
        if (!reply) co_return reply.error();
        co_return std::move(reply->objects);
    }

    Task<StatsReply> statistics(Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        const auto message = Stats();
        co_return co_await master_.call(message, deadline);
    }

  private:
    using Reader = detail::Reader<Engine, Master>;
    using Writer = detail::Writer<Engine, Master>;

    asio::awaitable<void> close_now() {
        gate_.shut();
        co_await keeper_.close();
        co_await master_.close();
        co_await engine_.close();
        co_await gate_.wait();
    }

    /// Asks `message` of all keys, in as many as it takes. `mode`: whether the answer may end at the first miss.
    template <class Message>
    Task<std::vector<Errc>> outcomes_of(Keys keys, Message message, LookUp mode, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return closed();
        auto parts = KeyParts(std::move(keys), master_.limits().max_keys);
        auto outcomes = std::vector<Errc>();
        for (;;) {
            message.keys = parts.next();
            const auto asked = message.keys.size();
            const auto reply = co_await master_.call(message, deadline);
            if (!reply) co_return reply.error();
            const auto found = reply->outcomes.size();
            if (found > asked || (mode == LookUp::each && found != asked)) co_return wrong_count();
            outcomes.insert(outcomes.end(), reply->outcomes.begin(), reply->outcomes.end());
            if (parts.over() || found < asked) co_return outcomes;
        }
    }

    static Error closed() { return {Errc::closed, "the store was closed"}; }
    static Error wrong_count() {
        return {Errc::protocol_error, "the master answered for other keys than it was asked for"};
    }
    Error too_many_for_a_lease() const {
        return {Errc::too_large, "one lease is for the keys of one message: at most " +
                                     std::to_string(master_.limits().max_keys) + ", and " +
                                     std::to_string(bytes_a_message) + " bytes; ask in several batches"};
    }

    static Keys one(std::string key) {
        auto keys = Keys();
        keys.push_back(std::move(key));
        return keys;
    }
    static std::span<const ConstBytes> one(const ConstBytes& value) noexcept { return {&value, 1}; }
    static std::span<const MutableBytes> one(const MutableBytes& into) noexcept { return {&into, 1}; }

    /// A public error from a bare outcome: with the sentence that came with it, or at least the key.
    static Error sentence(Errc outcome, const Error& failure, std::string_view key) {
        auto text = "object " + in_quotes(key);
        if (!failure.context().empty()) text += ": " + std::string(failure.context());
        else if (outcome == Errc::lost)
            text += ": its last replica went with a node that died or left, or was found to be wrong; put it again";
        return {outcome, std::move(text)};
    }

    /// Where the master is in this process, releasing is a call; otherwise it can wait for others to go along.
    asio::awaitable<void> give_back(LeaseHandle lease) {
        if (!lease) co_return;
        if constexpr (Master::in_process) {
            const auto message = Release{.leases = {lease.id}};
            (void)co_await master_.call(message, Deadline());
            co_return;
        }
        keeper_.release(lease.id);
    }

    Engine engine_;
    Master master_;
    LeaseKeeper<Master> keeper_;
    SegmentCache<Engine, Master> segments_;
    Gate gate_;
    Closing closing_;
};

} // namespace mooncake::store::detail
