#pragma once

#include <mooncake/store/master/keys_ahead.hpp>
#include <mooncake/store/master/space.hpp>
#include <mooncake/store/messages/objects.hpp>

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Answers those of `messages/objects.hpp` by which objects are found. What each does stands at `Master`.
template <MasterTraitsLike Traits>
class GetHandlers {
  public:
    explicit GetHandlers(Space<Traits>& space) noexcept : space_(space) {}

    [[nodiscard]] Result<GetReply> handle(const Get& message) {
        space_.endings.end_lives_before_looking();
        auto reply = GetReply{.term = space_.term};
        reply.objects.reserve(message.keys.size());
        auto covered = LeaseTable<>::Covered();
        covered.objects.reserve(message.keys.size());
        auto touches = std::vector<Touch>();
        touches.reserve(message.keys.size());
        auto keys = keys_ahead(space_.shards, message.keys);
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            auto& answer = reply.objects.emplace_back();
            const auto key = keys.take(i);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            auto* const object = shard.find_visible(key);
            if (object != nullptr) describe_replicas(*object, KeyFor::reading, answer.replicas);
            if (answer.replicas.empty()) { // no such object, or its last replica died just now
                answer.outcome = shard.why_not(key);
                if (message.mode == LookUp::each) continue;
                reply.objects.pop_back();
                break;
            }
            answer.outcome = Errc::ok;
            answer.size = object->size;
            answer.version = object->version;
            answer.checksums = object->checksums;
            covered.add(*object);
            touches.push_back(touch_of(*object));
        }
        const auto at = space_.now();
        space_.end_leases(at); // nothing to do, mostly; where nobody calls `expire`, nobody else would
        const auto lease = space_.leases.grant(std::move(covered), LeasePurpose::read, at, space_.lease_policy);
        reply.lease = lease.id;
        reply.ttl_ms = lease.ttl_ms;
        space_.domain.post(touches, at);
        return reply;
    }

    [[nodiscard]] Result<QueryReply> handle(const Query& message) {
        space_.endings.end_lives_before_looking();
        auto reply = QueryReply{};
        auto keys = keys_ahead(space_.shards, message.keys);
        for (std::size_t i = 0; i < message.keys.size(); ++i) {
            const auto key = keys.take(i);
            auto& shard = space_.shards.of(key.hash);
            const auto lock = std::lock_guard(shard.mutex);
            const auto found = shard.find_visible(key) != nullptr;
            if (!found && message.mode == LookUp::prefix) break;
            reply.outcomes.push_back(found ? Errc::ok : Errc::not_found);
        }
        return reply;
    }

  private:
    Space<Traits>& space_;
};

} // namespace mooncake::store::detail
