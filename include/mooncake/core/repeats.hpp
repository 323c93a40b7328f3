#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/log.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

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
            const auto found = kinds_.find(kind);
            if (found == kinds_.end()) return;
            unsaid = found->second.unsaid;
            kinds_.erase(found);
        }
        log_(Severity::info, unsaid == 0
                                 ? std::string(sentence)
                                 : std::string(sentence) + " (it happened " + std::to_string(unsaid) + " times more)");
    }

  private:
    struct Kind {
        TimePoint said;
        std::uint64_t unsaid = 0;
    };
    static constexpr auto counted = ~std::uint64_t{0};

    /// How often it was not said before, if it is to be said now, and `counted` if it is not.
    std::uint64_t count(std::string_view kind) {
        const auto now = SteadyClock{}.now();
        const auto lock = std::lock_guard(mutex_);
        const auto [at, first] = kinds_.try_emplace(std::string(kind), Kind{.said = now});
        auto& known = at->second;
        if (first) return 0;
        if (now - known.said < period_) return ++known.unsaid, counted;
        known.said = now;
        return std::exchange(known.unsaid, 0);
    }

    const Log log_;
    const Duration period_;
    std::mutex mutex_; // of what follows
    std::map<std::string, Kind, std::less<>> kinds_;
};

} // namespace mooncake
