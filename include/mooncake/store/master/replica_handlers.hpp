#pragma once

#include <mooncake/store/master/no_space.hpp>
#include <mooncake/store/master/replica_space.hpp>
#include <mooncake/store/master/replication.hpp>
#include <mooncake/store/messages/replicas.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Answers `messages/replicas.hpp`. What each does stands at `Master`.
template <class Void = void> // so that only who runs a master pays for compiling it
class ReplicaHandlers {
  public:
    ReplicaHandlers(ReplicaSpace& space, Replication<>& replication) noexcept
        : space_(space), replication_(replication) {}

    [[nodiscard]] Result<CopyStartReply> handle(const CopyStart& message);
    [[nodiscard]] Result<CopyEndReply> handle(const CopyEnd& message);
    [[nodiscard]] Result<SurveyReply> handle(const Survey& message);
    [[nodiscard]] Result<DrainReply> handle(const Drain& message);

  private:
    /// What one message has found out.
    struct Start {
        const CopyStart& message;
        const TimePoint at;
        SpaceSearch search{};
        LeaseTable<>::Covered covered{};
    };

    static bool named(const std::vector<std::uint32_t>& ids, const Extent& extent) noexcept {
        return std::find(ids.begin(), ids.end(), extent.segment->info.segment) != ids.end();
    }
    /// Whether `extent` is a replica that stays.
    [[nodiscard]] bool counts(const Extent& extent, const std::vector<std::uint32_t>& leaving) const {
        return extent.usable() && !named(leaving, extent) && space_.takes_writes(*extent.segment);
    }
    static std::uint32_t usable_replicas(const Object& object) noexcept {
        return static_cast<std::uint32_t>(std::count_if(object.extents.begin(), object.extents.end(),
                                                        [](const Extent& extent) { return extent.usable(); }));
    }

    [[nodiscard]] std::uint32_t staying_replicas(const Object& object,
                                                 const std::vector<std::uint32_t>& leaving) const {
        return static_cast<std::uint32_t>(std::count_if(object.extents.begin(), object.extents.end(),
                                                        [&](const Extent& extent) { return counts(extent, leaving); }));
    }

    /// Space for what `object`, which is visible, lacks; then it is leased.
    [[nodiscard]] Errc copy(Object& object, Start& start, PutSpace& target);

    /// Ends the replicas in `leaving`, those in segments that are drained, and the last of those that are more than `wanted`; but
    /// where nothing else is left, what came to a segment just before that was drained stays.
    void let_go(Object& object, const std::vector<std::uint32_t>& leaving, std::uint32_t wanted);

    [[nodiscard]] Errc end(const CopiedObject& copied, Object* object, TimePoint at);

    /// A place in the walk over all objects: they are in the order of their shards, and there of the rest of their hashes.
    struct Place {
        explicit Place(std::uint64_t number) noexcept
            : shard(number >> (64 - ObjectTable::shard_bits)), rest(number << ObjectTable::shard_bits) {}
        [[nodiscard]] std::uint64_t number() const noexcept {
            return std::uint64_t{shard} << (64 - ObjectTable::shard_bits) | rest >> ObjectTable::shard_bits;
        }
        std::size_t shard;
        std::uint64_t rest; ///< the least hash, without its last bits, that was not looked at
    };
    static constexpr std::size_t work_a_message = 16'384;

    /// Adds those of the shard at `at` that are meant, as many as there is room for, and goes on to the next. Gives how many it looked at.
    std::size_t survey(Place& at, const Survey& message, SurveyReply& reply);

    [[nodiscard]] bool is_meant(const Object& object, std::uint32_t segment) const {
        const auto& extents = object.extents;
        if (segment != 0)
            return std::any_of(extents.begin(), extents.end(), [&](const Extent& extent) {
                return extent.usable() && extent.segment->info.segment == segment;
            });
        const auto possible = std::min<std::size_t>(object.wanted, space_.taking_writes());
        return staying_replicas(object, {}) < possible;
    }

    ReplicaSpace& space_;
    Replication<>& replication_;
};

