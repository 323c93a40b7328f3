#pragma once

#include <cstdint>
#include <limits>

namespace mooncake {

/// splitmix64: 64 well-mixed bits from a counter. For jitter, placement and made-up workloads; not for secrets. The same
/// seed gives the same numbers everywhere. A `std::uniform_random_bit_generator`.
class SplitMix64 {
  public:
    using result_type = std::uint64_t;

    explicit constexpr SplitMix64(std::uint64_t seed = 0) noexcept : state_(seed) {}

    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return std::numeric_limits<std::uint64_t>::max(); }

    constexpr std::uint64_t operator()() noexcept {
        auto x = state_ += 0x9e3779b97f4a7c15ULL;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31);
    }

    /// Uniform in [0, 1).
    constexpr double uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

  private:
    std::uint64_t state_;
};

} // namespace mooncake
