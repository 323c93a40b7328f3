#pragma once

#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/simulator/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace mooncake::serving::detail {

/// A decode instance with continuous batching. Between two changes of the batch all iterations are alike but for the context
/// that grows, so that time goes from change to change and not from token to token.
class DecodeNode {
  public:
    struct Sequence {
        std::uint64_t id = 0;
        std::uint64_t tokens = 0; ///< of the prompt
        std::uint64_t output = 0; ///< tokens after the first one; above 0
        double first_token = 0;
    };
    struct Finished {
        std::uint64_t id = 0;
        double tbt = 0; ///< the mean of its longest tenth of intervals, seconds
    };

    DecodeNode(const DecodeCost& cost, std::uint64_t bytes_per_token, std::uint64_t capacity)
        : usual_(cost), cost_(cost), bytes_per_token_(bytes_per_token), capacity_(capacity) {}

    /// Whether it could run here if it were alone.
    [[nodiscard]] bool fits(const Sequence& one) const noexcept { return one.tokens + one.output <= capacity_; }

    /// It waits for the end of the iteration that runs, and for memory.
    void join(double now, const Sequence& one) {
        waiting_.push_back(one);
        if (running_.empty()) admit(now);
        else plan(now);
    }

    /// Iterations take so many times as long from the next change of the batch on.
    void slow(double times) noexcept { slower_ = times; }
    /// Appends all that run or wait.
    void ids(std::vector<std::uint64_t>& all) const {
        for (const auto& one : running_) all.push_back(one.sequence.id);
        for (const auto& one : waiting_) all.push_back(one.id);
    }

    /// When something happens next; infinite where nothing does.
    [[nodiscard]] double next() const noexcept { return next_; }

    /// It is `next()`. Appends who has all of its tokens.
    void advance(TimeHistogram& itl, std::vector<Finished>& finished) {
        const auto now = next_;
        close(itl);
        while (!running_.empty() && running_.front().ends == steps_) {
            const auto one = running_.front();
            std::pop_heap(running_.begin(), running_.end(), later);
            running_.pop_back();
            used_ -= one.sequence.tokens + one.sequence.output;
            context_ -= one.sequence.tokens + one.sequence.output;
            finished.push_back({.id = one.sequence.id, .tbt = longest_tenth(one)});
        }
        admit(now);
        if (log_.size() > 64 && log_.size() > 2 * trimmed_) trim();
    }

    [[nodiscard]] std::size_t sequences() const noexcept { return running_.size(); }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  private:
    struct Running {
        Sequence sequence;
        std::uint64_t ends = 0;   // after which iteration
        std::uint64_t logged = 0; // the first part of the log that is its own
        double waited = 0;        // from its first token until its first iteration began
    };
    struct Part { // iterations between two changes
        std::uint64_t steps = 0;
        double first = 0, other = 0; // seconds of the first, and of each other one
    };
    static bool later(const Running& a, const Running& b) noexcept { return a.ends > b.ends; }

    void admit(double now) {
        began_ = now;
        stall_ = 0;
        cost_.constant = usual_.constant * slower_;
        cost_.context = usual_.context * slower_;
        cost_.sequence = usual_.sequence * slower_;
        while (!waiting_.empty() && used_ + waiting_.front().tokens + waiting_.front().output <= capacity_) {
            const auto one = waiting_.front();
            waiting_.pop_front();
            used_ += one.tokens + one.output;
            context_ += one.tokens;
            if (cost_.load_bandwidth > 0)
                stall_ += static_cast<double>(one.tokens * bytes_per_token_) / cost_.load_bandwidth;
            running_.push_back({.sequence = one,
                                .ends = steps_ + one.output,
                                .logged = log_begin_ + log_.size(),
                                .waited = now - one.first_token});
            std::push_heap(running_.begin(), running_.end(), later);
        }
        plan(now);
    }

    /// Until the next sequence ends, or the iteration that runs where somebody waits who fits.
    void plan(double now) {
        if (running_.empty()) {
            next_ = std::numeric_limits<double>::infinity();
            return;
        }
        planned_ = running_.front().ends - steps_;
        if (!waiting_.empty() && used_ + waiting_.front().tokens + waiting_.front().output <= capacity_) {
            const auto over = cost_.steps_within(running_.size(), context_, now - began_ - stall_);
            planned_ = std::min(planned_, over + 1);
        }
        next_ = std::max(now, began_ + stall_ + cost_.steps(running_.size(), context_, planned_));
    }

    void close(TimeHistogram& itl) {
        const auto steps = cost_.steps(running_.size(), context_, planned_);
        const auto each = steps / static_cast<double>(planned_);
        log_.push_back({.steps = planned_, .first = each + stall_, .other = each});
        itl.add(each + stall_, running_.size());
        itl.add(each, running_.size() * (planned_ - 1));
        steps_ += planned_;
        context_ += running_.size() * planned_;
    }

    [[nodiscard]] double longest_tenth(const Running& one) {
        intervals_.clear();
        for (auto i = one.logged; i < log_begin_ + log_.size(); ++i) {
            const auto& part = log_[i - log_begin_];
            intervals_.push_back({part.first + (i == one.logged ? one.waited : 0), 1});
            if (part.steps > 1) intervals_.push_back({part.other, part.steps - 1});
        }
        std::sort(intervals_.begin(), intervals_.end(), std::greater<>());
        const auto wanted = (one.sequence.output + 9) / 10;
        auto left = wanted;
        auto sum = 0.0;
        for (const auto& [seconds, times] : intervals_) {
            const auto taken = std::min(left, times);
            sum += seconds * static_cast<double>(taken);
            if ((left -= taken) == 0) break;
        }
        return sum / static_cast<double>(wanted);
    }

    void trim() {
        auto oldest = log_begin_ + log_.size();
        for (const auto& one : running_) oldest = std::min(oldest, one.logged);
        log_.erase(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(oldest - log_begin_));
        log_begin_ = oldest;
        trimmed_ = log_.size();
    }

    DecodeCost usual_, cost_;
    double slower_ = 1;
    std::uint64_t bytes_per_token_, capacity_;
    std::vector<Running> running_; // a heap: who ends first
    std::deque<Sequence> waiting_;
    std::uint64_t used_ = 0;    // tokens of memory, answers in full
    std::uint64_t context_ = 0; // tokens when this part began
    std::uint64_t steps_ = 0, planned_ = 0;
    double began_ = 0, stall_ = 0, next_ = std::numeric_limits<double>::infinity();
    std::deque<Part> log_;
    std::uint64_t log_begin_ = 0;
    std::size_t trimmed_ = 0;
    std::vector<std::pair<double, std::uint64_t>> intervals_;
};

} // namespace mooncake::serving::detail