template <class Void>
Result<CopyStartReply> ReplicaHandlers<Void>::handle(const CopyStart& message) {
    auto reply = CopyStartReply{.term = space_.term};
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    auto start = Start{.message = message, .at = space_.now()};
    space_.settle(start.at);
    auto bytes = std::uint64_t{0};
    auto full = false;
    for (std::size_t i = 0; i < message.keys.size(); ++i) {
        const auto key = HashedKey(message.keys[i]);
        auto& shard = space_.shards.of(key.hash);
        auto* const object = shard.find_visible(key);
        if (object != nullptr && message.max_bytes != 0 && i != 0 && object->size > message.max_bytes - bytes) break;
        auto& source = reply.sources.emplace_back();
        auto& target = reply.targets.emplace_back();
        if (object == nullptr) {
            const auto* const found = shard.find(key);
            const auto coming = found != nullptr && !found->committed();
            target.outcome = source.outcome = coming ? Errc::being_written : shard.why_not(key);
            continue;
        }
        const auto version = message.versions.empty() ? object->version : message.versions[i];
        target.outcome = version != object->version ? Errc::conflict : copy(*object, start, target);
        full |= target.outcome == Errc::no_space;
        if (target.outcome == Errc::quota)
            reply.no_space = describe_quota(space_.tenants[object->tenant], extent_bytes(object->size), 0);
        if (target.outcome != Errc::ok) continue;
        bytes += std::min(object->size, message.max_bytes - std::min(bytes, message.max_bytes));
        source = describe(*object); // which the lease keeps as it is
    }
    if (full && reply.no_space.empty()) reply.no_space = "not in another segment: " + describe_no_space(space_.stats());
    const auto lease = space_.grant(std::move(start.covered), start.at);
    reply.lease = lease.id;
    reply.ttl_ms = lease.ttl_ms;
    return reply;
}

template <class Void>
Result<CopyEndReply> ReplicaHandlers<Void>::handle(const CopyEnd& message) {
    auto reply = CopyEndReply();
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    const auto at = space_.now();
    if (message.lease != 0) space_.release(message.lease);
    for (const auto& copied : message.objects) {
        const auto key = HashedKey(copied.key);
        auto& shard = space_.shards.of(key.hash);
        auto* const found = shard.find(key, copied.version);
        auto* const object = found != nullptr && found->committed() ? found : nullptr;
        reply.outcomes.push_back(end(copied, object, at));
        reply.replicas.push_back(object == nullptr ? 0 : usable_replicas(*object));
    }
    return reply;
}

template <class Void>
Result<SurveyReply> ReplicaHandlers<Void>::handle(const Survey& message) {
    auto reply = SurveyReply();
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    const auto of_the_hurt = message.segment == 0;
    auto& hurt = replication_.hurt;
    if (of_the_hurt && message.from == 0) {
        if (!hurt.any()) return reply;
        hurt.begin_walk();
    }
    auto at = Place(message.from);
    for (auto looked = std::size_t{0}; at.shard < Shards::count && looked < work_a_message;) {
        looked += survey(at, message, reply);
        if (reply.objects.size() >= message.limit) break;
    }
    reply.next = at.shard < Shards::count ? at.number() : 0;
    if (of_the_hurt) hurt.walked(message.from, reply.next, !reply.objects.empty());
    return reply;
}

template <class Void>
Result<DrainReply> ReplicaHandlers<Void>::handle(const Drain& message) {
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    space_.reclaim_all(space_.now());
    const auto extents = space_.drain(message);
    if (!extents) return extents.error();
    replication_.hurt.note();
    return DrainReply{.extents = *extents};
}

template <class Void>
Errc ReplicaHandlers<Void>::copy(Object& object, Start& start, PutSpace& target) {
    const auto& message = start.message;
    if (replication_.copies.has(object.version)) return Errc::being_written;
    const auto wanted = std::min((message.replicas != 0 ? message.replicas : object.wanted) + message.more,
                                 space_.config.limits.max_replicas);
    auto excluded = message.excluded;
    excluded.insert(excluded.end(), message.leaving.begin(), message.leaving.end());
    auto staying = std::vector<std::uint32_t>();
    for (const auto& extent : object.extents) {
        excluded.push_back(extent.segment->info.segment);
        if (counts(extent, message.leaving)) staying.push_back(extent.segment->info.segment);
    }
    const auto bytes = extent_bytes(object.size);
    if (staying.size() >= wanted) {
        object.wanted = static_cast<std::uint16_t>(wanted);
        let_go(object, message.leaving, wanted);
        return Errc::exists;
    }
    const auto missing = wanted - static_cast<std::uint32_t>(staying.size());
    const auto count = std::min(missing, space_.as_large_as(bytes, excluded));
    if (count < missing) replication_.hurt.note();
    if (count == 0) return Errc::no_space;
    const auto avoid = space_.locate(staying);
    {
        const auto lock = std::lock_guard(space_.shards.of(object.hash).mutex);
        start.covered.add(object); // first, so that it is not what goes for itself
    }
    start.search.turn_to(object.tenant);
    // What somebody wishes for is within the quota; what makes good a loss, or only moves, need not be.
    const auto wished = message.replicas != 0 || message.more != 0;
    if (wished && !space_.make_within_quota(bytes * count, 0, start.at, start.search)) return Errc::quota;
    auto extents = Extents();
    if (!space_.make_room({.bytes = bytes,
                           .replicas = count,
                           .near = space_.locate(message.near_host, message.near_rack),
                           .preferred = message.preferred,
                           .excluded = excluded,
                           .avoid = avoid,
                           .now = start.at},
                          start.search, extents)) {
        replication_.hurt.note();
        return Errc::no_space;
    }
    object.wanted = static_cast<std::uint16_t>(wanted);
    auto copy = Copy{.target = std::unique_ptr<Object>(new (std::string_view{}) Object{
                         .hash = object.hash,
                         .key_bytes = 0,
                         .size = object.size,
                         .version = space_.next_version(),
                         .tenant = object.tenant,
                         .placed = static_cast<std::uint16_t>(count),
                         .pin = Pin::none,
                         .write_deadline = start.at + std::chrono::milliseconds{message.write_deadline_ms},
                         .extents = std::move(extents)}),
                     .leaving = message.leaving};
    space_.writing.add(copy.target->held_space());
    space_.tenants.changed(object.tenant, 0, copy.target->bytes_now());
    space_.taken(*copy.target, start.search);
    target.version = copy.target->version;
    describe_replicas(*copy.target, KeyFor::writing, target.replicas);
    replication_.copies.add(object.version, std::move(copy));
    return Errc::ok;
}

