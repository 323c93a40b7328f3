#include <mooncake/core/random.hpp>
#include <mooncake/net/lane_roster.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;
using net::detail::LaneRoster;
using net::detail::LaneSight;

namespace {

/// Lanes that are as the test says, and a roster of them.
struct Lanes {
    std::map<int, LaneSight> lanes;
    std::vector<int> closed;
    TimePoint now = TimePoint{} + 1h;
    LaneRoster<int> roster;

    void make(int lane) {
        lanes[lane] = {.open = true, .busy = false, .asked = 0};
        roster.add(lane, now);
    }
    /// Makes it and asks it for what it was made for.
    void use_new(int lane) {
        make(lane);
        ++lanes[lane].asked;
    }
    auto look() {
        return [this](int lane) { return lanes.at(lane); };
    }
    auto close() {
        return [this](int lane) {
            if (lanes.at(lane).busy) return false;
            lanes[lane] = {};
            closed.push_back(lane);
            return true;
        };
    }
    bool close_one() { return roster.close_one(look(), close()); }
    void close_idle() { roster.close_idle(now, 100ms, look(), close()); }
};

/// SIEVE as one would write it down: a row of lanes, the oldest first, and the one that the hand is at.
struct Naive {
    static constexpr int nobody = -1;
    struct Entry {
        int lane;
        bool busy = false;
        bool marked = false;
        bool fresh = true; ///< nothing was asked for yet
    };
    std::vector<Entry> row;
    int hand = nobody;

    auto find(int lane) {
        return std::find_if(row.begin(), row.end(), [lane](const Entry& entry) { return entry.lane == lane; });
    }
    int after(int lane) {
        const auto next = std::next(find(lane));
        return next == row.end() ? nobody : next->lane;
    }
    void remove(int lane) {
        if (find(lane) == row.end()) return;
        if (hand == lane) hand = after(lane);
        row.erase(find(lane));
    }
    void add(int lane) {
        remove(lane);
        row.push_back({.lane = lane});
    }
    void ask(int lane) {
        auto& entry = *find(lane);
        entry.marked = !std::exchange(entry.fresh, false);
    }
    int close_one() {
        for (std::size_t i = 0; i < 2 * row.size(); ++i) {
            if (hand == nobody) hand = row.front().lane;
            auto& entry = *find(hand);
            if (!entry.busy && !entry.fresh && !std::exchange(entry.marked, false)) {
                const auto lane = entry.lane;
                remove(lane);
                return lane;
            }
            hand = after(hand);
        }
        return nobody;
    }
};

} // namespace

TEST_CASE("lane roster: the oldest goes that was not used again, and who was used again loses the mark") {
    auto lanes = Lanes();
    for (const auto lane : {1, 2, 3, 4}) lanes.use_new(lane);
    ++lanes.lanes[1].asked;
    ++lanes.lanes[3].asked;
    for (auto i = 0; i < 4; ++i) CHECK(lanes.close_one());
    CHECK(lanes.closed == std::vector{2, 4, 1, 3});
    CHECK_FALSE(lanes.close_one());
    CHECK(lanes.roster.size() == 0);
}

TEST_CASE("lane roster: who is busy stays, and so does one that was made for somebody who has yet to ask") {
    auto lanes = Lanes();
    lanes.use_new(1);
    lanes.lanes[1].busy = true;
    lanes.make(2);
    CHECK_FALSE(lanes.close_one());
    lanes.use_new(3);
    CHECK(lanes.close_one());
    CHECK(lanes.closed == std::vector{3});
    ++lanes.lanes[1].asked;
    CHECK_FALSE(lanes.close_one());
    lanes.lanes[1].busy = false;
    ++lanes.lanes[2].asked;
    CHECK(lanes.close_one());
    CHECK(lanes.closed == std::vector{3, 2}); // the other one kept its mark
}

TEST_CASE("lane roster: one that has become busy since it was looked at is left alone") {
    auto lanes = Lanes();
    for (const auto lane : {1, 2}) lanes.use_new(lane);
    const auto close = [&](int lane) { return lane != 1 && lanes.close()(lane); };
    CHECK(lanes.roster.close_one(lanes.look(), close));
    CHECK(lanes.closed == std::vector{2});
    CHECK_FALSE(lanes.roster.close_one(lanes.look(), close));
    CHECK(lanes.roster.size() == 1);
}

TEST_CASE("lane roster: one that is not open any more counts as closed, without being closed again") {
    auto lanes = Lanes();
    for (const auto lane : {1, 2, 3}) lanes.use_new(lane);
    lanes.lanes[1] = {};
    CHECK(lanes.close_one());
    CHECK(lanes.closed.empty());
    lanes.lanes[3] = {};
    lanes.close_idle();
    CHECK(lanes.closed.empty());
    CHECK(lanes.roster.size() == 1);
    lanes.use_new(2); // another one than before
    CHECK(lanes.roster.size() == 1);
}

TEST_CASE("lane roster: what nobody asks for is closed after the idle time, and not before") {
    auto lanes = Lanes();
    for (const auto lane : {1, 2, 3, 4}) lanes.use_new(lane);
    lanes.make(5);
    lanes.lanes[3].busy = true;
    const auto pass = [&](Duration time) {
        for (const auto until = lanes.now + time; lanes.now < until;) {
            lanes.now += 10ms;
            ++lanes.lanes[2].asked;
            lanes.close_idle();
        }
    };
    pass(90ms);
    CHECK(lanes.closed.empty());
    ++lanes.lanes[4].asked;
    pass(50ms);
    CHECK(lanes.closed == std::vector{5, 1}); // the one that was asked before it was looked at came second
    lanes.lanes[3].busy = false;
    pass(60ms);
    CHECK(lanes.closed == std::vector{5, 1, 4});
    pass(50ms);
    CHECK(lanes.closed == std::vector{5, 1, 4, 3});
    pass(1s);
    CHECK(lanes.roster.size() == 1);
}

TEST_CASE("lane roster: closes the same as a naive one, whatever comes") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto lanes = Lanes();
        auto naive = Naive();
        auto closed = 0;
        for (auto step = 0; step < 2'000; ++step) {
            const auto lane = static_cast<int>(random() % 20);
            const auto there = naive.find(lane) != naive.row.end();
            switch (random() % 8) {
            case 0: lanes.make(lane), naive.add(lane); break;
            case 1: lanes.roster.remove(lane), naive.remove(lane); break;
            case 2:
                if (there) lanes.lanes[lane].busy = naive.find(lane)->busy = random() % 3 == 0;
                break;
            case 3: {
                const auto before = lanes.closed.size();
                const auto expected = naive.close_one();
                REQUIRE(lanes.close_one() == (expected != Naive::nobody));
                REQUIRE(lanes.closed.size() == before + (expected != Naive::nobody ? 1U : 0U));
                if (expected == Naive::nobody) break;
                REQUIRE(lanes.closed.back() == expected);
                ++closed;
                break;
            }
            default:
                if (there) ++lanes.lanes[lane].asked, naive.ask(lane);
            }
            REQUIRE(lanes.roster.size() == naive.row.size());
        }
        CHECK(closed > 50);
    }
}
