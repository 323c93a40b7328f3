#pragma once

#include <mooncake/serving/simulator/block_cache.hpp>
#include <mooncake/serving/simulator/config.hpp>
#include <mooncake/serving/simulator/metrics.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::serving::detail {

/// An instance that prefills and decodes: an iteration is a chunk of prefill and one token for each sequence that decodes.
/// Blocks of running requests stay; when one is over its blocks are cached, and the tails go first. A request starts when
/// there is room for its whole prompt and answer, so that none is ever interrupted.
template <BlockCache Cache>
class CoupledNode {
  public:
    struct Sequence {
        std::uint64_t id = 0, tokens = 0, output = 0; ///< output: all tokens of the answer, at least 1
        std::span<const BlockKey> blocks{};           ///< of the prompt; outlive the sequence
        double key = 0;
    };
    enum class What : std::uint8_t { started, first_token, finished };
    struct Event {
        What what;
        std::uint64_t id;
        std::uint32_t reused = 0; ///< started: leading blocks that were there
        double tbt = 0;           ///< finished: the mean of its longest tenth of intervals
    };

    CoupledNode(const CoupledCost& cost, std::uint64_t block_tokens)
        : cost_(cost), block_tokens_(block_tokens), cache_(cost.blocks) {}

    [[nodiscard]] bool fits(const Sequence& one) const noexcept {
        return one.blocks.size() + answer_blocks(one) <= cost_.blocks;
    }
    [[nodiscard]] double next() const noexcept { return next_; }
    [[nodiscard]] bool idle() const noexcept { return running_.empty(); }
    [[nodiscard]] const Cache& cache() const noexcept { return cache_; }

    /// Iterations take so many times as long from the next one on.
    void slow(double times) noexcept { slower_ = times; }
    /// Appends all that run or wait.
    void ids(std::vector<std::uint64_t>& all) const {
        for (const auto& one : running_) all.push_back(one.sequence.id);
        for (const auto& one : waiting_) all.push_back(one.id);
    }

    void add(const Sequence& one) {
        const auto at = std::upper_bound(waiting_.begin(), waiting_.end(), one,
                                         [](const Sequence& a, const Sequence& b) { return a.key < b.key; });
        waiting_.insert(at, one);
    }

    /// Begins an iteration where none runs. Appends what happens, and what leaves the cache.
    void begin(double now, std::vector<Event>& events, std::vector<BlockKey>& evicted) {
        while (!waiting_.empty() && running_.size() < cost_.batch && start(waiting_.front(), events, evicted))
            waiting_.erase(waiting_.begin());
        next_ = std::numeric_limits<double>::infinity();
        if (running_.empty()) return;
        auto left = cost_.chunk;
        auto decoding = std::size_t{0};
        for (auto& one : running_) {
            one.chunk = std::min(left, one.to_compute);
            left -= one.chunk;
            decoding += one.to_compute == 0;
        }
        duration_ = cost_.iteration + cost_.sequence * static_cast<double>(decoding) +
                    cost_.token * static_cast<double>(cost_.chunk - left);
        duration_ *= slower_;
        next_ = now + duration_;
    }

    /// It is `next()`: the iteration is over. Appends what happened, what came into the cache and what left it.
    void advance(TimeHistogram& itl, std::vector<Event>& events, std::vector<BlockKey>& added,
                 std::vector<BlockKey>& evicted) {
        for (auto& one : running_) {
            if (one.to_compute == 0) {
                --one.to_decode;
                one.intervals.push_back(duration_);
                itl.add(duration_);
            } else if (one.chunk != 0 && (one.to_compute -= one.chunk) == 0) {
                reserved_ -= one.sequence.blocks.size() - one.reused;
                cache_.insert(one.sequence.blocks, added, evicted);
                cache_.pin(one.sequence.blocks.subspan(one.reused));
                events.push_back({.what = What::first_token, .id = one.sequence.id});
            } else {
                continue;
            }
            if (one.to_decode != 0) continue;
            cache_.unpin(one.sequence.blocks);
            reserved_ -= answer_blocks(one.sequence);
            events.push_back({.what = What::finished, .id = one.sequence.id, .tbt = longest_tenth(one.intervals)});
        }
        std::erase_if(running_, [](const Running& one) { return one.to_compute == 0 && one.to_decode == 0; });
        begin(next_, events, evicted);
    }

  private:
    struct Running {
        Sequence sequence;
        std::uint32_t reused = 0;                    // blocks
        std::uint64_t to_compute = 0, to_decode = 0; // tokens; the first token of the answer comes with the last chunk
        std::uint64_t chunk = 0;                     // of this iteration
        std::vector<double> intervals{};
    };

    [[nodiscard]] std::size_t answer_blocks(const Sequence& one) const noexcept {
        return static_cast<std::size_t>((one.output + block_tokens_ - 1) / block_tokens_);
    }

    bool start(const Sequence& one, std::vector<Event>& events, std::vector<BlockKey>& evicted) {
        const auto reused = cache_.match(one.blocks);
        const auto there = one.blocks.first(reused);
        const auto wanted = one.blocks.size() - reused + answer_blocks(one);
        cache_.pin(there);
        if (cache_.pinned() + reserved_ + wanted > cost_.blocks) {
            cache_.unpin(there);
            return false;
        }
        reserved_ += wanted;
        cache_.make_room(reserved_, evicted);
        running_.push_back({.sequence = one,
                            .reused = reused,
                            .to_compute = one.tokens - std::min(one.tokens - 1, reused * block_tokens_),
                            .to_decode = one.output - 1});
        events.push_back({.what = What::started, .id = one.id, .reused = reused});
        return true;
    }

    static double longest_tenth(std::vector<double>& intervals) {
        if (intervals.empty()) return 0;
        const auto count = (intervals.size() + 9) / 10;
        std::partial_sort(intervals.begin(), intervals.begin() + static_cast<std::ptrdiff_t>(count), intervals.end(),
                          std::greater<>());
        auto sum = 0.0;
        for (std::size_t i = 0; i < count; ++i) sum += intervals[i];
        return sum / static_cast<double>(count);
    }

    CoupledCost cost_;
    std::uint64_t block_tokens_;
    Cache cache_;
    std::size_t reserved_ = 0; // places for what running requests have not filled yet
    std::vector<Sequence> waiting_;
    std::vector<Running> running_;
    double slower_ = 1, duration_ = 0, next_ = std::numeric_limits<double>::infinity();
};

} // namespace mooncake::serving::detail
