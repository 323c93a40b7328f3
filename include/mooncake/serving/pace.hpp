#pragma once

#include <mooncake/serving/index/instance_sets.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace mooncake {

/// Learns which instances are slower than the cost model says: by the time their prefills took, beside the time they were
/// to take with what was in their caches, compared with the same of all others. What is known fades, so that an instance which
/// nobody is sent to is tried again.
///
/// Thread: one at a time. Times: seconds of a clock that does not go back.
class Paces {
  public:
    explicit Paces(std::size_t instances) : each_(instances) {}

    /// A prefill at `instance` took `took` seconds of running that were to be `expected`.
    void add(InstanceId instance, double now, double took, double expected) noexcept {
        if (instance < each_.size()) each_[instance].runs = 0;
        if (instance >= each_.size() || !(took >= 0 && expected > 0) || !std::isfinite(took + expected)) return;
        for (auto* sum : std::initializer_list<Sum*>{&each_[instance], &all_}) {
            *sum = sum->at(now);
            sum->took += took, sum->expected += expected;
        }
    }
    /// A prefill began there, or goes on that has run for `ran` seconds of `expected`: when it is overdue that counts.
    void began(InstanceId instance, double now, double ran, double expected) noexcept {
        each_[instance].since = now - ran, each_[instance].runs = expected;
    }
    /// It paused, or was given up.
    void ended(InstanceId instance) noexcept { each_[instance].runs = 0; }
    /// By how much longer a prefill takes there than by the cost model and elsewhere: 1, or `noticed` and more.
    [[nodiscard]] double of(InstanceId instance, double now) const noexcept {
        const auto& known = each_[instance];
        auto mine = known.at(now);
        const auto all = all_.at(now);
        const auto usual =
            (std::max(0.0, all.took - mine.took) + doubt) / (std::max(0.0, all.expected - mine.expected) + doubt);
        if (const auto runs = now - known.since; known.runs > 0 && runs > known.runs)
            mine.took += runs, mine.expected += known.runs;
        const auto pace = (mine.took + doubt * usual) / (mine.expected + doubt) / usual;
        return pace >= noticed ? pace : 1;
    }
    /// It starts anew.
    void forget(InstanceId instance) noexcept {
        if (instance >= each_.size()) return;
        const auto mine = each_[instance].at(all_.when); // which is never the earlier one
        all_.took = std::max(0.0, all_.took - mine.took);
        all_.expected = std::max(0.0, all_.expected - mine.expected);
        each_[instance] = {};
    }

    static constexpr double noticed = 1.25; ///< less than that is noise

  private:
    static constexpr double memory = 30; // seconds after which what was seen counts a third
    static constexpr double doubt = .5;  // seconds of prefill as elsewhere that are assumed before any was seen
    struct Sum {
        double took = 0, expected = 0, when = 0;
        [[nodiscard]] Sum at(double now) const noexcept {
            const auto left = std::exp(std::min(0.0, when - now) / memory);
            return {.took = took * left, .expected = expected * left, .when = std::max(when, now)};
        }
    };
    struct Instance : Sum {
        double since = 0, runs = 0; // what runs: since when, and how long it was to; 0: nothing
    };
    std::vector<Instance> each_;
    Sum all_;
};

} // namespace mooncake
