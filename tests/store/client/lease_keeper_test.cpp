// labels: coroutine
#include <mooncake/core/runtime.hpp>
#include <mooncake/store/client/lease_keeper.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

/// Answers what the test says, and remembers what it was asked.
struct FakeMaster {
    std::mutex mutex; // of what follows
    std::vector<std::uint64_t> renewed, released;
    std::uint64_t ttl_ms = 60'000; ///< 0: every lease is over
    bool answers = true;

    Task<store::RenewManyReply> call(store::RenewMany message, Deadline) {
        const auto lock = std::lock_guard(mutex);
        renewed.insert(renewed.end(), message.leases.begin(), message.leases.end());
        if (!answers) co_return Errc::connection_lost;
        co_return store::RenewManyReply{.ttls_ms = std::vector<std::uint64_t>(message.leases.size(), ttl_ms)};
    }
    Task<store::Release::Reply> call(store::Release message, Deadline) {
        const auto lock = std::lock_guard(mutex);
        released.insert(released.end(), message.leases.begin(), message.leases.end());
        co_return store::Release::Reply();
    }
    void set(std::uint64_t ttl, bool answering) {
        const auto lock = std::lock_guard(mutex);
        ttl_ms = ttl;
        answers = answering;
    }
    auto count_renewed(std::uint64_t id) {
        const auto lock = std::lock_guard(mutex);
        return std::count(renewed.begin(), renewed.end(), id);
    }
    auto count_released(std::uint64_t id) {
        const auto lock = std::lock_guard(mutex);
        return std::count(released.begin(), released.end(), id);
    }
};

template <class Condition>
bool eventually(Condition condition) {
    for (const auto until = Deadline(5s); !until.passed(); std::this_thread::sleep_for(1ms))
        if (condition()) return true;
    return false;
}

using Keeper = store::detail::LeaseKeeper<FakeMaster>;

struct Fixture {
    FakeMaster master;
    Runtime runtime{{.threads = 1}};
    Keeper keeper{runtime.executor(), master};

    Fixture() { keeper.start(); }
    ~Fixture() { close(); }
    void close() { runtime.run(keeper.close()); }
    static TimePoint in(Duration length) { return SteadyClock{}.now() + length; }
};

} // namespace

TEST_CASE("lease keeper: a lease is renewed before it ends, also one that comes while it sleeps for a longer one") {
    auto f = Fixture();
    const auto longer = f.keeper.keep(1, f.in(60s));
    std::this_thread::sleep_for(20ms);
    const auto shorter = f.keeper.keep(2, f.in(1s));
    CHECK(eventually([&] { return f.master.count_renewed(2) == 1; }));
    CHECK(eventually([&] { return shorter->trusted_until() > f.in(50s); }));
    CHECK(shorter->holds());
    CHECK(f.master.count_renewed(1) == 0);
    CHECK(longer->holds());
}

TEST_CASE("lease keeper: a lease is not renewed before half of its time is over") {
    auto f = Fixture();
    const auto open = f.keeper.keep(7, f.in(2s));
    std::this_thread::sleep_for(500ms);
    CHECK(f.master.count_renewed(7) == 0);
    CHECK(eventually([&] { return f.master.count_renewed(7) == 1; }));
    CHECK(open->holds());
}

TEST_CASE("lease keeper: one that nobody needs is given back, and renewed no more") {
    auto f = Fixture();
    auto open = f.keeper.keep(3, f.in(1s));
    open.reset();
    CHECK(eventually([&] { return f.master.count_released(3) == 1; }));
    std::this_thread::sleep_for(700ms);
    CHECK(f.master.count_renewed(3) == 0);
}

TEST_CASE("lease keeper: one whose time was over before it was renewed is lost, whatever the master says") {
    auto f = Fixture();
    const auto late = f.keeper.keep(4, f.in(-1ms));
    CHECK(eventually([&] { return f.master.count_renewed(4) != 0; }));
    std::this_thread::sleep_for(50ms);
    CHECK_FALSE(late->holds());
}

TEST_CASE("lease keeper: one that the master calls over is lost") {
    auto f = Fixture();
    f.master.set(0, true);
    const auto over = f.keeper.keep(5, f.in(1s));
    CHECK(eventually([&] { return !over->holds(); }));
    CHECK(f.master.count_renewed(5) == 1);
}

TEST_CASE("lease keeper: a master that does not answer is asked again, in time") {
    auto f = Fixture();
    f.master.set(60'000, false);
    const auto open = f.keeper.keep(6, f.in(2s));
    CHECK(eventually([&] { return f.master.count_renewed(6) >= 2; }));
    f.master.set(60'000, true);
    CHECK(eventually([&] { return open->trusted_until() > f.in(50s); }));
    CHECK(open->holds());
}

TEST_CASE("lease keeper: a lease that is kept for reads to come is renewed only for the sake of views") {
    using store::detail::CachedLease;
    auto f = Fixture();
    auto read = f.keeper.cache(1, f.in(100ms), CachedLease::Told::no);
    auto viewed = f.keeper.cache(2, f.in(100ms), CachedLease::Told::no);
    auto looked_at = f.keeper.cache(3, f.in(100ms), CachedLease::Told::no);
    auto told = f.keeper.cache(4, f.in(100ms), CachedLease::Told::yes);
    auto given_up = f.keeper.cache(5, f.in(100ms), CachedLease::Told::no);
    for (const auto& lease : {viewed, looked_at}) {
        auto first = false;
        REQUIRE(lease->open_view(first));
        REQUIRE(first);
        f.keeper.watch(lease);
    }
    looked_at->close_view();
    CHECK(given_up->give_up());
    CHECK(eventually([&] { return f.master.count_renewed(2) > 0; }));
    std::this_thread::sleep_for(150ms);
    CHECK(viewed->holds());
    CHECK_FALSE(read->holds());
    CHECK_FALSE(looked_at->holds());
    CHECK(f.master.count_renewed(1) + f.master.count_renewed(3) + f.master.count_renewed(4) == 0);
    viewed->close_view();
    for (auto* lease : {&read, &viewed, &looked_at, &told, &given_up}) lease->reset();
    for (const auto id : {1U, 2U, 3U}) CHECK(eventually([&] { return f.master.count_released(id) == 1; }));
    f.close();
    CHECK(f.master.count_released(4) + f.master.count_released(5) == 0); // those are others' to release
}

TEST_CASE("lease keeper: the last of those who hold a lease may let it go while the keeper looks at it") {
    auto f = Fixture();
    for (std::uint64_t i = 1; i <= 300; ++i) {
        auto lease = f.keeper.cache(i, f.in(2ms), store::detail::CachedLease::Told::no);
        auto first = false;
        REQUIRE(lease->open_view(first));
        f.keeper.watch(lease);
        lease->close_view();
        const auto until = f.in(std::chrono::microseconds{900 + i});
        while (SteadyClock{}.now() < until) continue;
        lease.reset();
    }
    CHECK(eventually([&] { return f.master.count_released(300) == 1; }));
}
