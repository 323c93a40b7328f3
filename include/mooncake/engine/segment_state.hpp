#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/engine/dispatch.hpp>
#include <mooncake/engine/segment.hpp>
#include <mooncake/engine/traits.hpp>
#include <mooncake/engine/transfer_pace.hpp>
#include <mooncake/health/breaker.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mooncake {

namespace engine::detail {

template <class Transports>
struct Links;
template <class... Ts>
struct Links<TransportSet<Ts...>> {
    using Type = std::tuple<std::vector<typename Ts::Link>...>;
};
template <class Transports>
using LinksOf = typename Links<Transports>::Type;

/// A segment that was opened: its record, and links for each transport that reaches it.
template <class Transports>
struct SegmentState {
    /// A transport as a way to the segment; over several devices, where the segment has such.
    struct Path {
        bool reachable = false;                ///< the transport says it has a chance
        std::vector<std::string> descriptions; ///< what its peer said of each of its devices
        std::uint64_t connected = 0;           ///< which of them have a link: one bit each
        std::unique_ptr<Dispatcher> dispatch;  ///< where there are several
        Breaker breaker = Breaker();           ///< a path that failed rests
        std::atomic<bool> failed = false;      ///< whether the breaker is not closed
        TransferPace pace;                     ///< what transfers over it took of late
    };

    SegmentState(SegmentRecord record, std::string where, BreakerConfig rests = {}) : locator(std::move(where)) {
        for (auto& path : paths) path.breaker = Breaker(rests);
        refresh(std::move(record));
    }

    /// As it was read last. Stays valid as long as this lives.
    [[nodiscard]] const SegmentRecord& record() const noexcept { return *current_.load(std::memory_order_acquire); }
    void refresh(SegmentRecord record) {
        const auto lock = std::lock_guard(mutex);
        records_.push_back(std::make_unique<const SegmentRecord>(std::move(record)));
        current_.store(records_.back().get(), std::memory_order_release);
    }
    /// Whether it may be read again now; the next time is `next`.
    [[nodiscard]] bool may_refresh(TimePoint next) {
        const auto lock = std::lock_guard(mutex);
        if (records_.size() >= most_records || refresh_at_ > SteadyClock{}.now()) return false;
        refresh_at_ = next;
        return true;
    }

    static constexpr auto none = static_cast<std::size_t>(-1);

    const std::string locator;
    std::size_t cheapest = none; ///< of the transports that reach it; constant once it is open
    std::mutex dispatch_mutex;   ///< of what the dispatchers know
    mutable std::mutex mutex;    // of what follows
    std::array<Path, Transports::size> paths{};
    LinksOf<Transports> links;

  private:
    static constexpr std::size_t most_records = 1'024; ///< kept, since references to them may be out

    std::vector<std::unique_ptr<const SegmentRecord>> records_;
    std::atomic<const SegmentRecord*> current_ = nullptr;
    TimePoint refresh_at_{};
};

} // namespace engine::detail

template <class Transports>
const SegmentRecord& BasicSegment<Transports>::record() const noexcept {
    return state_->record();
}

template <class Transports>
std::uint64_t BasicSegment<Transports>::key_for(std::uint64_t offset, Direction direction) const noexcept {
    const auto& buffers = record().buffers;
    auto after = std::upper_bound(buffers.begin(), buffers.end(), offset,
                                  [](std::uint64_t at, const BufferRecord& buffer) { return at < buffer.offset; });
    if (after == buffers.begin()) return 0;
    const auto& buffer = *std::prev(after);
    if (offset - buffer.offset >= buffer.length) return 0;
    return direction == Direction::read && buffer.write_key == 0 ? buffer.read_key : buffer.write_key;
}

} // namespace mooncake
