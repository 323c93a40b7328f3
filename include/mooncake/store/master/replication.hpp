#pragma once

#include <mooncake/store/master/copy_table.hpp>
#include <mooncake/store/master/replica_space.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace mooncake::store::detail {

/// How replicas come to objects that are there, and go from them.
/// Locks: the domain's is held, and no shard's but where it is said.
template <class Void = void> // so that only who runs a master pays for compiling it
class Replication {
  public:
    explicit Replication(ReplicaSpace& space) noexcept : space_(space) {}

    CopyTable<> copies;
    HurtWatch hurt;

    /// A copy that does not become a replica.
    void abandon(Copy copy, WriterState writer, TimePoint now);

    /// What `copy` wrote are replicas of `object`, where their segments are still there. Requires: its shard is locked.
    void complete(Object& object, const Copy& copy);

    /// Those replicas of `object` for which `goes(extent)` are offered no more, and go with the last lease of it.
    /// Requires: its shard is locked, and others are left.
    template <class Goes>
    void retire(Object& object, const Goes& goes) {
        auto any = false;
        for (auto& extent : object.extents)
            if (!extent.bad && goes(extent)) extent.bad = any = true;
        if (any) await_readers(object);
    }
    /// The same, of what is offered no more by now.
    void await_readers(Object& object);

    /// Gives back what nobody reads any more, of the next `most` that wait for that.
    void sweep(std::size_t most);

    /// Gives up the copies whose deadline is over, and tells how many.
    std::size_t expire(TimePoint now);

    /// Replicas beyond what objects were placed with at first.
    [[nodiscard]] HeldSpace added() const noexcept { return added_; }
    /// `change()` changes how many extents `object` has. Requires: its shard is locked, or it is in none.
    template <class Change>
    bool change(const Object& object, const Change& change) {
        added_ -= object.added_space();
        const auto before = object.bytes_now();
        const auto changed = change();
        added_ += object.added_space();
        space_.tenants.changed(object.tenant, before, object.bytes_now());
        return changed;
    }
    /// It is about to be deleted.
    void forget(const Object& object) noexcept { added_ -= object.added_space(); }

  private:
    /// Whether nobody has a lease; then what is offered no more is given back. Requires: its shard is locked.
    bool free_retired(Object& object);

    ReplicaSpace& space_;
    Retirement<> waiting_;
    HeldSpace added_;
};

template <class Void>
void Replication<Void>::abandon(Copy copy, WriterState writer, TimePoint now) {
    auto& target = *copy.target.release();
    space_.writing.subtract(target.held_space());
    target.unsettled = writer == WriterState::unknown;
    space_.discard_after(target, space_.until_it_is_quiet(target, now), now);
}

template <class Void>
void Replication<Void>::complete(Object& object, const Copy& copy) {
    space_.writing.subtract(copy.target->held_space());
    space_.tenants.changed(copy.target->tenant, copy.target->bytes_now(), 0);
    change(object, [&] {
        for (const auto& extent : copy.target->extents)
            if (extent.usable()) object.extents.push_back(extent);
            else space_.free(*copy.target, extent); // nobody writes there any more
        return true;
    });
}

template <class Void>
void Replication<Void>::sweep(std::size_t most) {
    waiting_.sweep(most, [this](const Touch& waiting) {
        auto* const object = space_.find(waiting);
        if (object == nullptr) return true;
        const auto lock = std::lock_guard(space_.shards.of(object->hash).mutex);
        return free_retired(*object);
    });
}

template <class Void>
std::size_t Replication<Void>::expire(TimePoint now) {
    auto ended = std::size_t{0};
    copies.expire(now, [&](Copy copy) {
        abandon(std::move(copy), WriterState::unknown, now);
        ++ended;
    });
    return ended;
}

template <class Void>
bool Replication<Void>::free_retired(Object& object) {
    if (object.leased()) return false;
    change(object, [&] {
        return object.drop_extents([](const Extent& e) { return e.bad; },
                                   [&](const Extent& e) { space_.free(object, e); });
    });
    return true;
}

template <class Void>
void Replication<Void>::await_readers(Object& object) {
    if (!free_retired(object)) waiting_.add(object);
}

} // namespace mooncake::store::detail
