#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace mooncake {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// What this library asks of the world beyond executors, streams and files: the time, secrets, and how much memory arenas
/// may have and where it lies. A thread asks the operating system unless somebody has put another environment in its place, as
/// the simulation does for each of its processes. Nothing else in the library reads a clock or draws a secret (a lint sees to
/// it).
///
/// Lifetime: an environment outlives the thread's use of it. Thread: each thread has its own.
class Environment {
  public:
    Environment() = default;
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    virtual ~Environment() = default;

    /// Never goes back.
    [[nodiscard]] virtual TimePoint now() noexcept = 0;
    /// 64 bits that nobody can guess.
    [[nodiscard]] virtual std::uint64_t random_bits() noexcept = 0;
    /// Bytes that an arena may have at most, however much there is in the machine.
    [[nodiscard]] virtual std::uint64_t memory_room() noexcept { return std::numeric_limits<std::uint64_t>::max(); }

    /// The NUMA node that all memory lies on.
    [[nodiscard]] virtual unsigned memory_node() noexcept { return 0; }

    /// Null: the operating system.
    [[nodiscard]] static Environment* current() noexcept { return current_; }

    /// Puts an environment in place for as long as this lives.
    class Scope {
      public:
        explicit Scope(Environment* environment) noexcept : before_(current_) { current_ = environment; }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { current_ = before_; }

      private:
        Environment* before_;
    };

  private:
    static inline constinit thread_local Environment* current_ = nullptr;
};

} // namespace mooncake
