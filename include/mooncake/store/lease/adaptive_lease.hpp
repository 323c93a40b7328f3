#pragma once

#include <mooncake/store/lease/concept.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace mooncake {

struct AdaptiveLeaseConfig {
    Duration floor = std::chrono::milliseconds{250}; ///< above 0; so that clocks and round trips are little beside it
    Duration ceiling = std::chrono::seconds{5};      ///< at least `floor`; what every lease lasts until enough is known
    /// Of the reads of a size, so many in a thousand are to end within their first lease; below 1000.
    std::uint32_t in_time = 998;
    std::uint32_t headroom = 3; ///< times what those took; at least 1
};

/// Choose this when: many leases are abandoned, as clients die or are cut off, and space is short: a lease of a read lasts a few
/// times what reads of so many bytes really take, and what a dead reader held is free again sooner.
///
/// It learns from how long leases were held until they were given back, by size (a class for each doubling of the bytes); the
/// past counts half after every 2,048 reads of a class. What was never given back says nothing: its holder may be dead. What was
/// given back too late says how long it would have needed. Leases that were renewed say nothing either, and get the ceiling: their
/// holder lives, and is slow. So do leases of a put, which wait for somebody else.
/// Memory: 27 KiB. Source: retransmission timers (Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988), with a quantile in
/// place of mean and deviation, as reads have two kinds of length and not one.
class AdaptiveLease {
  public:
    explicit AdaptiveLease(const AdaptiveLeaseConfig& config = {}) : config_(config) {
        for (auto& one : lengths_) one.store(config_.ceiling, std::memory_order_relaxed);
    }
    AdaptiveLease(const AdaptiveLease& other) : AdaptiveLease(other.config_) { take(other); }
    AdaptiveLease& operator=(const AdaptiveLease& other) {
        if (this == &other) return *this;
        config_ = other.config_;
        take(other);
        return *this;
    }
    ~AdaptiveLease() = default;

    [[nodiscard]] Duration duration(const LeaseRequest& request) const noexcept {
        if (request.purpose != LeasePurpose::read) return config_.ceiling;
        return lengths_[class_of(request.bytes)].load(std::memory_order_relaxed);
    }

    void ended(const LeaseEnd& end) noexcept {
        if (end.fate == LeaseFate::abandoned || end.request.purpose != LeasePurpose::read) return;
        const auto size = class_of(end.request.bytes);
        const auto lock = std::lock_guard(mutex_);
        auto& held = held_[size];
        ++held.counts[bucket_of(end.held)];
        ++held.total;
        const auto late = end.fate == LeaseFate::late;
        if (late || held.total % every == 0) lengths_[size].store(length_of(held), std::memory_order_relaxed);
        if (held.total >= most) held.halve();
    }

  private:
    static constexpr std::size_t classes = 40;  ///< of bytes: the last begins at half a terabyte
    static constexpr std::size_t buckets = 160; ///< of times: four to each doubling, from a microsecond on
    static constexpr std::uint32_t enough = 128, most = 4'096, every = 32;

    /// How often a lease of a class was held for so long.
    struct Held {
        std::array<std::uint32_t, buckets> counts{};
        std::uint32_t total = 0;

        void halve() noexcept {
            total = 0;
            for (auto& count : counts) total += count /= 2;
        }
    };

    static std::size_t class_of(std::uint64_t bytes) noexcept {
        return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(bytes)), classes - 1);
    }
    static std::size_t bucket_of(Duration held) noexcept {
        const auto most_held = std::chrono::microseconds{std::int64_t{1} << 38};
        const auto clamped = std::clamp<Duration>(held, std::chrono::microseconds{1}, most_held);
        const auto us =
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(clamped).count());
        const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;
        const auto quarter = power < 2 ? std::size_t{0} : static_cast<std::size_t>(us >> (power - 2)) & 3;
        return std::min(4 * power + quarter, buckets - 1);
    }
    /// More than anything in that bucket.
    static Duration end_of(std::size_t bucket) noexcept {
        const auto power = bucket / 4;
        return std::chrono::microseconds{(std::int64_t{1} << power) * static_cast<std::int64_t>(5 + bucket % 4) / 4 +
                                         1};
    }

    [[nodiscard]] Duration length_of(const Held& held) const noexcept {
        if (held.total < enough) return config_.ceiling;
        auto beyond = std::uint64_t{held.total} * (1'000 - config_.in_time) / 1'000;
        auto at = buckets - 1;
        for (; at != 0 && held.counts[at] <= beyond; --at) beyond -= held.counts[at];
        return std::clamp<Duration>(end_of(at) * config_.headroom, config_.floor, config_.ceiling);
    }
    void take(const AdaptiveLease& other) {
        const auto lock = std::scoped_lock(mutex_, other.mutex_);
        held_ = other.held_;
        for (std::size_t i = 0; i < classes; ++i)
            lengths_[i].store(other.lengths_[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }

    AdaptiveLeaseConfig config_;
    mutable std::mutex mutex_;
    std::array<Held, classes> held_{};
    std::array<std::atomic<Duration>, classes> lengths_{};
};

static_assert(LearningLeasePolicy<AdaptiveLease>);

} // namespace mooncake
