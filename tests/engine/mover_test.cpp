// labels: coroutine
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/mover.hpp>
#include <mooncake/health/breaker.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::engine::detail;
using namespace std::chrono_literals;

namespace {

/// Two ways, which do what the test says.
struct FakePool {
    static constexpr std::size_t size = 2;
    static constexpr std::array<std::string_view, size> names{"first", "second"};
    static constexpr std::array<unsigned, size> costs{1, 2};
    static constexpr std::array<bool, size> maps{false, false};

    struct Path {
        bool reachable = true, connected = false;
        Breaker breaker{BreakerConfig{.rest = 40ms}};
        std::atomic<bool> failed = false;
    };
    struct State {
        mutable std::mutex mutex;
        std::array<Path, size> paths;
    };

    enum class Does : std::uint8_t { moves, fails, stays_silent };

    Task<void> transfer(std::size_t path, std::shared_ptr<State>, SliceGroup group) {
        used.push_back(path);
        const auto does = path == 0 && !first_does.empty() ? first_does.front() : Does::moves;
        if (path == 0 && !first_does.empty()) first_does.pop_front();
        if (does == Does::stays_silent) {
            auto nothing = Event();
            (void)co_await nothing.wait(group.deadline);
        }
        for (auto& slice : group.slices)
            slice.outcome = does == Does::moves   ? Errc::ok
                            : does == Does::fails ? Errc::connection_lost
                                                  : Errc::timed_out;
        if (does == Does::fails) co_return Error(Errc::connection_lost, "broken");
        co_return ok;
    }
    Task<MappedWindow> map(std::size_t, std::shared_ptr<State>, WindowRequest) { co_return Errc::not_mapped; }
    void count_mapped(std::size_t, Direction, std::uint64_t) noexcept {}

    std::deque<Does> first_does; ///< and moves when there is nothing left
    std::vector<std::size_t> used;
};
using Does = FakePool::Does;

struct Fixture {
    Runtime runtime{{.threads = 1}};
    FakePool pool;
    Mover<FakePool> mover{pool, 3'200ms};
    std::shared_ptr<FakePool::State> state = std::make_shared<FakePool::State>();

    /// The outcome of a slice that has so long.
    Errc move(Duration length = 10s) {
        auto slice = Slice{.local = nullptr, .length = 1, .remote = 0, .key = 0, .epoch = 0, .outcome = Errc::no_path};
        auto moved_by = std::uint8_t{0};
        (void)runtime.run(mover.move(state, {.slices = {.direction = Direction::read,
                                                        .digest = Digest::none,
                                                        .slices = std::span(&slice, 1),
                                                        .deadline = Deadline(length)},
                                             .moved_by = std::span(&moved_by, 1)}));
        return slice.outcome;
    }
    /// For how long the first way rests; waits until that is over.
    Duration rest() const {
        const auto left = state->paths[0].breaker.retry_at() - SteadyClock{}.now();
        std::this_thread::sleep_for(left);
        return left;
    }
};

} // namespace

TEST_CASE("mover: a way that fails rests twice as long each time, and not at all once it works again") {
    auto f = Fixture();
    for (const auto expected : {40ms, 80ms, 160ms}) {
        f.pool.first_does = {Does::fails};
        CHECK(f.move() == Errc::ok);
        CHECK(f.pool.used == std::vector<std::size_t>{0, 1});
        CHECK(f.move() == Errc::ok);
        CHECK(f.pool.used.back() == 1);
        f.pool.used.clear();
        const auto rested = f.rest();
        CHECK(rested > expected / 2);
        CHECK(rested <= expected);
    }
    CHECK(f.move() == Errc::ok);
    CHECK(f.pool.used.back() == 0);
    CHECK_FALSE(f.state->paths[0].failed);
    CHECK(f.state->paths[0].breaker.closed());
    f.pool.first_does = {Does::fails};
    CHECK(f.move() == Errc::ok);
    CHECK(f.rest() <= 40ms);
}

TEST_CASE("mover: silence fails a way where it was given a fair time, and says nothing where its user was in haste") {
    auto f = Fixture();
    f.pool.first_does = {Does::stays_silent};
    CHECK(f.move(300ms) == Errc::ok); // half of that is less than a sixteenth of what a way has
    CHECK(f.pool.used == std::vector<std::size_t>{0, 1});
    CHECK_FALSE(f.state->paths[0].failed);
    f.pool.first_does = {Does::stays_silent};
    CHECK(f.move(10s) == Errc::ok);
    CHECK(f.state->paths[0].failed);
    CHECK(f.move() == Errc::ok);
    CHECK(f.pool.used.back() == 1); // it rests
}

TEST_CASE("mover: where no way maps memory, that is said") {
    auto f = Fixture();
    CHECK(f.runtime.run(f.mover.map(f.state, {})).error() == Errc::not_mapped);
    CHECK(f.pool.used.empty());
}

TEST_CASE("mover: a way that failed is connected anew, and rests no more once it has worked as the last one left") {
    auto f = Fixture();
    f.state->paths[0].connected = true;
    f.pool.first_does = {Does::fails};
    CHECK(f.move() == Errc::ok);
    CHECK_FALSE(f.state->paths[0].connected);
    f.state->paths[1].reachable = false;
    CHECK(f.move() == Errc::ok);
    CHECK(f.pool.used.back() == 0);
    f.state->paths[1].reachable = true;
    CHECK(f.move() == Errc::ok);
    CHECK(f.pool.used.back() == 0);
}
