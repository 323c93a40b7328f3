#pragma once

#include <mooncake/store/master/keys_ahead.hpp>
#include <mooncake/store/master/no_space.hpp>
#include <mooncake/store/master/space.hpp>
#include <mooncake/store/master/tenant_numbers.hpp>
#include <mooncake/store/messages/objects.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>
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
        space_.endings.end_lives_and_pins(at);
        space_.domain.drain(at);
        auto full = false;
        auto search = SpaceSearch();
        auto owner = Owner(space_);
        auto keys = keys_ahead(space_.shards, message.keys);
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            auto& answer = reply.objects[i];
            const auto key = keys.take(i);
            const auto expected = message.expected.empty() ? 0 : message.expected[i];
            answer.outcome = may_write(key, message.mode, expected, at, answer.version);
            if (answer.outcome != Errc::ok) continue;
            Object* object = nullptr;
            const auto parent = message.parents.empty() ? 0 : message.parents[i];
            const auto tenant = owner.of(message.keys[i]);
            if (!tenant) {
                answer.outcome = Errc::quota;
                reply.quota = describe_too_many_tenants(space_.tenants.most());
                continue;
            }
            const auto kept = Kept(space_, key, expected, search);
            answer.outcome = space_.create({.text = message.keys[i],
                                            .key = key,
                                            .size = message.sizes[i],
                                            .parent = parent,
                                            .expected = expected,
                                            .tenant = *tenant},
                                           message, at, deadline, search, object);
            full |= answer.outcome == Errc::no_space;
            if (answer.outcome == Errc::quota)
                reply.quota = describe_quota(space_.tenants[*tenant], message, extent_bytes(message.sizes[i]));
            if (object == nullptr) continue;
            answer.version = object->version;
            describe_replicas(*object, KeyFor::writing, answer.replicas);
            writes.push_back(touch_of(*object));
        }
        if (message.ttl_ms != 0) space_.endings.log_lives(at + std::chrono::milliseconds{message.ttl_ms}, writes);
        space_.endings.log_writes(deadline, std::move(writes));
        if (full) reply.no_space = describe_no_space(space_.stats(), message);
        return reply;
    }

    [[nodiscard]] Result<PutEndReply> handle(const PutEnd& message) {
        auto reply = PutEndReply{};
        reply.outcomes.reserve(message.objects.size());
        auto commits = Commits{.lease = message.lease, .at = space_.now()};
        auto replacing = std::vector<std::size_t>();
        auto keys = KeysAhead(space_.shards, message.objects.size(),
                              [&](std::size_t i) { return std::string_view(message.objects[i].key); });
        for (std::size_t i = 0; i < message.objects.size(); ++i) {
            const auto& wanted = message.objects[i];
            const auto key = keys.take(i);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            auto* const object = shard.find(key, wanted.version);
            reply.outcomes.push_back(may_commit(object, wanted, commits.at));
            if (reply.outcomes.back() != Errc::ok) continue;
            if (object->committed() || (object == shard.find(key) && !object->compares))
                commit(*object, wanted, shard, commits);
            else replacing.push_back(i);
        }
        if (!replacing.empty()) replace(message, replacing, commits, reply.outcomes);
        space_.writing.subtract(commits.written);
        space_.domain.leave(commits.freed);
        const auto lease =
            space_.leases.grant(std::move(commits.covered), LeasePurpose::handover, commits.at, space_.lease_policy);
        reply.lease = lease.id;
        reply.lease_ms = lease.ttl_ms;
        WaiterRegistry::arrived(commits.waiters);
        return reply;
    }

    [[nodiscard]] Result<PutAbortReply> handle(const PutAbort& message) {
        auto reply = PutAbortReply{};
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            const auto key = HashedKey(message.keys[i]);
            auto& shard = space_.shards.of(key.hash);
            auto* const object = shard.find(key, message.versions[i]);
            const auto aborted = object != nullptr && space_.erase_if(*object, &is_being_written);
            reply.outcomes.push_back(aborted ? Errc::ok : Errc::not_found);
            if (!aborted) continue;
            if (message.writer == WriterState::settled) space_.bury(*object, at, at);
            else space_.bury_unfinished(*object, at);
        }
        return reply;
    }

    [[nodiscard]] Result<Nothing> handle(const ReportBad& message) {
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        for (const auto& bad : message.replicas) {
            const auto key = HashedKey(bad.key);
            auto& shard = space_.shards.of(key.hash);
            auto* const object = shard.find(key, bad.version);
            const auto loses_its_last = [&](Object& found) {
                if (!found.committed()) return false;
                for (auto& extent : found.extents)
                    extent.bad |= extent.segment->info.segment == bad.segment && extent.epoch == bad.epoch;
                if (found.usable()) {
                    space_.replication.await_readers(found);
                    space_.replication.hurt.note();
                    return false;
                }
                shard.remember_lost(found);
                space_.tell(EventKind::lost, found);
                return true;
            };
            if (object != nullptr && space_.erase_if(*object, loses_its_last)) space_.bury(*object, at, at);
        }
        return Nothing();
    }

    [[nodiscard]] Result<RemoveReply> handle(const Remove& message) {
        auto reply = RemoveReply{};
        const auto lock = std::lock_guard(space_.domain.mutex);
        const auto at = space_.now();
        (void)space_.reclaim(at, space_.a_few);
        const auto may_go = [&](const Object& object) {
            const auto in_use = object.leased() || !object.committed() || object.successor != nullptr;
            return !in_use || message.mode == RemoveMode::force;
        };
        for (const auto& text : message.keys) {
            const auto key = HashedKey(text);
            auto& outcome = reply.outcomes.emplace_back(Errc::not_found);
            while (auto* const object = space_.shards.of(key.hash).find(key)) { // and its successor
                outcome = space_.erase_if(*object, may_go) ? Errc::ok : Errc::conflict;
                if (outcome != Errc::ok) break;
                if (object->committed()) space_.tell(EventKind::removed, *object);
                space_.bury_unfinished(*object, at);
            }
        }
        return reply;
    }

  private:
    /// What the end of writes brings about beside outcomes: collected under the shards' locks.
    struct Commits {
        const LeaseWish lease;
        const TimePoint at;
        LeaseTable<>::Covered covered{};
        Shard::Waiters waiters{};
        std::vector<Touch> freed{};
        HeldSpace written{};
    };

    /// Whose a key is: mostly that of the key before.
    class Owner {
      public:
        explicit Owner(Space<Traits>& space) noexcept : space_(space) {}
        [[nodiscard]] std::optional<TenantNumber> of(std::string_view key) {
            if (!is_marked(key)) [[likely]]
                return TenantNumber{0};
            const auto name = split_key(key).tenant;
            if (!number_ || name != name_) number_ = tenant_number(space_, name);
            name_ = name;
            return number_;
        }

      private:
        Space<Traits>& space_;
        std::string_view name_;
        std::optional<TenantNumber> number_;
    };

    /// What a put compares with does not go for the sake of that put: it would fail then. As if it were leased.
    class Kept {
      public:
        Kept(Space<Traits>& space, const HashedKey& key, std::uint64_t version, SpaceSearch& search)
            : space_(space), search_(search) {
            if (version == 0) return;
            auto& shard = space.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            object_ = shard.find(key, version);
            if (object_ == nullptr) return;
            object_->leases.fetch_add(1, std::memory_order_relaxed);
            search.kept = object_;
        }
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        ~Kept() {
            if (object_ == nullptr) return;
            const auto before = object_->leases.fetch_sub(1, std::memory_order_acq_rel);
            search_.kept = nullptr;
            if (before != (Object::passed_over | 1)) return;
            space_.domain.leave(std::array{touch_of(*object_, Evictable::yes)});
            search_.look_again();
        }

      private:
        Space<Traits>& space_;
        SpaceSearch& search_;
        Object* object_ = nullptr;
    };

    static bool is_being_written(const Object& object) noexcept { return !object.committed(); }

    [[nodiscard]] static Errc may_commit(const Object* object, const WrittenObject& wanted, TimePoint at) {
        if (object == nullptr || !object->usable()) return Errc::not_found;
        if (wanted.checksums.size() != chunks_of(object->size)) return Errc::invalid_argument;
        return object->committed() || at < object->write_deadline ? Errc::ok : Errc::lease_expired;
    }

    /// Requires: its shard is locked, and `object` is the object of its key; again is fine.
    void commit(Object& object, const WrittenObject& wanted, Shard& shard, Commits& commits) {
        if (!object.committed()) {
            object.checksums = wanted.checksums;
            object.unsettled = wanted.writer == WriterState::unknown;
            object.state.store(ObjectState::committed, std::memory_order_seq_cst);
            if ((object.leases.load(std::memory_order_seq_cst) & Object::passed_over) != 0)
                commits.freed.push_back(touch_of(object, Evictable::yes));
            commits.written += object.held_space();
            space_.tell(EventKind::stored, object);
            shard.take_waiters(object.key(), commits.waiters);
        }
        if (commits.lease == LeaseWish::grant) commits.covered.add(object);
    }

    /// Commits what takes the place of something: `which` of `message`'s objects. No lock is held.
    void replace(const PutEnd& message, const std::vector<std::size_t>& which, Commits& commits,
                 std::vector<Errc>& outcomes) {
        const auto lock = std::lock_guard(space_.domain.mutex);
        for (const auto i : which) {
            const auto& wanted = message.objects[i];
            const auto key = HashedKey(wanted.key);
            auto& shard = space_.shards.of(key.hash);
            Object* gone = nullptr;
            {
                const auto shard_lock = std::lock_guard(shard.mutex);
                auto* const object = shard.find(key, wanted.version);
                outcomes[i] = may_commit(object, wanted, commits.at);
                if (outcomes[i] != Errc::ok) continue;
                auto* const before = shard.find(key);
                if (before != object) {
                    gone = before;
                    shard.erase(*before);
                } else if (object->compares && !object->committed()) { // what it was compared with went by itself
                    outcomes[i] = Errc::conflict;
                    gone = object;
                    object->unsettled = wanted.writer == WriterState::unknown;
                    shard.erase(*object);
                }
                if (outcomes[i] == Errc::ok) commit(*object, wanted, shard, commits);
            }
            if (gone == nullptr) continue;
            if (gone->unsettled && !gone->committed()) space_.bury_unfinished(*gone, commits.at);
            else space_.bury(*gone, commits.at, commits.at);
        }
    }

    /// Whether a put may write `key`; `version`: of what is there. `exists` touches it. What only looks taken is buried.
    /// Requires: the domain is locked.
    [[nodiscard]] Errc may_write(const HashedKey& key, WriteMode mode, std::uint64_t expected, TimePoint at,
                                 std::uint64_t& version) {
        const auto has_no_owner = [at](const Object& object) {
            return !object.usable() || (!object.committed() && object.write_deadline <= at);
        };
        auto& shard = space_.shards.of(key.hash);
        for (;;) {
            auto* const found = shard.find(key);
            if (found == nullptr) return expected == 0 ? Errc::ok : Errc::conflict;
            auto* const last = found->successor != nullptr ? found->successor : found;
            if (!last->visible() && space_.erase_if(*last, has_no_owner)) {
                if (last->committed()) space_.tell(EventKind::lost, *last);
                space_.bury_unfinished(*last, at);
                continue;
            }
            if (!found->visible()) return Errc::being_written;
            version = found->version;
            if (mode == WriteMode::compare && version != expected) return Errc::conflict;
            if (mode != WriteMode::create) return found == last ? Errc::ok : Errc::being_written;
            space_.domain.touch(*found, at);
            return Errc::exists;
        }
    }

    Space<Traits>& space_;
};

} // namespace mooncake::store::detail
