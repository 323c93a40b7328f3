#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/random.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// What a `FaultyTransport` does to the transfers that come by; counted from the moment it is set.
struct FaultPlan {
    double drop = 0; ///< 0 … 1: share of groups that never complete (until their deadline or cancellation)
    std::chrono::milliseconds delay{0}; ///< every group waits this long before it starts
    double reorder = 0;                 ///< 0 … 1: share of groups whose slices are moved in a shuffled order
    std::uint64_t fail_nth = 0;         ///< the n-th group from now fails as a path; 0: none
    std::uint64_t fail_from_nth = 0;    ///< that one and all after it fail; 0: none
    std::uint64_t seed = 1;
};

/// Turns the faults of one or many `FaultyTransport`s on and off while they run. Copies share the plan. Thread: any.
class FaultControl {
  public:
    FaultControl() : state_(std::make_shared<State>()) {}

    void set(FaultPlan plan) {
        const auto lock = std::lock_guard(state_->mutex);
        state_->plan = plan;
        state_->random = SplitMix64(plan.seed);
        state_->groups = 0;
    }
    /// How many groups came by since `set`.
    [[nodiscard]] std::uint64_t groups() const {
        const auto lock = std::lock_guard(state_->mutex);
        return state_->groups;
    }

    struct Fate {
        bool drop = false, fail = false;
        std::optional<std::uint64_t> shuffle{}; ///< the seed
        std::chrono::milliseconds delay{0};
    };
    [[nodiscard]] Fate next() {
        const auto lock = std::lock_guard(state_->mutex);
        auto& plan = state_->plan;
        const auto n = ++state_->groups;
        auto fate = Fate{.delay = plan.delay};
        fate.drop = state_->random.uniform() < plan.drop;
        if (state_->random.uniform() < plan.reorder) fate.shuffle = state_->random();
        fate.fail = n == plan.fail_nth || (plan.fail_from_nth != 0 && n >= plan.fail_from_nth);
        return fate;
    }

  private:
    struct State {
        std::mutex mutex;
        FaultPlan plan;
        SplitMix64 random;
        std::uint64_t groups = 0;
    };
    std::shared_ptr<State> state_;
};

/// Choose this when: a test needs a network that misbehaves. `Inner` with faults on the way, as its control says.
template <Transport Inner>
class FaultyTransport {
  public:
    static constexpr std::string_view name = Inner::name;
    static constexpr unsigned cost = Inner::cost;
    static constexpr auto capabilities = transport::detail::without_maps(Inner::capabilities);

    struct Config {
        typename Inner::Config inner = {};
        FaultControl control = {};
    };
    using Link = typename Inner::Link;

    explicit FaultyTransport(TransportContext context, Config config = {})
        : inner_(std::move(context), std::move(config.inner)), control_(std::move(config.control)) {}

    void start() { inner_.start(); }
    [[nodiscard]] std::string describe() const { return inner_.describe(); }
    [[nodiscard]] std::vector<std::string> describe_others() const
        requires SeveralPathsTransport<Inner>
    {
        return inner_.describe_others();
    }
    [[nodiscard]] std::vector<std::string> ways(const std::string& description) const {
        return transport::detail::ways_to(inner_, description);
    }
    [[nodiscard]] bool reaches(std::string_view description) const { return inner_.reaches(description); }
    Task<Link> connect(PeerDescription peer, Deadline deadline) { return inner_.connect(std::move(peer), deadline); }
    asio::awaitable<void> close() { return inner_.close(); }
    [[nodiscard]] bool fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch)
        requires FencingTransport<Inner>
    {
        return inner_.fence(offset, length, epoch);
    }
    Task<void> attach(RegionPin region)
        requires RegisteringTransport<Inner>
    {
        return inner_.attach(std::move(region));
    }
    void detach(const Region& region)
        requires RegisteringTransport<Inner>
    {
        inner_.detach(region);
    }
    [[nodiscard]] Result<std::string> accept(std::string question)
        requires HandshakingTransport<Inner>
    {
        return inner_.accept(std::move(question));
    }

    Task<void> transfer(Link link, SliceGroup group) {
        const auto fate = control_.next();
        auto wake = Wake::timed_out;
        auto never = Event();
        if (fate.drop) wake = co_await never.wait(group.deadline);
        else if (fate.delay.count() > 0) wake = co_await never.wait(Deadline(fate.delay).or_sooner(group.deadline));
        if (fate.drop || wake == Wake::cancelled || group.deadline.passed()) {
            set_outcome(group.slices, wake == Wake::cancelled ? Errc::cancelled : Errc::timed_out);
            co_return ok;
        }
        if (fate.fail) {
            set_outcome(group.slices, Errc::injected_fault);
            co_return Error(Errc::injected_fault, "this transfer was chosen to fail");
        }
        if (!fate.shuffle) co_return co_await inner_.transfer(std::move(link), group);
        auto order = std::vector<std::size_t>(group.slices.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::shuffle(order.begin(), order.end(), SplitMix64(*fate.shuffle));
        auto shuffled = std::vector<Slice>();
        for (const auto i : order) shuffled.push_back(group.slices[i]);
        auto moved = group;
        moved.slices = shuffled;
        const auto result = co_await inner_.transfer(std::move(link), moved);
        for (std::size_t i = 0; i < order.size(); ++i) group.slices[order[i]] = shuffled[i];
        co_return result;
    }

  private:
    Inner inner_;
    FaultControl control_;
};

} // namespace mooncake
