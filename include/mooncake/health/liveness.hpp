#pragma once

#include <cstdint>
#include <utility>

namespace mooncake {

/// Whether a peer lives from which an answer is due: one that did nothing since the last look is asked for a sign of life,
/// and one that has not given it by the look after is gone. A pure state machine; the caller looks at regular times.
class Liveness {
  public:
    enum class Verdict : std::uint8_t { lives, ask, gone };

    /// `progress`: bytes that came and went so far, of which a question is `question` bytes. `due`: whether the peer owes
    /// anything; one that owes nothing may be silent.
    [[nodiscard]] Verdict look(std::uint64_t progress, std::uint64_t question, bool due) noexcept {
        const auto moved = progress - std::exchange(seen_, progress);
        const auto silent = due && moved <= (asked_ ? question : 0); // what went out since may be the question alone
        if (silent && asked_) return Verdict::gone;
        asked_ = silent;
        return silent ? Verdict::ask : Verdict::lives;
    }

  private:
    std::uint64_t seen_ = 0;
    bool asked_ = false;
};

} // namespace mooncake
