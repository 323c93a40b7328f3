#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/limits.hpp>
#include <mooncake/store/master/get_handlers.hpp>
#include <mooncake/store/master/handlers.hpp>
#include <mooncake/store/master/lease_handlers.hpp>
#include <mooncake/store/master/listing.hpp>
#include <mooncake/store/master/no_space.hpp>
#include <mooncake/store/master/pin_handlers.hpp>
#include <mooncake/store/master/put_handlers.hpp>
#include <mooncake/store/master/replica_handlers.hpp>
#include <mooncake/store/master/segment_handlers.hpp>
#include <mooncake/store/master/space.hpp>
#include <mooncake/store/master/sweep.hpp>
#include <mooncake/store/master/tenant_handlers.hpp>
#include <mooncake/store/master/traits.hpp>
#include <mooncake/store/master/waiter.hpp>
#include <mooncake/store/messages.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// Knows where every object is, lends space, grants leases, and evicts. Moves no bytes.
///
/// `handle` answers a message, at once: over one batch, in the order of its keys. It may be called from any thread. A
/// `Result` that is an error means that the message was wrong and nothing was done; what happened to a key is in the reply.
/// A message that is not valid is `invalid_argument`, `too_large` or `out_of_range`; one that names another term of the
/// master is `stale_term`.
///
/// Look-ups lock one of 1024 shards a key. What comes and goes (`PutStart`, evictions, `Remove`, segments) is also
/// serialised by the eviction domain, whose order is exact: the touches of a `Get` that returned are before every later
/// decision. Nobody holds the domain for longer than one batch, or one shard's objects.
template <MasterTraitsLike Traits>
class Master final : public store::detail::Handlers {
  public:
    /// Throws when `config` is not valid.
    explicit Master(const MasterConfig& config = {}, MasterParts<Traits> parts = {})
        : space_(checked(config), std::move(parts)) {}

    // Segments

    /// The space of a node joins. The same name and generation again is a heartbeat.
    /// Errors: `conflict` (the name belongs to another that is alive; says both).
    [[nodiscard]] Result<store::SegmentMountReply> handle(const store::SegmentMount& message) override {
        return checked(segments_, message);
    }
    /// Errors: `not_found` (mount again), `stale_generation`.
    [[nodiscard]] Result<store::HeartbeatReply> handle(const store::Heartbeat& message) override {
        return checked(segments_, message);
    }
    /// The space leaves, with every replica in it. Errors: `not_found`, `stale_generation`.
    [[nodiscard]] Result<store::Nothing> handle(const store::Unmount& message) override {
        return checked(segments_, message);
    }
    [[nodiscard]] Result<store::SegmentsReply> handle(const store::Segments& message) override {
        return checked(segments_, message);
    }
    /// The segments that joined or went since this was asked last, in order: for a log.
    [[nodiscard]] std::vector<store::SegmentChange> take_changes() {
        const auto lock = std::lock_guard(space_.domain.mutex);
        return space_.segments.take_changes();
    }

    // Objects that come and go

    /// Space to write to, evicting one object after the other until there is enough. A key that is visible is touched
    /// and `exists`; one that a living writer is writing is `being_written`.
    [[nodiscard]] Result<store::PutStartReply> handle(const store::PutStart& message) override {
        return checked(puts_, message);
    }
    /// What was written becomes visible, and those who wait for it are told. The same again is `ok` again.
    [[nodiscard]] Result<store::PutEndReply> handle(const store::PutEnd& message) override {
        return checked(puts_, message);
    }
    [[nodiscard]] Result<store::PutAbortReply> handle(const store::PutAbort& message) override {
        return checked(puts_, message);
    }
    [[nodiscard]] Result<store::RemoveReply> handle(const store::Remove& message) override {
        return checked(puts_, message);
    }
    /// They are pinned, or no more. Time ends a soft pin: it delays evictions, and permits nothing that a lease forbids.
    [[nodiscard]] Result<store::PinReply> handle(const store::PinObjects& message) override {
        return checked(pins_, message);
    }
    /// These replicas are offered no more. An object that loses its last one is gone: a put writes it anew.
    [[nodiscard]] Result<store::Nothing> handle(const store::ReportBad& message) override {
        return checked(puts_, message);
    }

