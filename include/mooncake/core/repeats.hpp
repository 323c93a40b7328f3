#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/log.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// A log for what may go on happening: said when it happens first, then counted, and said again with the count once a period.
/// So neither a peer nor an outage fills a disk with one sentence. Thread: any.
class Repeats {
  public:
    explicit Repeats(Log log, Duration period = std::chrono::minutes{1}) : log_(std::move(log)), period_(period) {}

    /// `kind`: what it is that repeats itself, however the sentences differ; one of few.
    void operator()(Severity severity, std::string_view kind, std::string_view sentence) {
        if (!log_) return;
        const auto unsaid = count(kind);
        if (unsaid == counted) return;
        if (unsaid == 0) return log_(severity, sentence);
        log_(severity, std::string(sentence) + " (and " + std::to_string(unsaid) + " more like it since it was said)");
    }

    /// It does not happen any more, as `sentence` says, if it did: with how often it happened unsaid.
    void over(std::string_view kind, std::string_view sentence) {
        if (!log_) return;
        auto unsaid = std::uint64_t{0};
        {
            const auto lock = std::lock_guard(mutex_);
            auto* const known = find(kind);
            if (known == nullptr) return;
            unsaid = known->unsaid;
            if (known != &kinds_.back()) *known = std::move(kinds_.back());
            kinds_.pop_back();
        }
        log_(Severity::info, unsaid == 0
                                 ? std::string(sentence)
                                 : std::string(sentence) + " (it happened " + std::to_string(unsaid) + " times more)");
    }

  private:
    struct Kind {
        std::string name;
        TimePoint said;
        std::uint64_t unsaid = 0;
    };
    static constexpr auto counted = ~std::uint64_t{0};

    /// How often it was not said before, if it is to be said now, and `counted` if it is not.
    std::uint64_t count(std::string_view kind) {
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(mutex_);
        auto* const known = find(kind);
        if (known == nullptr) {
            kinds_.push_back({.name = std::string(kind), .said = now});
            return 0;
        }
        if (now - known->said < period_) return ++known->unsaid, counted;
        known->said = now;
        return std::exchange(known->unsaid, 0);
    }

    Kind* find(std::string_view kind) noexcept {
        for (auto& known : kinds_)
            if (known.name == kind) return &known;
        return nullptr;
    }

    const Log log_;
    const Duration period_;
    std::mutex mutex_;        // of what follows
    std::vector<Kind> kinds_; // few
};

} // namespace mooncake
