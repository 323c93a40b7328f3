#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/limits.hpp>
#include <mooncake/store/master/handlers.hpp>
#include <mooncake/store/master/listing.hpp>
#include <mooncake/store/master/no_space.hpp>
#include <mooncake/store/master/space.hpp>
#include <mooncake/store/master/traits.hpp>
#include <mooncake/store/master/waiter.hpp>
#include <mooncake/store/messages.hpp>

#include <algorithm>
#include <chrono>
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
/// A handler for each message, plain and synchronous: over one batch, in the order of its keys. Each may be called from
/// any thread. A `Result` that is an error means that the message was wrong and nothing was done; what happened to a
/// key is in the reply.
///
/// Look-ups lock one of 1024 shards a key. What comes and goes (`put_start`, evictions, `remove`, segments) is also
/// serialised by the eviction domain, whose order is exact: the touches of a `get` that returned are before every later
/// decision. Nobody holds the domain for longer than one batch, or one shard's objects.
template <MasterTraitsLike Traits>
class Master final : public store::detail::Handlers {
  public:
    /// Throws when `config` is not valid.
    explicit Master(const MasterConfig& config = {}, MasterParts<Traits> parts = {})
        : config_(checked(config)), space_(config, std::move(parts)) {}

    // Segments

    /// The space of a node joins. The same name and generation again is a heartbeat.
    /// Errors: `conflict` (the name belongs to another that is alive; says both), `invalid_argument`, `too_large`,
    /// `out_of_range`.
    [[nodiscard]] Result<store::SegmentMountReply> mount(const store::SegmentMount& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        (void)expire(); // a predecessor that died lets the name go, and its objects
        const auto lock = std::lock_guard(domain().mutex);
        auto mounted = space_.segments.mount(message, now());
        if (!mounted) return mounted.error();
        return store::SegmentMountReply{
            .segment = *mounted, .ttl_ms = milliseconds(config_.segment_ttl), .term = term_};
    }

    /// Errors: `not_found` (mount again), `stale_generation`.
    [[nodiscard]] Result<store::HeartbeatReply> heartbeat(const store::Heartbeat& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        const auto lock = std::lock_guard(domain().mutex);
        if (auto beat = space_.segments.heartbeat(message.segment, message.generation, now()); !beat)
            return beat.error();
        return store::HeartbeatReply{.ttl_ms = milliseconds(config_.segment_ttl),
                                     .fence = space_.fence(message.segment, message.fenced)};
    }

    /// The space leaves, with every replica in it. Errors: `not_found`, `stale_generation`.
    [[nodiscard]] Result<void> unmount(const store::Unmount& message) override {
        {
            const auto lock = std::lock_guard(domain().mutex);
            if (auto gone = space_.segments.unmount(message.segment, message.generation); !gone) return gone;
        }
        space_.sweep_dead();
        return ok;
    }

    /// The segments that joined or went since this was asked last, in order: for a log.
    [[nodiscard]] std::vector<store::SegmentChange> take_changes() {
        const auto lock = std::lock_guard(domain().mutex);
        return space_.segments.take_changes();
    }

    [[nodiscard]] store::SegmentsReply segments(const store::Segments& message) override {
        const auto lock = std::lock_guard(domain().mutex);
        return {.segments = space_.segments.describe(message.segments), .term = term_};
    }

    // Objects

