#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/simulation/world.hpp>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <cassert>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::simulation {

class Network;
class Process;

/// One thread of a simulated process: what is posted to its executor is done in order, in between the others' turns.
class Context final : public asio::execution_context, public Worker {
  public:
    Context(Process& process, std::uint64_t number);
    ~Context() override {
        shutdown();
        destroy();
    }

    class ExecutorType {
      public:
        ExecutorType(Context& context, bool may_block) noexcept : context_(&context), may_block_(may_block) {}

        [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
        [[nodiscard]] asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
            if (may_block_) return asio::execution::blocking.possibly;
            return asio::execution::blocking.never;
        }
        [[nodiscard]] ExecutorType require(asio::execution::blocking_t::possibly_t) const noexcept {
            return {*context_, true};
        }
        [[nodiscard]] ExecutorType require(asio::execution::blocking_t::never_t) const noexcept {
            return {*context_, false};
        }
        template <class F>
        void execute(F&& function) const {
            if (may_block_ && context_->running_) std::forward<F>(function)();
            else context_->post(make_work(std::forward<F>(function)));
        }
        friend bool operator==(const ExecutorType&, const ExecutorType&) noexcept = default;

      private:
        Context* context_;
        bool may_block_;
    };

    [[nodiscard]] ExecutorType get_executor() noexcept { return {*this, true}; }
    [[nodiscard]] Process& process() const noexcept { return process_; }

    void post(std::unique_ptr<Work> work);
    bool turn() override;

  private:
    friend class Process;

    Process& process_;
    const std::uint64_t id_;
    std::deque<std::unique_ptr<Work>> queue_;
    bool running_ = false; ///< inside of `turn`
    bool enlisted_ = false;
};

/// A simulated process: a runtime whose threads take turns with everybody else's, a clock that need not agree with others',
/// and a kernel that pauses, continues and kills it. What a process that was killed had in memory is never destroyed, as in
/// life; it is leaked.
///
/// Thread: the world's. Lifetime: the world outlives it; one that was killed lives on until nothing is due in the world that
/// names it, which is as good as the world's end.
class Process final : public Environment {
  public:
    /// `address`: its host's. `threads`: at least 1.
    Process(World& world, std::string address, std::uint64_t id, std::size_t threads = 2)
        : world_(world), address_(std::move(address)), id_(id), random_(world.draw()) {
        const auto inside = Scope(this);
        auto executors = std::vector<Executor>();
        for (std::size_t i = 0; i < threads; ++i) {
            contexts_.push_back(std::make_unique<Context>(*this, id * 16 + i));
            executors.emplace_back(contexts_.back()->get_executor());
        }
        runtime_ = make_runtime(std::move(executors));
    }
    ~Process() override {
        const auto inside = Scope(this);
        if (!dead_) return;
        for (auto& context : contexts_) (void)context.release(); // its memory is leaked, see above
        (void)runtime_.release();
    }

    [[nodiscard]] World& world() const noexcept { return world_; }
    [[nodiscard]] Runtime& runtime() noexcept { return *runtime_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// In further networks that its host is in.
    [[nodiscard]] const std::vector<std::string>& other_addresses() const noexcept { return other_addresses_; }
    void add_address(std::string address) { other_addresses_.push_back(std::move(address)); }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] bool dead() const noexcept { return dead_; }
    [[nodiscard]] bool paused() const noexcept { return paused_; }

    // Environment
    [[nodiscard]] TimePoint now() noexcept override { return at(world_.now()); }
    [[nodiscard]] std::uint64_t random_bits() noexcept override { return random_(); }
    [[nodiscard]] std::uint64_t memory_room() noexcept override { return has_memory_ ? Environment::memory_room() : 0; }

    /// What its clock shows at `time` of the world.
    [[nodiscard]] TimePoint at(TimePoint time) const noexcept {
        const auto since = static_cast<double>((time - set_at_).count());
        return showed_ + Duration{static_cast<Duration::rep>(since * rate_)};
    }
    /// When, in the world's time, its clock will show `time`.
    [[nodiscard]] TimePoint when(TimePoint time) const noexcept {
        if (time <= showed_) return set_at_;
        return set_at_ +
               Duration{static_cast<Duration::rep>(static_cast<double>((time - showed_).count()) / rate_) + 2};
    }
    /// Its clock goes on from `ahead` of what it shows, at `rate` of the world's. It never goes back.
    void set_clock(Duration ahead, double rate) {
        showed_ = now() + ahead;
        set_at_ = world_.now();
        rate_ = rate;
        world_.note("clock", {id_, static_cast<std::uint64_t>(ahead.count()), static_cast<std::uint64_t>(rate * 1e6)});
        for (auto& alarm : alarms_) alarm();
    }

    /// Whether its kernel gives it memory for arenas.
    void have_memory(bool yes) noexcept { has_memory_ = yes; }

