#pragma once

#include <mooncake/core/clock.hpp>

#include <atomic>
#include <cstdint>

namespace mooncake::store::detail {

/// A lease that is renewed as long as somebody holds it.
class OpenLease {
  public:
    OpenLease(std::uint64_t id, TimePoint trusted) noexcept : id_(id), trusted_(trusted.time_since_epoch().count()) {}
    OpenLease(const OpenLease&) = delete;
    OpenLease& operator=(const OpenLease&) = delete;
    virtual ~OpenLease() = default;

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] TimePoint trusted_until() const noexcept {
        return TimePoint{Duration{trusted_.load(std::memory_order_acquire)}};
    }
    /// Whether it has held without a break until now: asked after the bytes were used, it tells whether they were the
    /// object's. One that was lost stays lost, and so does one whose time is over before it could be renewed.
    [[nodiscard]] bool holds() const noexcept { return SteadyClock{}.now() < trusted_until(); }

    /// The master renewed it, as of a question that was asked while it held.
    void renewed(TimePoint trusted) noexcept {
        trusted_.store(trusted.time_since_epoch().count(), std::memory_order_release);
    }
    /// Whether it is to be renewed now; false: it is let be. Thread: the keeper's.
    [[nodiscard]] virtual bool wanted() noexcept { return true; }

    /// The master says that it is over.
    void lose() noexcept { trusted_.store(TimePoint{}.time_since_epoch().count(), std::memory_order_release); }

  private:
    const std::uint64_t id_;
    std::atomic<Duration::rep> trusted_;
};

} // namespace mooncake::store::detail
