#pragma once

#include <mooncake/net/lane_operation.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::net::detail {

/// The way into a lane, from any thread, until the lane fails or is retired. Whether an operation is in is decided under
/// one lock: none is lost to a lane that ends, and one that did not get in was never sent.
class LaneIntake {
  public:
    enum class Entry : std::uint8_t {
        taken,   ///< the lane has it
        failed,  ///< and nothing of it is kept; `failure` says why
        retired, ///< the same, without anything being wrong: the next lane takes it
    };

    [[nodiscard]] std::uint64_t next_id() noexcept { return next_id_.fetch_add(1, std::memory_order_relaxed); }
    /// Whether a number was given out.
    [[nodiscard]] bool knows(std::uint64_t id) const noexcept { return id < next_id_.load(std::memory_order_relaxed); }
    /// How many numbers were given out.
    [[nodiscard]] std::uint64_t asked() const noexcept { return next_id_.load(std::memory_order_relaxed) - 1; }
    /// Bytes of operations that are in and not done.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

    [[nodiscard]] Entry enter(LaneOperation& operation) {
        const auto lock = std::lock_guard(mutex_);
        if (shut()) return retired_ ? Entry::retired : Entry::failed;
        operation.weight = weight_of(operation);
        waiting_.push_back(&operation);
        bytes_.fetch_add(operation.weight, std::memory_order_relaxed);
        return Entry::taken;
    }
    /// Calls `take(operation)` for those that have come in since the last time.
    template <class Take>
    void take_all(const Take& take) {
        const auto lock = std::lock_guard(mutex_);
        for (auto* const operation : waiting_) take(*operation);
        waiting_.clear();
    }
    void done(const LaneOperation& operation) noexcept {
        bytes_.fetch_sub(operation.weight, std::memory_order_relaxed);
    }

    [[nodiscard]] bool shut() const noexcept { return shut_.load(std::memory_order_acquire); }
    /// Takes no more. Whether it did until now.
    bool fail(Error why) {
        const auto lock = std::lock_guard(mutex_);
        return close(std::move(why));
    }
    /// Takes no more, unless something is in. Whether it did until now, and does not any more.
    bool retire() {
        const auto lock = std::lock_guard(mutex_);
        if (bytes() != 0 || !close(Errc::closed)) return false;
        retired_ = true;
        return true;
    }
    /// Why it is shut.
    [[nodiscard]] Error failure() const {
        const auto lock = std::lock_guard(mutex_);
        return failure_;
    }

  private:
    /// Requires: the lock is held.
    bool close(Error why) {
        if (shut()) return false;
        failure_ = std::move(why);
        shut_.store(true, std::memory_order_release);
        return true;
    }

    std::atomic<std::uint64_t> next_id_ = 1;
    std::atomic<std::uint64_t> bytes_ = 0;
    std::atomic<bool> shut_ = false;
    mutable std::mutex mutex_; // of what follows
    std::vector<LaneOperation*> waiting_;
    Error failure_;
    bool retired_ = false;
};

} // namespace mooncake::net::detail
