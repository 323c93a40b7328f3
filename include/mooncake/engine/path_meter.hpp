#pragma once

#include <mooncake/core/clock.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>

namespace mooncake::engine::detail {

/// What a path has shown of itself: how fast bytes arrive over it, and how long the quickest took. Pure; the caller brings the
/// time.
///
/// The speed is that at which bytes were delivered while one chunk was on its way, so that chunks which wait behind each other
/// are not counted as slow, and it is smoothed: a new sample counts for an eighth. What has not arrived is a sample, too: a
/// path on which a chunk is overdue is no faster than what has come since the chunk left.
/// Source: delivery rate estimation, draft-cheng-iccrg-delivery-rate-estimation; smoothing as in RFC 6298.
class PathMeter {
  public:
    using Id = std::uint64_t;

    /// Bytes leave. The number tells `arrived` or `gave_up` which ones.
    Id sent(std::uint64_t bytes, TimePoint now) {
        if (flying_.empty()) delivered_at_ = now;
        flying_.push_back({++last_id_, bytes, now, delivered_, delivered_at_, true});
        in_flight_ += bytes;
        last_sent_ = now;
        return last_id_;
    }

    /// `bytes`: that really came; the rest was refused, and says nothing.
    void arrived(Id id, std::uint64_t bytes, TimePoint now) {
        auto* const chunk = find(id);
        if (chunk == nullptr) return;
        const auto came = std::min(bytes, chunk->bytes);
        delivered_ += came;
        delivered_at_ = now;
        const auto took = now - chunk->sent_at;
        const auto seconds = std::chrono::duration<double>(now - chunk->delivered_at).count();
        if (seconds > 0 && came != 0) learn(static_cast<double>(delivered_ - chunk->delivered) / seconds, came);
        learn_base(took, now);
        let_go(*chunk);
    }
    /// They did not come in the time they had: the path is no faster than that. Tells whether anything has come since they left.
    bool silent(Id id, TimePoint now) {
        auto* const chunk = find(id);
        if (chunk == nullptr) return false;
        rate_ = rate(now);
        const auto others_came = delivered_ != chunk->delivered;
        let_go(*chunk);
        return others_came;
    }
    /// They failed, or nobody wants them any more: nothing is learnt.
    void gave_up(Id id) {
        if (auto* const chunk = find(id)) let_go(*chunk);
    }

    [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] TimePoint last_sent() const noexcept { return last_sent_; }
    [[nodiscard]] bool measured() const noexcept { return rate_ > 0; }

    /// Bytes a second; 0: not known yet.
    [[nodiscard]] double rate(TimePoint now) const noexcept {
        if (flying_.empty() || rate_ <= 0) return rate_;
        const auto& oldest = flying_.front();
        const auto since = now - std::max(oldest.sent_at, delivered_at_);
        if (oldest.bytes < telling_bytes || since <= base()) return rate_;
        const auto seconds = std::chrono::duration<double>(since).count();
        const auto overdue = static_cast<double>(oldest.bytes) / std::max(seconds, 1e-9);
        return std::min(rate_, overdue);
    }
    /// The least time that a chunk took of late; zero: none has arrived.
    [[nodiscard]] Duration base() const noexcept {
        const auto least = std::min(base_now_, base_before_);
        return least == never ? Duration::zero() : least;
    }

    /// When `bytes` that leave now would have arrived, at the speed that is known; zero where none is.
    [[nodiscard]] Duration expected(std::uint64_t bytes, TimePoint now) const noexcept {
        const auto speed = rate(now);
        if (speed <= 0) return Duration::zero();
        const auto seconds = static_cast<double>(in_flight_ + bytes) / speed;
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, 3600.0)));
    }

  private:
    static constexpr Duration never = Duration::max();
    static constexpr std::uint64_t telling_bytes = 64 * 1024;
    static constexpr Duration base_lasts = std::chrono::seconds{5};

    struct Chunk {
        Id id;
        std::uint64_t bytes;
        TimePoint sent_at;
        std::uint64_t delivered;
        TimePoint delivered_at;
        bool flies;
    };

    Chunk* find(Id id) noexcept {
        if (flying_.empty() || id < flying_.front().id || id > flying_.back().id) return nullptr;
        auto& chunk = flying_[static_cast<std::size_t>(id - flying_.front().id)]; // numbers follow each other
        return chunk.flies ? &chunk : nullptr;
    }
    void let_go(Chunk& chunk) {
        in_flight_ -= chunk.bytes;
        chunk.flies = false;
        while (!flying_.empty() && !flying_.front().flies) flying_.pop_front();
    }
    /// A few bytes say how long the way is, and not how wide: they only count where it is wider than was thought.
    void learn(double sample, std::uint64_t bytes) noexcept {
        if (rate_ <= 0) rate_ = bytes >= telling_bytes ? sample : 0;
        else if (bytes >= telling_bytes || sample > rate_) rate_ += (sample - rate_) / 8;
    }
    void learn_base(Duration took, TimePoint now) noexcept {
        if (now - base_since_ > base_lasts) {
            base_before_ = base_now_;
            base_now_ = never;
            base_since_ = now;
        }
        base_now_ = std::min(base_now_, took);
    }

    std::deque<Chunk> flying_;
    std::uint64_t in_flight_ = 0, delivered_ = 0;
    TimePoint delivered_at_{}, last_sent_{}, base_since_{};
    Duration base_now_ = never, base_before_ = never;
    double rate_ = 0;
    Id last_id_ = 0;
};

} // namespace mooncake::engine::detail
