#pragma once

#include <atomic>
#include <cstdint>

namespace mooncake::store::detail {

/// How much space something holds, and in how many pieces.
struct HeldSpace {
    std::uint64_t bytes = 0;
    std::uint64_t extents = 0;

    HeldSpace& operator+=(const HeldSpace& other) noexcept {
        bytes += other.bytes;
        extents += other.extents;
        return *this;
    }
    HeldSpace& operator-=(const HeldSpace& other) noexcept {
        bytes -= other.bytes;
        extents -= other.extents;
        return *this;
    }
    friend HeldSpace operator+(HeldSpace left, const HeldSpace& right) noexcept { return left += right; }
};

/// The same, for any thread. Its two parts are not of one moment.
class SharedHeldSpace {
  public:
    void add(const HeldSpace& more) noexcept {
        bytes_.fetch_add(more.bytes, std::memory_order_relaxed);
        extents_.fetch_add(more.extents, std::memory_order_relaxed);
    }
    void subtract(const HeldSpace& less) noexcept {
        bytes_.fetch_sub(less.bytes, std::memory_order_relaxed);
        extents_.fetch_sub(less.extents, std::memory_order_relaxed);
    }
    [[nodiscard]] HeldSpace get() const noexcept {
        return {bytes_.load(std::memory_order_relaxed), extents_.load(std::memory_order_relaxed)};
    }

  private:
    std::atomic<std::uint64_t> bytes_{0}, extents_{0};
};

} // namespace mooncake::store::detail