template <class Void>
void ReplicaHandlers<Void>::let_go(Object& object, const std::vector<std::uint32_t>& leaving, std::uint32_t wanted) {
    const auto lock = std::lock_guard(space_.shards.of(object.hash).mutex);
    const auto even_there = staying_replicas(object, leaving) == 0;
    const auto stays = [&](const Extent& extent) {
        return even_there ? !named(leaving, extent) : counts(extent, leaving);
    };
    const auto& extents = object.extents;
    if (std::none_of(extents.begin(), extents.end(), [&](const Extent& e) { return e.usable() && stays(e); })) return;
    auto stay = std::uint32_t{0};
    replication_.retire(object, [&](const Extent& extent) {
        if (!extent.usable()) return false; // in a dead segment: the sweep takes it
        return !stays(extent) || stay++ >= wanted;
    });
}

template <class Void>
Errc ReplicaHandlers<Void>::end(const CopiedObject& copied, Object* object, TimePoint at) {
    auto copy = replication_.copies.take(copied.version, copied.copy);
    if (!copy.target) return Errc::lease_expired;
    if (copied.fate != CopyFate::written || object == nullptr || copy.target->write_deadline <= at) {
        const auto unknown = copied.fate == CopyFate::unknown;
        const auto late = copied.fate == CopyFate::written && object != nullptr;
        replication_.abandon(std::move(copy), unknown ? WriterState::unknown : WriterState::settled, at);
        replication_.hurt.note();
        if (late) return Errc::lease_expired;
        return copied.fate == CopyFate::written ? Errc::not_found : Errc::ok;
    }
    const auto leaving = usable_replicas(*object) - staying_replicas(*object, copy.leaving);
    const auto before = usable_replicas(*object);
    {
        const auto lock = std::lock_guard(space_.shards.of(object->hash).mutex);
        replication_.complete(*object, copy);
    }
    const auto came = usable_replicas(*object) - before;
    const auto staying = staying_replicas(*object, copy.leaving);
    if (staying < object->wanted) replication_.hurt.note();
    if (came == 0) return Errc::lost;
    if (staying >= object->wanted || came >= leaving) let_go(*object, copy.leaving, object->wanted);
    return Errc::ok;
}

template <class Void>
std::size_t ReplicaHandlers<Void>::survey(Place& at, const Survey& message, SurveyReply& reply) {
    auto& shard = space_.shards.at(at.shard);
    const auto rest_of = [](const Object& object) {
        return object.hash >> ObjectTable::shard_bits << ObjectTable::shard_bits;
    };
    auto meant = std::vector<const Object*>();
    auto looked = std::size_t{1};
    {
        const auto lock = std::lock_guard(shard.mutex);
        shard.for_each([&](const Object& object) {
            ++looked;
            if (object.visible() && rest_of(object) >= at.rest && is_meant(object, message.segment))
                meant.push_back(&object);
        });
    } // none goes while the domain is locked
    std::sort(meant.begin(), meant.end(), [&](const Object* a, const Object* b) { return rest_of(*a) < rest_of(*b); });
    for (const auto* const object : meant) {
        const auto enough = reply.objects.size() >= message.limit;
        if (enough && rest_of(*object) != at.rest) { // those of one place come together
            at.rest = rest_of(*object);
            return looked;
        }
        at.rest = rest_of(*object);
        reply.objects.push_back({.key = std::string(object->key()),
                                 .size = object->size,
                                 .version = object->version,
                                 .replicas = usable_replicas(*object),
                                 .wanted = object->wanted});
    }
    ++at.shard;
    at.rest = 0;
    return looked;
}

} // namespace mooncake::store::detail
