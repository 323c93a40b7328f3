#pragma once

#include <mooncake/core/end_program.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/core/signals.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
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

} // namespace core::detail

/// Blocks the calling thread until `task`, run on `executor`, is over. For callers without coroutines.
/// Thread: any but the executor's own. Throws `invalid_argument` there, since it would wait for itself.
template <class T>
Result<T> sync_wait(const Executor& executor, Task<T> task) {
    if (const auto* const loop =
            core::detail::known_later<T>(executor).template target<asio::io_context::executor_type>();
        loop != nullptr && loop->running_in_this_thread())
        throw_error({Errc::invalid_argument,
                     "sync_wait was called on the thread that is to run the task, and would wait "
                     "for itself: co_await the task instead"});
    struct {
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<Result<T>> result;
        std::exception_ptr thrown;
    } state;
    auto done = [&state](std::exception_ptr failure, Result<T> value) {
        const auto lock = std::lock_guard(state.mutex);
        state.thrown = std::move(failure);
        state.result.emplace(std::move(value));
        state.changed.notify_one();
    };
    asio::co_spawn(executor, core::detail::entry(std::move(task)), done);
    auto lock = std::unique_lock(state.mutex);
    state.changed.wait(lock, [&state] { return state.result.has_value(); });
    if (state.thrown) std::rethrow_exception(state.thrown);
    return std::move(*state.result);
}
/// The same for what gives no result.
template <class Void>
    requires std::is_void_v<Void>
void sync_wait(const Executor& executor, asio::awaitable<Void, Executor> operation) {
    (void)sync_wait(executor, core::detail::as_task(std::move(operation)));
}

enum class Pin : std::uint8_t { no, one_core_each };

struct RuntimeConfig {
    unsigned threads = 0; ///< 1 … 1024; 0 is one for each core this process may use
    Pin pin = Pin::no;    ///< whether thread i stays on the i-th of those cores
};

/// Owns N threads with one `io_context` each. State belongs to one executor, so there are no strands. Its threads take none
/// of the application's signals.
/// Lifetime: first made, last destroyed: engines, stores and servers that use it are closed before. The destructor ends the
/// program, with a sentence, where they are not.
class Runtime {
  public:
    /// Held by what uses a runtime, until that is closed.
    class Tenant {
      public:
        explicit Tenant(Runtime& runtime) noexcept : runtime_(runtime) {
            runtime.tenants_.fetch_add(1, std::memory_order_relaxed);
        }
        Tenant(const Tenant&) = delete;
        Tenant& operator=(const Tenant&) = delete;
        ~Tenant() { runtime_.tenants_.fetch_sub(1, std::memory_order_release); }

      private:
        Runtime& runtime_;
    };

    /// Throws `boost::system::system_error`: `invalid_argument`, `system` (the system gives no more threads).
    explicit Runtime(RuntimeConfig config = {}) {
        const auto cores = usable_cores();
        if (config.threads > 1024)
            throw_error({Errc::invalid_argument, "RuntimeConfig::threads is " + std::to_string(config.threads) +
                                                     "; give 1 to 1024, or 0 for one per core"});
        const auto count = config.threads ? config.threads : static_cast<unsigned>(cores.size());
        for (unsigned i = 0; i < count; ++i) {
            loops_.push_back(std::make_unique<Loop>());
            executors_.push_back(loops_.back()->context.get_executor());
        }
        for (unsigned i = 0; i < count; ++i) {
            auto refused = start(*loops_[i]);
            if (!refused && config.pin == Pin::one_core_each) refused = pin(loops_[i]->thread, cores[i % cores.size()]);
            if (!refused) continue;
            stop();
            throw_error({Errc::system, "thread " + std::to_string(i + 1) + " of the " + std::to_string(count) +
                                           " of a Runtime: " + std::generic_category().message(refused) +
                                           "; raise the limit of processes (ulimit -u, pids.max), or give "
                                           "RuntimeConfig::threads a smaller number"});
        }
    }
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    virtual ~Runtime() {
        const auto left = tenants_.load(std::memory_order_acquire);
        if (left != 0 && environment_ == nullptr)
            core::detail::end_program("a Runtime was destroyed before the engines, stores and servers that use it (" +
                                      std::to_string(left) + " not closed): declare it before them");
        stop();
    }

