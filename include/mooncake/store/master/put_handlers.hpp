#pragma once

#include <mooncake/store/master/no_space.hpp>
#include <mooncake/store/master/space.hpp>
#include <mooncake/store/messages/objects.hpp>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Answers those of `messages/objects.hpp` by which objects come and go. What each does stands at `Master`.
template <MasterTraitsLike Traits>
class PutHandlers {
  public:
    explicit PutHandlers(Space<Traits>& space) noexcept : space_(space) {}

    [[nodiscard]] Result<PutStartReply> handle(const PutStart& message) {
        auto reply = PutStartReply{.term = space_.term};
        reply.objects.resize(message.keys.size());
        auto writes = std::vector<Touch>();
        writes.reserve(message.keys.size());
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        const auto deadline = at + std::chrono::milliseconds{message.write_deadline_ms};
        space_.end_leases(at);
        space_.domain.drain(at);
        auto full = false;
        auto search = typename Space<Traits>::Search();
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            auto& answer = reply.objects[i];
            const auto key = HashedKey(message.keys[i]);
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
            describe_replicas(*object, KeyFor::writing, answer.replicas);
            writes.push_back({object->slot, object->version});
        }
        space_.log_writes(deadline, std::move(writes));
        if (full) reply.no_space = describe_no_space(space_.stats(), message);
        return reply;
    }

    [[nodiscard]] Result<PutEndReply> handle(const PutEnd& message) {
        auto reply = PutEndReply{};
        reply.outcomes.reserve(message.objects.size());
        auto covered = LeaseTable<>::Covered();
        auto waiters = Shard::Waiters();
        auto freed = std::vector<Touch>();
        auto written = HeldSpace();
        const auto at = space_.now();
        for (const auto& wanted : message.objects) {
            const auto key = HashedKey(wanted.key);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            auto* const object = shard.find(key);
            reply.outcomes.push_back(may_commit(object, wanted, at));
            if (reply.outcomes.back() != Errc::ok) continue;
            if (!object->committed()) {
                object->checksums = wanted.checksums;
                object->unsettled = wanted.writer == WriterState::unknown;
                object->state.store(ObjectState::committed, std::memory_order_seq_cst);
                if ((object->leases.load(std::memory_order_seq_cst) & Object::passed_over) != 0)
                    freed.push_back({.slot = object->slot, .version = object->version, .evictable = true});
                written += object->held_space();
                shard.take_waiters(object->key, waiters);
            }
            if (message.lease == LeaseWish::grant) covered.add(*object);
        }
        space_.writing.subtract(written);
        space_.domain.leave(freed);
        const auto lease = space_.leases.grant(std::move(covered), LeasePurpose::handover, at, space_.lease_policy);
        reply.lease = lease.id;
        reply.lease_ms = lease.ttl_ms;
        WaiterRegistry::arrived(waiters);
        return reply;
    }

    [[nodiscard]] Result<PutAbortReply> handle(const PutAbort& message) {
        auto reply = PutAbortReply{};
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            const auto key = HashedKey(message.keys[i]);
            auto* const object = take(
                key,
                [&](const Object& found) {
                    return !found.committed() && found.version == message.versions[i] ? Errc::ok : Errc::not_found;
                },
                reply.outcomes.emplace_back());
            if (object == nullptr) continue;
            if (message.writer == WriterState::settled) space_.bury(*object, at, at);
            else space_.bury_unfinished(*object, at);
        }
        return reply;
    }

    [[nodiscard]] Result<Nothing> handle(const ReportBad& message) {
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        for (const auto& bad : message.replicas) {
            auto ignored = Errc::ok;
            auto* const object = take(
                HashedKey(bad.key),
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
        return Nothing();
    }

    [[nodiscard]] Result<RemoveReply> handle(const Remove& message) {
        auto reply = RemoveReply{};
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        (void)space_.reclaim(at, space_.a_few);
        for (const auto& text : message.keys) {
            auto* const object = take(
                HashedKey(text),
                [&](const Object& found) {
                    const auto in_use = found.leased() || !found.committed();
                    return in_use && message.mode == RemoveMode::unless_in_use ? Errc::conflict : Errc::ok;
                },
                reply.outcomes.emplace_back());
            if (object != nullptr) space_.bury_unfinished(*object, at);
        }
        return reply;
    }

  private:
    [[nodiscard]] static Errc may_commit(const Object* object, const WrittenObject& wanted, TimePoint at) {
        if (object == nullptr || object->version != wanted.version || !object->usable()) return Errc::not_found;
        if (wanted.checksums.size() != chunks_of(object->size)) return Errc::invalid_argument;
        return object->committed() || at < object->write_deadline ? Errc::ok : Errc::lease_expired;
    }

    /// Whether `key` is taken: `exists`, which touches it, `being_written`, or `ok` if not. What only looks taken is buried.
    /// Requires: the domain is locked.
    [[nodiscard]] Errc held(const HashedKey& key, TimePoint at) {
        const auto* const found = space_.shards.of(key.hash).find(key);
        if (found == nullptr) return Errc::ok;
        if (found->committed() && found->usable()) {
            space_.domain.touch(*found, at);
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
    [[nodiscard]] Object* take(const HashedKey& key, const Decide& decide, Errc& outcome) {
        auto& shard = space_.shards.of(key.hash);
        const auto lock = std::lock_guard(shard.mutex);
        auto* const object = shard.find(key);
        outcome = object == nullptr ? Errc::not_found : decide(*object);
        if (outcome != Errc::ok) return nullptr;
        shard.erase(*object);
        return object;
    }

    Space<Traits>& space_;
};

} // namespace mooncake::store::detail
