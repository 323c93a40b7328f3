#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/engine/path_meter.hpp>
#include <mooncake/engine/path_policy/measured.hpp>
#include <mooncake/engine/spread_config.hpp>
#include <mooncake/engine/window/delay_window.hpp>
#include <mooncake/health/breaker.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::engine::detail {

struct DispatchConfig {
    SpreadConfig spread = {};
    BreakerConfig breaker = {};
    Duration patience = std::chrono::milliseconds{500}; ///< what a chunk may take where nothing is known of its path
};

/// Spreads transfers over several paths to one peer: which path the next bytes take, how many, and how long they may take
/// before another path is tried. Pure: the caller brings the time, and says what became of what it was told to send.
/// Thread: one at a time.
class Dispatcher {
  public:
    /// Bytes that leave over a path.
    struct Chunk {
        std::size_t path = 0;
        PathMeter::Id id = 0;
        TimePoint sent_at{};
        Duration expected{}; ///< until it is there; zero: nobody knows
        Duration patience{}; ///< if nothing has come by then, the path is taken for silent
    };
    /// Which paths are not to be used for some bytes: one bit each.
    using Paths = std::uint64_t;
    static constexpr std::size_t most_paths = 64;

    /// What a path would take next.
    struct Choice {
        std::size_t path = 0;
        std::uint64_t bytes = 0; ///< at most so many; less than one slice: one slice
    };

    virtual ~Dispatcher() = default;
    [[nodiscard]] virtual std::size_t paths() const noexcept = 0;
    /// Nothing: all usable paths are full. With `must` there is only nothing where `except` has all of them.
    [[nodiscard]] virtual std::optional<Choice> choose(const PathWish& wish, Paths except, bool must,
                                                       TimePoint now) = 0;
    [[nodiscard]] virtual Chunk send(std::size_t path, std::uint64_t bytes, TimePoint now) = 0;
    /// `bytes` of it came; the rest was refused.
    virtual void arrived(const Chunk& chunk, std::uint64_t bytes, TimePoint now) = 0;
    /// Nothing of it came in the time that it had.
    virtual void silent(const Chunk& chunk, TimePoint now) = 0;
    /// The path said that it failed.
    virtual void failed(const Chunk& chunk, TimePoint now) = 0;
    /// Its owner wants it no more. That says nothing of the path, unless it was longer without an answer than it should be.
    virtual void gave_up(const Chunk& chunk, TimePoint now) = 0;
};

template <PathPolicy Policy = MeasuredPaths, WindowPolicy Window = DelayWindow>
class Dispatch final : public Dispatcher {
  public:
    /// `preferences`: of each path, see `PathView`; at most `most_paths`.
    Dispatch(std::span<const unsigned> preferences, const DispatchConfig& config, Policy policy = {})
        : config_(config), policy_(std::move(policy)) {
        for (const auto preference : preferences.first(std::min(preferences.size(), most_paths)))
            paths_.push_back({preference, PathMeter(), Window(), Breaker(config.breaker)});
    }

    [[nodiscard]] std::size_t paths() const noexcept override { return paths_.size(); }

    [[nodiscard]] std::optional<Choice> choose(const PathWish& wish, Paths except, bool must, TimePoint now) override {
        views_.clear();
        for (std::size_t i = 0; i < paths_.size(); ++i) views_.push_back(view(paths_[i], (except >> i & 1) == 0, now));
        auto at = policy_.choose(views_, wish, now);
        const auto chosen = at < paths_.size() && views_[at].usable; // a policy is somebody else's
        if (!chosen) at = must ? first_to_rest(except) : paths_.size();
        if (at >= paths_.size() || (views_[at].room == 0 && !must)) return std::nullopt;
        return Choice{at, chunk_bytes(views_[at].bytes_per_second)};
    }

    [[nodiscard]] Chunk send(std::size_t path, std::uint64_t bytes, TimePoint now) override {
        auto& on = paths_[path];
        const auto probe = !on.breaker.closed();
        on.breaker.tried(now);
        const auto expected = on.meter.expected(bytes, now);
        auto patience = config_.patience;
        if (probe) patience = std::max(config_.spread.probe, 3 * on.meter.base());
        else if (expected != Duration::zero())
            patience = std::min(patience + expected, 2 * expected + config_.spread.slack);
        return {path, on.meter.sent(bytes, now), now, expected, patience};
    }

    void arrived(const Chunk& chunk, std::uint64_t bytes, TimePoint now) override {
        auto& on = paths_[chunk.path];
        on.meter.arrived(chunk.id, bytes, now);
        on.window.arrived(on.meter.rate(now), on.meter.base());
        on.breaker.worked();
    }
    /// One that brings other chunks is slow, and not gone.
    void silent(const Chunk& chunk, TimePoint now) override {
        auto& on = paths_[chunk.path];
        const auto lives = on.meter.silent(chunk.id, now);
        on.window.failed();
        if (!lives) on.breaker.failed(chunk.sent_at, now);
    }
    void failed(const Chunk& chunk, TimePoint now) override {
        auto& on = paths_[chunk.path];
        on.meter.gave_up(chunk.id);
        on.window.failed();
        on.breaker.failed(chunk.sent_at, now);
    }
    void gave_up(const Chunk& chunk, TimePoint now) override {
        if (now - chunk.sent_at >= std::max(config_.patience / 16, chunk.expected)) silent(chunk, now);
        else paths_[chunk.path].meter.gave_up(chunk.id);
    }

  private:
    [[nodiscard]] std::uint64_t most_chunk() const noexcept { return std::max(8 * MiB, config_.spread.least_chunk); }

    struct Path {
        unsigned preference;
        PathMeter meter;
        Window window;
        Breaker breaker;
    };

    /// Of those that rest the one that has the least of it left.
    [[nodiscard]] std::size_t first_to_rest(Paths except) const noexcept {
        auto best = paths_.size();
        for (std::size_t i = 0; i < paths_.size(); ++i)
            if ((except >> i & 1) == 0 &&
                (best == paths_.size() || paths_[i].breaker.retry_at() < paths_[best].breaker.retry_at()))
                best = i;
        return best;
    }

    [[nodiscard]] std::uint64_t chunk_bytes(double speed) const noexcept {
        if (speed <= 0) return 16 * config_.spread.least_chunk;
        const auto fills = speed * std::chrono::duration<double>(config_.spread.chunk_time).count();
        return static_cast<std::uint64_t>(
            std::clamp(fills, static_cast<double>(config_.spread.least_chunk), static_cast<double>(most_chunk())));
    }

    [[nodiscard]] PathView view(const Path& path, bool wanted, TimePoint now) const {
        const auto flying = path.meter.in_flight();
        const auto speed = path.meter.rate(now);
        const auto window = std::max(path.window.bytes(), 2 * chunk_bytes(speed)); // one arrives while the next is sent
        return {.usable = wanted && path.breaker.may_try(now),
                .preference = path.preference,
                .in_flight = flying,
                .room = window > flying && (speed > 0 || flying == 0) ? window - flying : 0,
                .bytes_per_second = speed,
                .last_used = path.meter.last_sent()};
    }

    const DispatchConfig config_;
    Policy policy_;
    std::vector<Path> paths_;
    std::vector<PathView> views_; // of one call
};

} // namespace mooncake::engine::detail
