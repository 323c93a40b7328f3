#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/engine/window/concept.hpp>

#include <algorithm>
#include <chrono>

namespace mooncake {

/// Choose this when: always. Twice what the path delivers in the least time that a chunk takes: one part is on its way while the
/// other is acknowledged, and what is more would only wait in a queue, where it cannot be moved to another path.
/// Source: BBR (Cardwell et al., ACM Queue 14/5, 2016), cwnd_gain = 2.
class DelayWindow {
  public:
    static constexpr std::string_view name = "delay";
    static constexpr std::uint64_t first = 4 * MiB, least = 256 * KiB, most = 256 * MiB;

    void arrived(double bytes_per_second, Duration base) noexcept {
        const auto seconds = std::chrono::duration<double>(base).count();
        const auto twice = 2 * bytes_per_second * seconds;
        const auto enough = twice >= static_cast<double>(least); // what is no number is not
        bytes_ = !enough ? least : static_cast<std::uint64_t>(std::min(twice, static_cast<double>(most)));
    }
    void failed() noexcept { bytes_ = std::max(least, bytes_ / 2); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    std::uint64_t bytes_ = first;
};
static_assert(WindowPolicy<DelayWindow>);

} // namespace mooncake
