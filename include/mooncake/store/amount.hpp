#pragma once

#include <algorithm>
#include <cstdint>

namespace mooncake::store::detail {

/// Sizes of anything, hostile numbers included: one that is too large stays so.
class Amount {
  public:
    static constexpr std::uint64_t most = std::uint64_t{1} << 48U; ///< bytes

    constexpr explicit Amount(std::uint64_t value) noexcept : value_(std::min(value, most + 1)) {}
    constexpr Amount operator*(std::uint64_t by) const noexcept {
        return Amount(by != 0 && value_ > most / by ? most + 1 : value_ * by);
    }
    constexpr Amount operator+(Amount other) const noexcept { return Amount(value_ + other.value_); }
    [[nodiscard]] constexpr bool fits() const noexcept { return value_ <= most; }
    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }

  private:
    std::uint64_t value_;
};

} // namespace mooncake::store::detail
