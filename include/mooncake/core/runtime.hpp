#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/later.hpp>
#include <mooncake/core/runtime_interface.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/core/signals.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace mooncake {

template <class Void>
void core::detail::block_on(const Executor& executor, Task<void> task) {
    const auto* const loop = known_later<Void>(executor).template target<asio::io_context::executor_type>();
    auto& context = asio::query(executor, asio::execution::context);
    const auto own =
        asio::has_service<OwnContext>(context) && asio::use_service<OwnContext>(context).turned_by_this_thread();
    if (own || (loop != nullptr && loop->running_in_this_thread()))
        throw_error(
            {Errc::invalid_argument,
             "sync_wait was called on a thread that may have to run the task, and would wait for itself: co_await "
             "the task instead, or spawn it with a callback"});
    struct {
        std::mutex mutex;
        std::condition_variable changed;
        bool over = false;
        std::exception_ptr thrown;
    } state;
    auto result = Result<void>(ok);
    launch(executor, entry(std::move(task), result), {}, [&state](const std::exception_ptr& failure) {
        const auto lock = std::lock_guard(state.mutex);
        state.thrown = failure;
        state.over = true;
        state.changed.notify_one();
    });
    auto lock = std::unique_lock(state.mutex);
    state.changed.wait(lock, [&state] { return state.over; });
    if (state.thrown) std::rethrow_exception(state.thrown);
}

template <class Void>
struct BasicRuntime<Void>::Loop {
    explicit Loop(const void* runtime) { asio::make_service<core::detail::OwnContext>(context, runtime); }
    core::detail::later<asio::io_context, Void> context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread;
};

template <class Void>
BasicRuntime<Void>::BasicRuntime(RuntimeConfig config) {
    const auto cores = usable_cores();
    if (config.threads > 1024)
        throw_error({Errc::invalid_argument, "RuntimeConfig::threads is " + std::to_string(config.threads) +
                                                 "; give 1 to 1024, or 0 for one per core"});
    if (config.spin < Duration::zero() || config.spin > std::chrono::seconds{1})
        throw_error({Errc::invalid_argument, "RuntimeConfig::spin is " + std::to_string(config.spin.count()) +
                                                 " ns; give at most 1 s, or 0 for none"});
    const auto count = config.threads ? config.threads : static_cast<unsigned>(cores.size());
    for (unsigned i = 0; i < count; ++i) {
        loops_.push_back(std::make_unique<Loop>(this));
        executors_.push_back(loops_.back()->context.get_executor());
    }
    for (unsigned i = 0; i < count; ++i) {
        auto refused = start(*loops_[i], config.spin);
        if (!refused && config.pin == ThreadPin::one_core_each) refused = pin(*loops_[i], cores[i % cores.size()]);
        if (!refused) continue;
        stop();
        throw_error({Errc::system, "thread " + std::to_string(i + 1) + " of the " + std::to_string(count) +
                                       " of a Runtime: " + std::generic_category().message(refused) +
                                       "; raise the limit of processes (ulimit -u, pids.max), or give "
                                       "RuntimeConfig::threads a smaller number"});
    }
}

template <class Void>
BasicRuntime<Void>::BasicRuntime(Environment& environment, std::vector<Executor> executors)
    : environment_(&environment), executors_(std::move(executors)) {}

template <class Void>
BasicRuntime<Void>::~BasicRuntime() {
    const auto left = tenants_.load(std::memory_order_acquire);
    if (left != 0 && environment_ == nullptr)
        core::detail::end_program("a Runtime was destroyed before the engines, stores and servers that use it (" +
                                  std::to_string(left) + " not closed): declare it before them");
    stop();
}

template <class Void>
Executor BasicRuntime<Void>::other_executor(const Executor& own, std::size_t index) const noexcept {
    for (std::size_t i = 0; i < size(); ++i)
        if (executors_[i] == own) return executor(i + 1 + index % (size() - 1));
    return executor(index);
}

template <class Void>
bool BasicRuntime<Void>::on_own_thread() const noexcept {
    if (environment_ != nullptr) return Environment::current() == environment_;
    return core::detail::runtime_of_this_thread == this;
}

template <class Void>
void BasicRuntime<Void>::run_to_end(Task<void> task) {
    if (on_own_thread())
        throw_error({Errc::invalid_argument, "Runtime::run was called on one of the runtime's own threads, which would "
                                             "wait for itself: co_await the task instead"});
    core::detail::block_on(executor(0), std::move(task));
}

template <class Void>
std::vector<int> BasicRuntime<Void>::usable_cores() {
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
template <class Void>
int BasicRuntime<Void>::start(Loop& loop, Duration spin) {
    const auto quiet = core::detail::SignalsBlocked();
    try {
        loop.thread = std::thread([this, &loop, spin] {
            core::detail::runtime_of_this_thread = this;
            core::detail::turned_here.context = &loop.context;
            turn(loop, spin);
        });
    } catch (const std::system_error& refused) {
        return refused.code().value();
    }
    return 0;
}

/// Runs what there is to run, until `stop`.
template <class Void>
void BasicRuntime<Void>::turn(Loop& loop, Duration spin) {
    if (spin == Duration::zero()) {
        loop.context.run();
        return;
    }
    const auto clock = SteadyClock();
    auto until = clock.now() + spin;
    while (!loop.context.stopped()) {
        if (loop.context.poll() == 0) {
            if (clock.now() < until) continue;
            (void)loop.context.run_one(); // asleep until there is something
        }
        until = clock.now() + spin;
    }
}

template <class Void>
int BasicRuntime<Void>::pin(Loop& loop, int core) {
    auto set = cpu_set_t();
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(core), &set);
    return pthread_setaffinity_np(loop.thread.native_handle(), sizeof set, &set);
}

template <class Void>
void BasicRuntime<Void>::stop() noexcept {
    for (auto& loop : loops_) loop->context.stop();
    for (auto& loop : loops_)
        if (loop->thread.joinable()) loop->thread.join();
}

} // namespace mooncake
