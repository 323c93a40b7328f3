#pragma once

#include <mooncake/store/master/replica_space.hpp>
#include <mooncake/store/messages/objects.hpp>

#include <mutex>

namespace mooncake::store::detail {

/// Answers `PinObjects`. What it does stands at `Master`.
template <class Void = void> // so that only who runs a master pays for compiling it
class PinHandlers {
  public:
    explicit PinHandlers(ReplicaSpace& space) noexcept : space_(space) {}

    [[nodiscard]] Result<PinReply> handle(const PinObjects& message);

  private:
    ReplicaSpace& space_;
};

template <class Void>
Result<PinReply> PinHandlers<Void>::handle(const PinObjects& message) {
    auto reply = PinReply();
    reply.outcomes.reserve(message.keys.size());
    const auto lock = std::lock_guard(space_.lock_of_the_domain());
    const auto at = space_.now();
    space_.settle(at);
    for (const auto& text : message.keys) {
        const auto key = HashedKey(text);
        auto& shard = space_.shards.of(key.hash);
        auto* const object = shard.find_visible(key); // which does not go while the domain is locked
        if (object == nullptr) {
            const auto* const found = shard.find(key);
            const auto coming = found != nullptr && !found->committed();
            reply.outcomes.push_back(coming ? Errc::being_written : shard.why_not(key));
            continue;
        }
        auto& owner = space_.tenants[object->tenant];
        const auto bytes = object->held_space().bytes;
        if (message.pin == Pin::hard && object->pin != Pin::hard && !owner.fits_pinned(bytes)) {
            ++owner.refused;
            reply.quota = describe_pin_quota(owner, bytes);
            reply.outcomes.push_back(Errc::quota);
            continue;
        }
        space_.pin(*object, message.pin, at + soft_pin_time(message.pin_ms), at);
        reply.outcomes.push_back(Errc::ok);
    }
    return reply;
}

} // namespace mooncake::store::detail