    [[nodiscard]] std::size_t size() const noexcept { return executors_.size(); }
    [[nodiscard]] Executor executor(std::size_t index = 0) const noexcept {
        return executors_[index % executors_.size()];
    }
    /// The `index`-th of the executors that are not `own`, for spreading work. Requires more than one.
    [[nodiscard]] Executor other_executor(const Executor& own, std::size_t index) const noexcept {
        for (std::size_t i = 0; i < size(); ++i)
            if (executors_[i] == own) return executor(i + 1 + index % (size() - 1));
        return executor(index);
    }
    /// The executors in turn.
    [[nodiscard]] Executor next_executor() noexcept { return executor(turn_.fetch_add(1, std::memory_order_relaxed)); }

    /// Whether the calling thread is one of this runtime's.
    [[nodiscard]] bool on_own_thread() const noexcept {
        if (environment_ != nullptr) return Environment::current() == environment_;
        return std::any_of(loops_.begin(), loops_.end(),
                           [](const auto& loop) { return loop->thread.get_id() == std::this_thread::get_id(); });
    }

    /// Runs `task` on the first executor and blocks until it is over. Thread: any but the runtime's own.
    /// Throws `invalid_argument` on one of its own, which would wait for itself.
    template <class T>
    Result<T> run(Task<T> task) {
        if (on_own_thread())
            throw_error({Errc::invalid_argument,
                         "Runtime::run was called on one of the runtime's own threads, which would "
                         "wait for itself: co_await the task instead"});
        return sync_wait(executor(0), std::move(task));
    }
    /// The same for what gives no result: `runtime.run(store.close())`.
    template <class Void>
        requires std::is_void_v<Void>
    void run(asio::awaitable<Void, Executor> operation) {
        (void)run(core::detail::as_task(std::move(operation)));
    }

  protected:
    /// For a runtime whose executors, at least one, are turned by somebody else, who has put `environment` in place then.
    Runtime(Environment& environment, std::vector<Executor> executors)
        : environment_(&environment), executors_(std::move(executors)) {}

  private:
    struct Loop {
        Loop() { asio::make_service<core::detail::OwnContext>(context); }
        asio::io_context context{1};
        asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
        std::thread thread;
    };

    static std::vector<int> usable_cores() {
        auto cores = std::vector<int>();
        auto set = cpu_set_t();
        CPU_ZERO(&set);
        if (sched_getaffinity(0, sizeof set, &set) == 0)
            for (int core = 0; core < CPU_SETSIZE; ++core)
                if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
        if (cores.empty()) cores.push_back(0);
        return cores;
    }

    /// Gives 0, or the error number of the system's refusal.
    static int start(Loop& loop) {
        const auto quiet = core::detail::SignalsBlocked();
        try {
            loop.thread = std::thread([&loop] { loop.context.run(); });
        } catch (const std::system_error& refused) {
            return refused.code().value();
        }
        return 0;
    }

    void stop() noexcept {
        for (auto& loop : loops_) loop->context.stop();
        for (auto& loop : loops_)
            if (loop->thread.joinable()) loop->thread.join();
    }

    static int pin(std::thread& thread, int core) {
        auto set = cpu_set_t();
        CPU_ZERO(&set);
        CPU_SET(static_cast<unsigned>(core), &set);
        return pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
    }

    Environment* environment_ = nullptr; ///< null: the threads are our own
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<Executor> executors_; // die first: they name the loops
    std::atomic<std::size_t> turn_ = 0, tenants_ = 0;
};

} // namespace mooncake
