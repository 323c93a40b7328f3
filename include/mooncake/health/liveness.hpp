#pragma once

#include <cstdint>
#include <utility>

namespace mooncake {

/// Whether a peer lives from which an answer is due: one of which nothing was heard for two looks is asked for a sign of life,
/// and one that has not given it two looks after the question went out is gone. What we send is no sign of life, however
/// much of it the kernel takes; it only keeps a question waiting that is behind it. A pure state machine; the caller looks
/// at regular times.
class Liveness {
  public:
    enum class Verdict : std::uint8_t { lives, ask, gone };

    struct Sight {
        std::uint64_t received = 0; ///< bytes so far
        std::uint64_t sent = 0;     ///< bytes so far
        bool asked = false;         ///< whether the last question has gone out
        bool due = false;           ///< whether the peer owes anything; one that owes nothing may be silent
    };

    [[nodiscard]] Verdict look(const Sight& now) noexcept {
        const auto heard = std::exchange(received_, now.received) != now.received;
        const auto sending = std::exchange(sent_, now.sent) != now.sent;
        if (heard || !now.due) {
            quiet_ = 0;
            asking_ = false;
            return Verdict::lives;
        }
        if (asking_ && !now.asked && sending) quiet_ = 0; // the question has yet to get there
        if (++quiet_ < patience) return Verdict::lives;
        quiet_ = 0;
        return std::exchange(asking_, true) ? Verdict::gone : Verdict::ask;
    }

    static constexpr unsigned patience = 2; ///< looks

  private:
    std::uint64_t received_ = 0, sent_ = 0;
    unsigned quiet_ = 0;  ///< looks at which nothing was heard
    bool asking_ = false; ///< whether an answer to the question is waited for
};

} // namespace mooncake