    /// All that match, in steps.
    [[nodiscard]] Result<store::detail::Sweep> begin(store::RemoveMatching message) override {
        if (auto valid = store::validate(message, space_.config.limits); !valid) return valid.error();
        return store::detail::Sweep(std::move(message));
    }
    /// A step; false: there was none left, and the answer can be taken.
    bool go_on(store::detail::Sweep& sweep) override {
        if (sweep.is_over()) return false;
        const auto found = sweep.step(space_.shards);
        if (const auto done = puts_.handle(found); done) sweep.count(*done);
        space_.journal.settle();
        return true;
    }

    // Replicas that come and go

    /// Space for further replicas, evicting as `PutStart` does, and a lease on what is to be copied, which is not touched.
    /// Replicas that leave, and for which there are enough others, go at once.
    [[nodiscard]] Result<store::CopyStartReply> handle(const store::CopyStart& message) override {
        return checked(replicas_, message);
    }
    /// What was written are replicas. Those that leave are offered no more, and go with the last lease of the object.
    [[nodiscard]] Result<store::CopyEndReply> handle(const store::CopyEnd& message) override {
        return checked(replicas_, message);
    }
    /// Complexity: O(objects) for all of it, and little for one message; O(1) where no object can have too few.
    [[nodiscard]] Result<store::SurveyReply> handle(const store::Survey& message) override {
        return checked(replicas_, message);
    }
    /// Errors: `not_found`, `stale_generation`.
    [[nodiscard]] Result<store::DrainReply> handle(const store::Drain& message) override {
        return checked(replicas_, message);
    }

    // Tenants

    /// Errors: `quota` (there are too many tenants).
    [[nodiscard]] Result<store::Nothing> handle(const store::SetQuota& message) override {
        return checked(tenants_, message);
    }
    [[nodiscard]] Result<store::TenantsReply> handle(const store::Tenants& message) override {
        return checked(tenants_, message);
    }
    /// What the tenants have, counted object by object, to compare `Tenants` with. Complexity: O(objects), with all waiting.
    [[nodiscard]] store::TenantsReply audit_tenants() {
        const auto lock = std::lock_guard(space_.domain.mutex);
        return space_.count_tenants();
    }

    // Objects that are found

    /// Where the objects are. All that are found are touched, in order, and leased together.
    [[nodiscard]] Result<store::GetReply> handle(const store::Get& message) override { return checked(gets_, message); }
    [[nodiscard]] Result<store::QueryReply> handle(const store::Query& message) override {
        return checked(gets_, message);
    }

    /// Looks at every object: `begin`, and as many steps as it takes.
    [[nodiscard]] Result<store::ListReply> list(const store::List& message) {
        auto listing = begin(message);
        if (!listing) return listing.error();
        while (go_on(*listing)) continue;
        return listing->take();
    }
    [[nodiscard]] Result<store::detail::Listing> begin(store::List message) override {
        if (auto valid = store::validate(message, space_.config.limits); !valid) return valid.error();
        return store::detail::Listing(std::move(message));
    }
    /// A step; false: there was none left, and the answer can be taken.
    bool go_on(store::detail::Listing& listing) override { return listing.step(space_.shards); }

    /// `waiter->ready()` is called once when every key was visible at some time since; within this call if all are.
    /// Requires: `waiter` has not waited before. Errors: `invalid_argument`, `too_large`.
    [[nodiscard]] Result<void> wait_for(const std::vector<std::string>& keys,
                                        const std::shared_ptr<Waiter>& waiter) override {
        if (auto valid = store::detail::validate_keys("wait_for", keys, space_.config.limits); !valid) return valid;
        store::detail::WaiterRegistry::wait(space_.shards, keys, waiter);
        return ok;
    }
    /// Whether it was in time: then `ready` is never called. Otherwise it was called, or is being called.
    bool cancel_wait(Waiter& waiter) override { return store::detail::WaiterRegistry::cancel(space_.shards, waiter); }
    /// How many keys somebody waits for. Complexity: O(shards).
    [[nodiscard]] std::size_t keys_waited_for() {
        auto keys = std::size_t{0};
        for (auto& shard : space_.shards) {
            const auto lock = std::lock_guard(shard.mutex);
            keys += shard.keys_waited_for();
        }
        return keys;
    }

    /// `visit(key, descriptor)` for every visible object, without touching or leasing any: for audits, and for people who
    /// look into a master. One shard at a time is locked meanwhile.
    template <class Visit>
    void audit(const Visit& visit) {
        for (auto& shard : space_.shards) {
            const auto lock = std::lock_guard(shard.mutex);
            shard.for_each([&](const store::detail::Object& object) {
                if (object.visible()) visit(object.key(), store::detail::describe(object));
            });
        }
    }

