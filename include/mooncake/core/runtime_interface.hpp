#pragma once

/// What `Runtime` is to those who use it; `runtime.hpp` has the insides.

#include <mooncake/core/environment.hpp>
#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/core/task.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace mooncake {

namespace core::detail {

/// What gives no result, such as a `close()`, as a task.
template <class Void>
    requires std::is_void_v<Void>
Task<void> as_task(asio::awaitable<Void, Executor> operation) {
    co_await std::move(operation);
    co_return ok;
}

/// Blocks the calling thread until `task`, run on `executor`, is over. Throws what it throws.
template <class Void = void>
void block_on(const Executor& executor, Task<void> task);

/// `task`, whose result goes to its waiter; so that waiting is one function for results of every type.
template <class T>
Task<void> keep(Task<T> task, Result<T>& result) {
    result = co_await std::move(task);
    co_return ok;
}

} // namespace core::detail

/// Blocks the calling thread until `task`, run on `executor`, is over. For callers without coroutines.
/// Thread: any but those that may have to run something of the task, which would wait for each other: not one of the `Runtime`
/// whose executor it is, and not the one that turns the executor's context. Throws `invalid_argument` there.
template <class T>
Result<T> sync_wait(const Executor& executor, Task<T> task) {
    auto result = Result<T>();
    core::detail::block_on(executor, core::detail::keep(std::move(task), result));
    return result;
}
/// The same for what gives no result.
template <class Void>
    requires std::is_void_v<Void>
void sync_wait(const Executor& executor, asio::awaitable<Void, Executor> operation) {
    core::detail::block_on(executor, core::detail::as_task(std::move(operation)));
}

enum class ThreadPin : std::uint8_t { no, one_core_each };

struct RuntimeConfig {
    unsigned threads = 0;          ///< 1 … 1024; 0 is one for each core this process may use
    ThreadPin pin = ThreadPin::no; ///< whether thread i stays on the i-th of those cores
    /// How long a thread that has run out of work looks for more before it sleeps; 0 … 1 s. Choose more than 0 when answers
    /// have to come soon and each thread has a core of its own: who looks is not woken, and keeps the core from others.
    Duration spin = Duration::zero();
};

/// Owns N threads with one `io_context` each. State belongs to one executor, so there are no strands. Its threads take none
/// of the application's signals. `Runtime` is the name to use.
/// Lifetime: first made, last destroyed: engines, stores and servers that use it are closed before. The destructor ends the
/// program, with a sentence, where they are not.
template <class Void>
class BasicRuntime {
  public:
    /// Held by what uses a runtime, until that is closed.
    class Tenant {
      public:
        explicit Tenant(BasicRuntime& runtime) noexcept : runtime_(runtime) {
            runtime.tenants_.fetch_add(1, std::memory_order_relaxed);
        }
        Tenant(const Tenant&) = delete;
        Tenant& operator=(const Tenant&) = delete;
        ~Tenant() { runtime_.tenants_.fetch_sub(1, std::memory_order_release); }

      private:
        BasicRuntime& runtime_;
    };

    /// Throws `boost::system::system_error`: `invalid_argument`, `system` (the system gives no more threads).
    explicit BasicRuntime(RuntimeConfig config = {});
    BasicRuntime(const BasicRuntime&) = delete;
    BasicRuntime& operator=(const BasicRuntime&) = delete;
    virtual ~BasicRuntime();

    [[nodiscard]] std::size_t size() const noexcept { return executors_.size(); }
    [[nodiscard]] Executor executor(std::size_t index = 0) const noexcept {
        return executors_[index % executors_.size()];
    }
    /// The `index`-th of the executors that are not `own`, for spreading work. Requires more than one.
    [[nodiscard]] Executor other_executor(const Executor& own, std::size_t index) const noexcept;
    /// The executors in turn.
    [[nodiscard]] Executor next_executor() noexcept { return executor(turn_.fetch_add(1, std::memory_order_relaxed)); }

    /// Whether the calling thread is one of this runtime's.
    [[nodiscard]] bool on_own_thread() const noexcept;

    /// Runs `task` on the first executor and blocks until it is over. Thread: any but the runtime's own.
    /// Throws `invalid_argument` on one of its own, which would wait for itself.
    template <class T>
    Result<T> run(Task<T> task) {
        auto result = Result<T>();
        run_to_end(core::detail::keep(std::move(task), result));
        return result;
    }
    /// The same for what gives no result: `runtime.run(store.close())`.
    template <class V>
        requires std::is_void_v<V>
    void run(asio::awaitable<V, Executor> operation) {
        run_to_end(core::detail::as_task(std::move(operation)));
    }

  protected:
    /// For a runtime whose executors, at least one, are turned by somebody else, who has put `environment` in place then.
    BasicRuntime(Environment& environment, std::vector<Executor> executors);

  private:
    struct Loop;

    void run_to_end(Task<void> task);
    static std::vector<int> usable_cores();
    int start(Loop& loop, Duration spin);
    static void turn(Loop& loop, Duration spin);
    static int pin(Loop& loop, int core);
    void stop() noexcept;

    Environment* environment_ = nullptr; ///< null: the threads are our own
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<Executor> executors_; // die first: they name the loops
    std::atomic<std::size_t> turn_ = 0, tenants_ = 0;
};

} // namespace mooncake
