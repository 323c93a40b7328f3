#pragma once

#include <mooncake/core/clock.hpp>

#include <compare>

namespace mooncake {

/// When an operation must be over. A point in time, not a length: layers hand it down unchanged.
/// `Deadline{}` never passes; a duration converts to "from now", so `{.deadline = 5ms}` reads as one would say it.
/// Every public operation has `usual()` where its caller says nothing; `never()` has to be said.
class Deadline {
  public:
    static constexpr auto usual_patience = std::chrono::seconds{10};

    constexpr Deadline() noexcept = default;
    constexpr explicit Deadline(TimePoint at) noexcept : at_(at) {}
    template <class Rep, class Period>
    Deadline(std::chrono::duration<Rep, Period> from_now) noexcept : at_(saturating(SteadyClock{}.now(), from_now)) {}

    [[nodiscard]] static constexpr Deadline never() noexcept { return {}; }
    /// 10 s from now.
    [[nodiscard]] static Deadline usual() noexcept { return usual_patience; }
    [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == TimePoint::max(); }
    [[nodiscard]] constexpr TimePoint at() const noexcept { return at_; }
    [[nodiscard]] constexpr bool passed(TimePoint now) const noexcept { return !is_never() && at_ <= now; }
    [[nodiscard]] bool passed() const noexcept { return !is_never() && at_ <= SteadyClock{}.now(); }

    /// How long from `now`, zero when it has passed, `Duration::max()` when it never does.
    [[nodiscard]] constexpr Duration left(TimePoint now) const noexcept {
        return is_never() ? Duration::max() : at_ <= now ? Duration::zero() : at_ - now;
    }

    /// The earlier of the two.
    [[nodiscard]] constexpr Deadline or_sooner(Deadline other) const noexcept {
        return at_ < other.at_ ? *this : other;
    }

    friend constexpr auto operator<=>(const Deadline&, const Deadline&) noexcept = default;

  private:
    template <class Rep, class Period>
    static TimePoint saturating(TimePoint now, std::chrono::duration<Rep, Period> length) noexcept {
        using Seconds = std::chrono::duration<double>;
        if (Seconds{length} > Seconds{std::chrono::hours{24 * 365 * 100}}) return TimePoint::max();
        return now + std::chrono::duration_cast<Duration>(length);
    }

    TimePoint at_ = TimePoint::max();
};

} // namespace mooncake