    /// Space to write to, evicting one object after the other until there is enough. A key that is visible is touched
    /// and `exists`; one that a living writer is writing is `being_written`.
    [[nodiscard]] Result<store::PutStartReply> put_start(const store::PutStart& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        auto reply = store::PutStartReply{.term = term_};
        reply.objects.resize(message.keys.size());
        auto writes = std::vector<Touch>();
        writes.reserve(message.keys.size());
        const auto lock = std::lock_guard(domain().mutex);
        const auto at = now();
        const auto deadline = at + std::chrono::milliseconds{message.write_deadline_ms};
        space_.end_leases(at);
        domain().drain(at);
        auto full = false;
        auto search = typename store::detail::Space<Traits>::Search();
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            auto& answer = reply.objects[i];
            const auto key = Key(message.keys[i]);
            answer.outcome = held(key, at);
            if (answer.outcome != Errc::ok) continue;
            Object* object = nullptr;
            const auto parent = message.parents.empty() ? 0 : message.parents[i];
            answer.outcome =
                space_.create({.text = message.keys[i], .key = key, .size = message.sizes[i], .parent = parent},
                              message, at, deadline, search, object);
            full |= answer.outcome == Errc::no_space;
            if (object == nullptr) continue;
            answer.version = object->version;
            describe_replicas(*object, store::detail::KeyFor::writing, answer.replicas);
            writes.push_back({object->slot, object->version});
        }
        space_.log_writes(deadline, std::move(writes));
        if (full) reply.no_space = store::detail::describe_no_space(space_.stats(), message);
        return reply;
    }

    /// What was written becomes visible, and those who wait for it are told. The same again is `ok` again.
    [[nodiscard]] Result<store::PutEndReply> put_end(const store::PutEnd& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        if (auto mine = of_this_term(message.term); !mine) return mine.error();
        auto reply = store::PutEndReply{};
        reply.outcomes.reserve(message.objects.size());
        auto covered = Covered();
        auto waiters = store::detail::Shard::Waiters();
        auto freed = std::vector<Touch>();
        auto written = store::detail::HeldSpace();
        const auto at = now();
        for (const auto& wanted : message.objects) {
            const auto key = Key(wanted.key);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            auto* const object = shard.find(key);
            reply.outcomes.push_back(may_commit(object, wanted, at));
            if (reply.outcomes.back() != Errc::ok) continue;
            if (!object->committed()) {
                object->checksums = wanted.checksums;
                object->unsettled = wanted.writer == store::WriterState::unknown;
                object->state.store(store::detail::ObjectState::committed, std::memory_order_seq_cst);
                if ((object->leases.load(std::memory_order_seq_cst) & Object::passed_over) != 0)
                    freed.push_back({.slot = object->slot, .version = object->version, .evictable = true});
                written += object->held_space();
                shard.take_waiters(object->key, waiters);
            }
            if (message.lease == store::LeaseWish::grant) covered.add(*object);
        }
        space_.writing.subtract(written);
        domain().leave(freed);
        reply.lease = grant(covered, LeasePurpose::handover, at, reply.lease_ms);
        store::detail::WaiterRegistry::arrived(waiters);
        return reply;
    }

    [[nodiscard]] Result<store::PutAbortReply> put_abort(const store::PutAbort& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        if (auto mine = of_this_term(message.term); !mine) return mine.error();
        auto reply = store::PutAbortReply{};
        const auto lock = std::lock_guard(domain().mutex);
        const auto at = now();
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            const auto key = Key(message.keys[i]);
            auto* const object = take(
                key,
                [&](const Object& found) {
                    return !found.committed() && found.version == message.versions[i] ? Errc::ok : Errc::not_found;
                },
                reply.outcomes.emplace_back());
            if (object == nullptr) continue;
            if (message.writer == store::WriterState::settled) space_.bury(*object, at, at);
            else space_.bury_unfinished(*object, at);
        }
        return reply;
    }

    /// Where the objects are. All that are found are touched, in order, and leased together.
    [[nodiscard]] Result<store::GetReply> get(const store::Get& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        auto reply = store::GetReply{.term = term_};
        reply.objects.reserve(message.keys.size());
        auto covered = Covered();
        covered.objects.reserve(message.keys.size());
        auto touches = std::vector<Touch>();
        touches.reserve(message.keys.size());
        for (const auto& text : message.keys) {
            auto& answer = reply.objects.emplace_back();
            const auto key = Key(text);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            auto* const object = shard.find_visible(key);
            if (object != nullptr) describe_replicas(*object, store::detail::KeyFor::reading, answer.replicas);
            if (answer.replicas.empty()) { // no such object, or its last replica died just now
                answer.outcome = shard.why_not(key);
                if (message.mode == store::LookUp::each) continue;
                reply.objects.pop_back();
                break;
            }
            answer.outcome = Errc::ok;
            answer.size = object->size;
            answer.version = object->version;
            answer.checksums = object->checksums;
            covered.add(*object);
            touches.push_back({object->slot, object->version});
        }
        const auto at = now();
        space_.end_leases(at); // nothing to do, mostly; where nobody calls `expire`, nobody else would
        reply.lease = grant(covered, LeasePurpose::read, at, reply.ttl_ms);
        domain().post(touches, at);
        return reply;
    }

    [[nodiscard]] Result<store::QueryReply> query(const store::Query& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        auto reply = store::QueryReply{};
        for (const auto& text : message.keys) {
            const auto key = Key(text);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            const auto found = shard.find_visible(key) != nullptr;
            if (!found && message.mode == store::LookUp::prefix) break;
            reply.outcomes.push_back(found ? Errc::ok : Errc::not_found);
        }
        return reply;
    }

    /// Errors (bare): `lease_expired`, if one of them was over already; the others end all the same.
    [[nodiscard]] Result<void> release(const store::Release& message) override {
        auto all = true;
        auto freed = std::vector<Touch>();
        for (const auto lease : message.leases) all &= space_.leases.release(lease, freed);
        domain().leave(freed);
        if (!all) return Errc::lease_expired;
        return ok;
    }

    /// Errors (bare): `lease_expired`.
    [[nodiscard]] Result<store::RenewReply> renew(const store::Renew& message) override {
        const auto left = space_.leases.renew(message.lease, now(), space_.lease_policy);
        if (!left) return Errc::lease_expired;
        return store::RenewReply{.ttl_ms = milliseconds(*left)};
    }

    /// A lease that is over has 0; the others hold on.
    [[nodiscard]] Result<store::RenewManyReply> renew(const store::RenewMany& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        auto reply = store::RenewManyReply{};
        reply.ttls_ms.reserve(message.leases.size());
        const auto at = now();
        for (const auto lease : message.leases) {
            const auto left = space_.leases.renew(lease, at, space_.lease_policy);
            reply.ttls_ms.push_back(left ? milliseconds(*left) : 0);
        }
        return reply;
    }

    /// These replicas are offered no more. An object that loses its last one is gone: a put writes it anew.
    [[nodiscard]] Result<void> report_bad(const store::ReportBad& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        if (auto mine = of_this_term(message.term); !mine) return mine.error();
        const auto lock = std::lock_guard(domain().mutex);
        const auto at = now();
        for (const auto& bad : message.replicas) {
            auto ignored = Errc::ok;
            auto* const object = take(
                Key(bad.key),
                [&](Object& found) {
                    if (found.version != bad.version || !found.committed()) return Errc::not_found;
                    for (auto& extent : found.extents)
                        extent.bad |= extent.segment->info.segment == bad.segment && extent.epoch == bad.epoch;
                    return found.usable() ? Errc::exists : Errc::ok;
                },
                ignored);
            if (object == nullptr) continue;
            {
                auto& shard = space_.shards.of(object->hash);
                const auto shard_lock = std::lock_guard(shard.mutex);
                shard.remember_lost(*object);
            }
            space_.bury(*object, at, at);
        }
        return ok;
    }

    [[nodiscard]] store::DescribeReply describe() const override {
        return {.wire_version = wire_version,
                .eviction = std::string(space_.domain.name()),
                .max_keys = config_.limits.max_keys,
                .max_write_deadline_ms = config_.limits.max_write_deadline_ms};
    }

    [[nodiscard]] Result<store::RemoveReply> remove(const store::Remove& message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        auto reply = store::RemoveReply{};
        const auto lock = std::lock_guard(domain().mutex);
        const auto at = now();
        (void)space_.reclaim(at, space_.a_few);
        for (const auto& text : message.keys) {
            auto* const object = take(
                Key(text),
                [&](const Object& found) {
                    const auto in_use = found.leased() || !found.committed();
                    return in_use && message.mode == store::RemoveMode::unless_in_use ? Errc::conflict : Errc::ok;
                },
                reply.outcomes.emplace_back());
            if (object != nullptr) space_.bury_unfinished(*object, at);
        }
        return reply;
    }

    /// Looks at every object: `begin_list`, and as many steps as it takes.
    [[nodiscard]] Result<store::ListReply> list(const store::List& message) {
        auto listing = begin_list(message);
        if (!listing) return listing.error();
        while (go_on(*listing)) continue;
        return listing->take();
    }
    [[nodiscard]] Result<store::detail::Listing> begin_list(store::List message) override {
        if (auto valid = store::validate(message, config_.limits); !valid) return valid.error();
        return store::detail::Listing(std::move(message));
    }
    /// A step; false: there was none left, and the answer can be taken.
    bool go_on(store::detail::Listing& listing) override { return listing.step(space_.shards); }

    /// `visit(key, descriptor)` for every visible object, without touching or leasing any: for audits, and for people who
    /// look into a master. One shard at a time is locked meanwhile.
    template <class Visit>
    void audit(const Visit& visit) {
        for (auto& shard : space_.shards) {
            const auto lock = std::lock_guard(shard.mutex);
            shard.for_each([&](const Object& object) {
                if (!object.committed() || !object.usable()) return;
                auto descriptor = store::ObjectDescriptor{
                    .outcome = Errc::ok, .size = object.size, .version = object.version, .checksums = object.checksums};
                describe_replicas(object, store::detail::KeyFor::reading, descriptor.replicas);
                visit(object.key, descriptor);
            });
        }
    }

    [[nodiscard]] store::StatsReply stats(const store::Stats& = {}) override {
        const auto lock = std::lock_guard(domain().mutex);
        return space_.stats();
    }

    // Waiting

    /// `waiter->ready()` is called once when every key was visible at some time since; within this call if all are.
    /// Requires: `waiter` has not waited before. Errors: `invalid_argument`, `too_large`.
    [[nodiscard]] Result<void> wait_for(const std::vector<std::string>& keys,
                                        const std::shared_ptr<Waiter>& waiter) override {
        if (auto valid = store::detail::validate_keys("wait_for", keys, config_.limits); !valid) return valid;
        store::detail::WaiterRegistry::wait(space_.shards, keys, waiter);
        return ok;
    }

    /// How many keys somebody waits for. Complexity: O(shards).
    [[nodiscard]] std::size_t keys_waited_for() {
        auto keys = std::size_t{0};
        for (auto& shard : space_.shards) {
            const auto lock = std::lock_guard(shard.mutex);
            keys += shard.keys_waited_for();
        }
        return keys;
    }

    /// Whether it was in time: then `ready` is never called. Otherwise it was called, or is being called.
    bool cancel_wait(Waiter& waiter) override { return store::detail::WaiterRegistry::cancel(space_.shards, waiter); }

    // Time

    struct Expired {
        std::size_t leases = 0;   ///< ended
        std::size_t writes = 0;   ///< aborted, their space quarantined
        std::size_t extents = 0;  ///< objects whose quarantine ended
        std::size_t segments = 0; ///< dropped for want of a heartbeat
        std::size_t objects = 0;  ///< that lost their last replica
    };
    /// What time does. To be called every now and then, such as four times in the shortest time to live; space is taken
    /// back on demand too, but segments die only here and when another mounts.
    Expired expire() {
        auto expired = Expired{};
        {
            const auto lock = std::lock_guard(domain().mutex);
            const auto at = now();
            const auto reclaimed = space_.reclaim(at);
            expired = {.leases = reclaimed.leases, .writes = reclaimed.writes, .extents = reclaimed.extents};
            expired.segments = space_.segments.expire(at, config_.segment_ttl);
        }
        if (expired.segments != 0) expired.objects = space_.sweep_dead();
        return expired;
    }

    /// Bytes that wait until the owners of their memory have fenced them. Thread: any.
    [[nodiscard]] std::uint64_t fenced_bytes() const noexcept override {
        return space_.fenced_bytes.load(std::memory_order_relaxed);
    }

    /// The sentence that goes with `no_space`.
    [[nodiscard]] std::string describe_no_space() { return store::detail::describe_no_space(stats()); }

  private:
    using Object = store::detail::Object;
    using Key = store::detail::HashedKey;
    using Touch = store::detail::Touch;
    using Covered = store::detail::LeaseTable<>::Covered;

    static const MasterConfig& checked(const MasterConfig& config) {
        if (auto valid = validate(config); !valid) throw_error(valid.error());
        return config;
    }
    static std::uint64_t milliseconds(Duration duration) noexcept {
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    }
    [[nodiscard]] TimePoint now() const noexcept { return space_.clock.now(); }
    [[nodiscard]] Result<void> of_this_term(std::uint64_t term) const {
        if (term == 0 || term == term_) return ok;
        return Error(Errc::stale_term, "the master was restarted since the write began; put the objects again");
    }
    [[nodiscard]] auto& domain() noexcept { return space_.domain; }

    [[nodiscard]] static Errc may_commit(const Object* object, const store::WrittenObject& wanted, TimePoint at) {
        if (object == nullptr || object->version != wanted.version || !object->usable()) return Errc::not_found;
        if (wanted.checksums.size() != chunks_of(object->size)) return Errc::invalid_argument;
        return object->committed() || at < object->write_deadline ? Errc::ok : Errc::lease_expired;
    }

    /// Whether `key` is taken: `exists`, which touches it, `being_written`, or `ok` if not. What only looks taken is buried.
    /// Requires: the domain is locked.
    [[nodiscard]] Errc held(const Key& key, TimePoint at) {
        const auto* const found = space_.shards.of(key.hash).find(key);
        if (found == nullptr) return Errc::ok;
        if (found->committed() && found->usable()) {
            domain().touch(*found, at);
            return Errc::exists;
        }
        const auto has_owner = [at](const Object& object) {
            return object.usable() && (object.committed() || object.write_deadline > at);
        };
        auto taken = Errc::ok;
        auto* const leftover =
            take(key, [&](const Object& object) { return has_owner(object) ? Errc::exists : Errc::ok; }, taken);
        if (leftover != nullptr) space_.bury_unfinished(*leftover, at);
        if (taken != Errc::exists) return Errc::ok;
        return found->committed() ? Errc::exists : Errc::being_written;
    }

    /// Erases the object of `key` from its shard if `decide` says `ok`, and gives it; the outcome is in `outcome`.
    /// Requires: the domain is locked.
    template <class Decide>
    [[nodiscard]] Object* take(const Key& key, const Decide& decide, Errc& outcome) {
        auto& shard = space_.shards.of(key.hash);
        const auto lock = std::lock_guard(shard.mutex);
        auto* const object = shard.find(key);
        outcome = object == nullptr ? Errc::not_found : decide(*object);
        if (outcome != Errc::ok) return nullptr;
        shard.erase(*object);
        return object;
    }

    [[nodiscard]] std::uint64_t grant(Covered& covered, LeasePurpose purpose, TimePoint at, std::uint64_t& ttl_ms) {
        if (covered.objects.empty()) return 0;
        const auto duration = space_.lease_policy.duration(
            {.purpose = purpose, .objects = covered.objects.size(), .bytes = covered.bytes});
        const auto end = store::detail::LeaseTable<>::end_of(at, duration);
        ttl_ms = milliseconds(end - at);
        return space_.leases.grant(std::move(covered), end);
    }

    const MasterConfig config_;
    const std::uint64_t term_ = random_secret();
    store::detail::Space<Traits> space_;
};

} // namespace mooncake
