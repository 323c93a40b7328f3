// labels: unit, coroutine
#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/message_budget.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using net::detail::MessageBudget;
using namespace std::chrono_literals;

namespace {
using Share = std::shared_ptr<const void>;

Task<Share> take_from(std::shared_ptr<MessageBudget> budget, std::uint64_t bytes, std::function<void()> leave) {
    co_return co_await budget->take(bytes, std::move(leave));
}
constexpr auto nothing = [] {};
/// Whether nothing was had, for lack of time.
bool none(const Result<Share>& share) { return !share || *share == nullptr; }
} // namespace

TEST_CASE("message budget: shares come and go, small messages need none, and one larger than all gets all") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    CHECK(runtime.run(take_from(budget, MessageBudget::small, nothing)).value() == nullptr);
    auto first = runtime.run(take_from(budget, 600'000, nothing)).value();
    CHECK(budget->left() == 1 * MiB - 600'000);
    first.reset();
    CHECK(budget->left() == 1 * MiB);
    const auto all = runtime.run(take_from(budget, 64 * MiB, nothing)).value();
    CHECK(budget->left() == 0);
}

TEST_CASE("message budget: who waits in vain makes the one leave that has kept most for longest") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    auto left = 0, other = 0;
    Share small = runtime.run(take_from(budget, 20'000, [&] { ++other; })).value();
    Share large = runtime
                      .run(take_from(budget, 900'000,
                                     [&] {
                                         ++left;
                                         large.reset();
                                     }))
                      .value();
    std::this_thread::sleep_for(5ms);
    const auto mine = runtime.run(take_from(budget, 800'000, nothing)).value();
    CHECK(mine != nullptr);
    CHECK(left == 1);
    CHECK(other == 0);
}

TEST_CASE("message budget: the time before a share was granted does not count against its holder") {
    auto runtime = Runtime({.threads = 2});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    auto small_told = std::atomic<int>(0), large_told = std::atomic<int>(0), mine_told = std::atomic<int>(0);
    auto large = Share();
    const auto give_way = [&] {
        ++large_told;
        large.reset();
    };
    large = runtime.run(take_from(budget, 540'000, give_way)).value();
    const Share small = runtime.run(take_from(budget, 500'000, [&] { ++small_told; })).value();
    const Share mine = runtime.run(take_from(budget, 540'000, [&] { ++mine_told; })).value(); // waits for the large one
    REQUIRE(mine != nullptr);
    CHECK(large_told == 1);
    const auto late = runtime.run(with_deadline(take_from(budget, 540'000, nothing), 160ms)); // time for one look
    CHECK(none(late));
    CHECK(small_told == 1);
    CHECK(mine_told == 0);
}

TEST_CASE("message budget: where enough is on its way back nobody else has to leave, until that takes too long") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    auto worst_told = 0, other_told = 0;
    auto other = Share();
    const Share worst = runtime.run(take_from(budget, 540'000, [&] { ++worst_told; })).value(); // and does not go
    other = runtime
                .run(take_from(budget, 500'000,
                               [&] {
                                   ++other_told;
                                   other.reset();
                               }))
                .value();
    std::this_thread::sleep_for(5ms);
    const auto early = runtime.run(with_deadline(take_from(budget, 500'000, nothing), 5 * MessageBudget::patience));
    CHECK(none(early));
    CHECK(worst_told == 1);
    CHECK(other_told == 0);
    CHECK(runtime.run(take_from(budget, 500'000, nothing)).value() != nullptr);
    CHECK(worst_told == 1);
    CHECK(other_told == 1);
}

TEST_CASE("message budget: one that gives up waiting has nothing, and takes nobody's turn") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    auto all = runtime.run(take_from(budget, 1 * MiB, nothing)).value();
    const auto early = runtime.run(with_deadline(take_from(budget, 500'000, nothing), 20ms));
    CHECK(none(early));
    all.reset();
    CHECK(budget->left() == 1 * MiB);
}

TEST_CASE("message budget: when a large one gives up waiting, a smaller one behind it need not") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    auto left = 0;
    const Share held = runtime.run(take_from(budget, 600'000, [&] { ++left; })).value();
    auto small_one = [](std::shared_ptr<MessageBudget> of) -> Task<Share> {
        auto tasks = std::vector<Task<Share>>();
        tasks.push_back(with_deadline(take_from(of, 900'000, nothing), 20ms));
        tasks.push_back(take_from(of, 100'000, nothing));
        const auto shares = co_await all_settled(std::move(tasks));
        co_return shares[1];
    };
    CHECK(runtime.run(small_one(budget)).value() != nullptr);
    CHECK(left == 0); // nobody had to go for it
}

TEST_CASE("message budget: a small one does not overtake a large one, which would wait for ever") {
    auto runtime = Runtime({.threads = 1});
    const auto budget = std::make_shared<MessageBudget>(1 * MiB);
    const Share held = runtime.run(take_from(budget, 600'000, nothing)).value();
    auto small_one = [](std::shared_ptr<MessageBudget> of) -> Task<Share> {
        auto tasks = std::vector<Task<Share>>();
        tasks.push_back(with_deadline(take_from(of, 900'000, nothing), 60ms));
        tasks.push_back(with_deadline(take_from(of, 100'000, nothing), 20ms));
        const auto shares = co_await all_settled(std::move(tasks));
        co_return shares[1];
    };
    CHECK(none(runtime.run(small_one(budget))));
    CHECK(budget->left() == 1 * MiB - 600'000);
}
