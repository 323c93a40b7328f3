#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/random.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// Something that is going to happen.
struct Work {
    Work() = default;
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    virtual ~Work() = default;
    virtual void run() = 0;
};

template <class F>
struct WorkOf final : Work {
    explicit WorkOf(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
};

template <class F>
[[nodiscard]] std::unique_ptr<Work> make_work(F function) {
    return std::make_unique<WorkOf<F>>(std::move(function));
}

/// Something with work to do now, such as an executor.
class Worker {
  public:
    virtual ~Worker() = default;
    /// Does one piece of it, and tells whether there is more.
    virtual bool turn() = 0;
};

/// A world with one thread and one seed: its clock stands still while anybody has work and then jumps to the next thing that
/// is due. Who of those that could go next does, is drawn. All that happens goes into one hash, so that two runs of a seed
/// can be compared.
///
/// Thread: one. Lifetime: outlives everything in it.
class World {
  public:
    explicit World(std::uint64_t seed) : random_(seed) {}
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] TimePoint now() const noexcept { return now_; }
    /// Since the beginning.
    [[nodiscard]] Duration elapsed() const noexcept { return now_ - beginning; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

    // What chance decides. Uniform; `below` requires a bound above 0, `between` is closed at both ends.
    [[nodiscard]] std::uint64_t draw() noexcept { return random_(); }
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return random_() % bound; }
    [[nodiscard]] bool chance(double probability) noexcept { return random_.uniform() < probability; }
    [[nodiscard]] Duration between(Duration least, Duration most) noexcept {
        return least +
               Duration{static_cast<Duration::rep>(below(static_cast<std::uint64_t>((most - least).count()) + 1))};
    }

    /// Calls `function` at `at`, or now if that has passed. Things due at one time happen in the order in which they were
    /// asked for.
    template <class F>
    void call_at(TimePoint at, F function) {
        agenda_.push_back({std::max(at, now_), ++sequence_, make_work(std::move(function))});
        std::push_heap(agenda_.begin(), agenda_.end(), later);
    }
    template <class F>
    void call_after(Duration after, F function) {
        call_at(now_ + after, std::move(function));
    }

    /// `worker` has work from now on until its `turn` says otherwise. Requires: it had none.
    void enlist(Worker& worker) { busy_.push_back(&worker); }
    void dismiss(Worker& worker) { std::erase(busy_, &worker); }

    /// Goes on until `until`, or for as long as `wanted()`.
    template <class Wanted>
    void run(TimePoint until, const Wanted& wanted) {
        while (wanted()) {
            if (!busy_.empty()) {
                turn();
            } else if (!agenda_.empty() && agenda_.front().at <= until) {
                std::pop_heap(agenda_.begin(), agenda_.end(), later);
                const auto due = std::move(agenda_.back());
                agenda_.pop_back();
                if (due.at != now_) turns_now_ = 0;
                now_ = due.at;
                due.work->run();
            } else {
                now_ = std::max(now_, until);
                return;
            }
        }
    }
    void run_for(Duration length) {
        run(now_ + length, [] { return true; });
    }

    /// Part of the history: what, and the numbers that make it different from others of its kind.
    void note(std::string_view what, std::span<const std::uint64_t> numbers) {
        ++events_;
        hash_ =
            hash_bytes(std::as_bytes(numbers), hash_text(what, hash_ ^ static_cast<std::uint64_t>(elapsed().count())));
        if (trace_ == nullptr) return;
        *trace_ << static_cast<double>(elapsed().count()) * 1e-9 << ' ' << what;
        for (const auto number : numbers) *trace_ << ' ' << number;
        *trace_ << '\n';
    }
    void note(std::string_view what, std::initializer_list<std::uint64_t> numbers) {
        note(what, std::span(numbers.begin(), numbers.size()));
    }
    /// Prints what is noted from now on; null: no more.
    void trace_to(std::ostream* out) noexcept { trace_ = out; }

    /// The first thing that went wrong, if anything did; see `fault`.
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    /// A promise was broken: says which, where and when. Later ones are most likely its consequences and not kept.
    void report_fault(std::string sentence) {
        note("fault", {});
        if (fault_.empty())
            fault_ = std::move(sentence) + ", at " + std::to_string(elapsed().count() / 1'000'000) + " ms";
    }

    /// One hour after the clock's epoch, so that subtraction is safe.
    static constexpr TimePoint beginning{std::chrono::hours{1}};

  private:
    struct Due {
        TimePoint at;
        std::uint64_t sequence;
        std::unique_ptr<Work> work;
    };
    static bool later(const Due& a, const Due& b) noexcept {
        return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }

    /// So many turns without time going on mean that somebody is busy waiting.
    static constexpr std::uint64_t most_turns_at_once = 5'000'000;

    void turn() {
        const auto at = busy_.size() == 1 ? 0 : below(busy_.size());
        auto* const worker = busy_[at];
        if (++turns_now_ == most_turns_at_once) report_fault("somebody is busy waiting: time does not go on");
        if (turns_now_ >= most_turns_at_once) {
            busy_.clear();
            return;
        }
        if (worker->turn()) return;
        const auto place = std::find(busy_.begin(), busy_.end(), worker);
        if (place == busy_.end()) return;
        *place = busy_.back();
        busy_.pop_back();
    }

    SplitMix64 random_;
    TimePoint now_ = beginning;
    std::vector<Due> agenda_; // a heap, earliest first
    std::uint64_t sequence_ = 0;
    std::vector<Worker*> busy_;
    std::uint64_t turns_now_ = 0;
    std::uint64_t hash_ = 0, events_ = 0;
    std::ostream* trace_ = nullptr;
    std::string fault_;
};

} // namespace mooncake::simulation