    // Events

    /// The events that there are, without waiting. Errors: `not_supported` (its journal keeps none).
    [[nodiscard]] Result<store::EventsReply> read(const store::Events& message) override {
        if (auto valid = store::validate(message, space_.config.limits); !valid) return valid.error();
        if constexpr (!Traits::Journal::keeps)
            return Error(Errc::not_supported,
                         "this master keeps no events: give it a Journal that does, such as EventRing");
        const auto other = message.term != space_.term;
        auto reply = space_.journal.read(other ? 0 : message.after, message.limit);
        if (other && message.term != 0) reply.gap = store::EventGap::some;
        reply.term = space_.term;
        return reply;
    }
    /// `waiter->ready()` is called once when there is an event after that number; false: there is one now, and it is not.
    [[nodiscard]] bool wait_for_event(std::uint64_t after, const std::shared_ptr<Waiter>& waiter) override {
        return space_.journal.wait(after, waiter);
    }
    /// `ready` is not called any more, or is being called.
    void forget(const Waiter& waiter) override { space_.journal.forget(waiter); }

    // Leases

    /// Errors (bare): `lease_expired`, if one of them was over already; the others end all the same.
    [[nodiscard]] Result<store::Nothing> handle(const store::Release& message) override {
        return checked(leases_, message);
    }
    /// Errors (bare): `lease_expired`.
    [[nodiscard]] Result<store::RenewReply> handle(const store::Renew& message) override {
        return checked(leases_, message);
    }
    /// A lease that is over has 0; the others hold on.
    [[nodiscard]] Result<store::RenewManyReply> handle(const store::RenewMany& message) override {
        return checked(leases_, message);
    }

    // The master itself

    [[nodiscard]] Result<store::StatsReply> handle(const store::Stats&) override { return stats(); }
    [[nodiscard]] Result<store::DescribeReply> handle(const store::Describe&) override {
        return store::DescribeReply{.wire_version = wire_version,
                                    .eviction = std::string(space_.domain.name()),
                                    .max_keys = space_.config.limits.max_keys,
                                    .max_write_deadline_ms = space_.config.limits.max_write_deadline_ms,
                                    .newest_mode = static_cast<std::uint32_t>(store::WriteMode::compare)};
    }
    [[nodiscard]] store::StatsReply stats() {
        const auto lock = std::lock_guard(space_.domain.mutex);
        return space_.stats();
    }
    /// Bytes that wait until the owners of their memory have fenced them. Thread: any.
    [[nodiscard]] std::uint64_t fenced_bytes() const noexcept override {
        return space_.fenced_bytes.load(std::memory_order_relaxed);
    }
    /// The sentence that goes with `no_space`.
    [[nodiscard]] std::string describe_no_space() { return store::detail::describe_no_space(stats()); }

    using Expired = store::detail::Expired;
    /// What time does. To be called every now and then, such as four times in the shortest time to live; space is taken
    /// back on demand too, but segments die only here and when another mounts.
    Expired expire() {
        const auto expired = space_.expire();
        space_.journal.settle();
        return expired;
    }

  private:
    static const MasterConfig& checked(const MasterConfig& config) {
        if (auto valid = validate(config); !valid) throw_error(valid.error());
        return config;
    }
    template <class Part, class Message>
    [[nodiscard]] Result<typename Message::Reply> checked(Part& part, const Message& message) {
        if (auto valid = store::validate(message, space_.config.limits); !valid) return valid.error();
        if constexpr (requires { message.term; })
            if (message.term != 0 && message.term != space_.term)
                return Error(Errc::stale_term, "the master was restarted since the write began; put the objects again");
        auto reply = part.handle(message);
        space_.journal.settle();
        return reply;
    }

    store::detail::Space<Traits> space_;
    store::detail::SegmentHandlers<Traits> segments_{space_};
    store::detail::PutHandlers<Traits> puts_{space_};
    store::detail::ReplicaHandlers<> replicas_{space_, space_.replication};
    store::detail::TenantHandlers<> tenants_{space_};
    store::detail::PinHandlers<> pins_{space_};
    store::detail::GetHandlers<Traits> gets_{space_};
    store::detail::LeaseHandlers<Traits> leases_{space_};
};

} // namespace mooncake
