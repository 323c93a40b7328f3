#pragma once

#include <mooncake/store/master/space.hpp>
#include <mooncake/store/messages/segments.hpp>

#include <mutex>

namespace mooncake::store::detail {

/// Answers `messages/segments.hpp`. What each does stands at `Master`.
template <MasterTraitsLike Traits>
class SegmentHandlers {
  public:
    explicit SegmentHandlers(Space<Traits>& space) noexcept : space_(space) {}

    [[nodiscard]] Result<SegmentMountReply> handle(const SegmentMount& message) {
        (void)space_.expire(); // a predecessor that died lets the name go, and its objects
        const auto lock = std::lock_guard(space_.domain.mutex);
        auto mounted = space_.segments.mount(message, space_.now());
        if (!mounted) return mounted.error();
        space_.replication.hurt.note(); // what had to do with fewer replicas need no longer
        return SegmentMountReply{.segment = *mounted, .ttl_ms = ttl_ms(), .term = space_.term};
    }

    [[nodiscard]] Result<HeartbeatReply> handle(const Heartbeat& message) {
        const auto lock = std::lock_guard(space_.domain.mutex);
        if (auto beat = space_.segments.heartbeat(message.segment, message.generation, space_.now()); !beat)
            return beat.error();
        return HeartbeatReply{.ttl_ms = ttl_ms(), .fence = space_.fence(message.segment, message.fenced)};
    }

    [[nodiscard]] Result<Nothing> handle(const Unmount& message) {
        {
            const auto lock = std::lock_guard(space_.domain.mutex);
            if (auto gone = space_.segments.unmount(message.segment, message.generation); !gone) return gone.error();
        }
        space_.sweep_dead();
        return Nothing();
    }

    [[nodiscard]] Result<SegmentsReply> handle(const Segments& message) {
        const auto lock = std::lock_guard(space_.domain.mutex);
        return SegmentsReply{.segments = space_.segments.describe(message.segments), .term = space_.term};
    }

  private:
    [[nodiscard]] std::uint64_t ttl_ms() const noexcept { return whole_milliseconds(space_.config.segment_ttl); }

    Space<Traits>& space_;
};

} // namespace mooncake::store::detail