    /// Nothing of it runs, until `resume`. Its kernel goes on: connections are accepted, and buffers filled.
    void pause() {
        if (dead_ || std::exchange(paused_, true)) return;
        world_.note("pause", {id_});
        for (auto& context : contexts_)
            if (std::exchange(context->enlisted_, false)) world_.dismiss(*context);
    }
    void resume() {
        if (dead_ || !std::exchange(paused_, false)) return;
        world_.note("resume", {id_});
        for (auto& context : contexts_) enlist(*context);
    }
    /// Nothing of it runs ever again.
    void kill() {
        if (std::exchange(dead_, true)) return;
        world_.note("kill", {id_});
        for (auto& context : contexts_)
            if (std::exchange(context->enlisted_, false)) world_.dismiss(*context);
    }

    /// Starts `task` on thread `index`; `over(result)` is called there when it is over.
    template <class T, class Over>
    void start(Task<T> task, Over over, std::size_t index = 0) {
        const auto inside = Scope(this);
        const auto result = std::make_shared<Result<T>>(Errc::cancelled);
        core::detail::launch(runtime_->executor(index), core::detail::entry(std::move(task), *result), {},
                             [result, over = std::move(over)](const std::exception_ptr& failure) {
                                 if (failure) std::rethrow_exception(failure);
                                 over(std::move(*result));
                             });
    }

    /// Runs the world until `task`, on this process, is over. Errors: `timed_out`, after `within`, or when it is dead.
    template <class T>
    Result<T> run(Task<T> task, Duration within) {
        struct Outcome {
            Result<T> result = Errc::timed_out;
            bool over = false;
        };
        const auto outcome = std::make_shared<Outcome>();
        start(std::move(task), [outcome](Result<T> result) {
            outcome->result = std::move(result);
            outcome->over = true;
        });
        world_.run(world_.now() + within, [&] { return !outcome->over && !dead_; });
        return std::move(outcome->result);
    }

    /// The network that it is on; null: on none.
    [[nodiscard]] Network* network() const noexcept { return network_; }
    void join(Network* network) noexcept { network_ = network; }

    /// Somebody to tell when the clock is set.
    void listen_to_clock(std::function<void()> alarm) { alarms_.push_back(std::move(alarm)); }

  private:
    friend class Context;

    std::unique_ptr<Runtime> make_runtime(std::vector<Executor> executors);

    void enlist(Context& context) {
        if (dead_ || paused_ || context.queue_.empty() || std::exchange(context.enlisted_, true)) return;
        world_.enlist(context);
    }

    World& world_;
    const std::string address_;
    std::vector<std::string> other_addresses_;
    const std::uint64_t id_;
    SplitMix64 random_;
    Network* network_ = nullptr;
    TimePoint set_at_ = World::beginning, showed_ = World::beginning;
    double rate_ = 1;
    bool paused_ = false, dead_ = false, has_memory_ = true;
    std::vector<std::unique_ptr<Context>> contexts_;
    std::unique_ptr<Runtime> runtime_;
    std::vector<std::function<void()>> alarms_;
};

/// The runtime of a simulated process. `run` and `sync_wait` would wait for ever: the world has one thread.
class SimulatedRuntime final : public Runtime {
  public:
    SimulatedRuntime(Environment& environment, std::vector<Executor> executors)
        : Runtime(environment, std::move(executors)) {}
};

inline std::unique_ptr<Runtime> Process::make_runtime(std::vector<Executor> executors) {
    return std::make_unique<SimulatedRuntime>(*this, std::move(executors));
}

namespace detail {

/// Rings when the clock of its process shows the time, and the process has a turn.
class SimulatedAlarm final : public core::detail::Alarm {
  public:
    explicit SimulatedAlarm(Context& context) : state_(std::make_shared<State>(State{context, {}, {}, 0, false})) {
        context.process().listen_to_clock([weak = std::weak_ptr(state_)] {
            if (const auto state = weak.lock(); state && state->set) schedule(state);
        });
    }
    void set(TimePoint at, std::function<void()> ring) override {
        state_->at = at;
        state_->ring = std::move(ring);
        state_->set = true;
        schedule(state_);
    }
    void stop() noexcept override {
        state_->set = false;
        ++state_->turn;
    }

  private:
    struct State {
        Context& context;
        TimePoint at;
        std::function<void()> ring;
        std::uint64_t turn;
        bool set;
    };

    static void schedule(const std::shared_ptr<State>& state) {
        const auto turn = ++state->turn;
        auto& process = state->context.process();
        process.world().call_at(process.when(state->at), [state, turn] {
            if (state->turn != turn || !std::exchange(state->set, false)) return;
            state->context.post(make_work([ring = std::move(state->ring)] { ring(); }));
        });
    }

    std::shared_ptr<State> state_;
};

} // namespace detail

inline Context::Context(Process& process, std::uint64_t number) : process_(process), id_(number) {
    asio::make_service<core::detail::OwnContext>(*this);
    asio::make_service<core::detail::DeadlineService>(*this, std::make_unique<detail::SimulatedAlarm>(*this));
}

inline void Context::post(std::unique_ptr<Work> work) {
    queue_.push_back(std::move(work));
    process_.enlist(*this);
}

inline bool Context::turn() {
    const auto work = std::move(queue_.front());
    queue_.pop_front();
    process_.world_.note("turn", {id_});
    {
        const auto inside = Environment::Scope(&process_);
        running_ = true;
        work->run();
        running_ = false;
    }
    enlisted_ = !queue_.empty() && !process_.dead_ && !process_.paused_;
    return enlisted_;
}

} // namespace mooncake::simulation
