#include <mooncake/core/small_vector.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

struct Point {
    int x = 7, y = 8;
    friend bool operator==(const Point&, const Point&) = default;
};

template <class T>
bool same(const SmallVector<T, 2>& a, const std::vector<T>& b) {
    return a.size() == b.size() && a.empty() == b.empty() && std::equal(a.begin(), a.end(), b.begin());
}

} // namespace

TEST_CASE("small vector: new elements have their default value, also where others have been") {
    auto points = SmallVector<Point, 2>{{1, 2}, {3, 4}, {5, 6}};
    points.resize(1);
    points.resize(4);
    CHECK(same(points, {{1, 2}, {}, {}, {}}));
    points.clear();
    CHECK(points.emplace_back() == Point());
}

TEST_CASE("small vector: what was moved is whole, at any size, and copies are independent") {
    for (std::size_t size = 0; size < 6; ++size) {
        auto original = SmallVector<int, 2>();
        auto expected = std::vector<int>();
        for (std::size_t i = 0; i < size; ++i) {
            original.push_back(static_cast<int>(i));
            expected.push_back(static_cast<int>(i));
        }
        auto copy = original;
        auto moved = std::move(original);
        CHECK(same(moved, expected));
        CHECK(moved == copy);
        if (size != 0) copy[0] = 99;
        CHECK((moved == copy) == (size == 0));
        for (std::size_t other = 0; other < 6; ++other) {
            auto target = SmallVector<int, 2>();
            target.resize(other);
            target = moved;
            CHECK(same(target, expected));
            auto taken = SmallVector<int, 2>();
            taken.resize(other);
            taken = std::move(target);
            CHECK(same(taken, expected));
        }
    }
}

TEST_CASE("small vector: random use gives what std::vector gives") {
    auto random = std::mt19937_64(1);
    auto ours = SmallVector<std::uint64_t, 2>();
    auto theirs = std::vector<std::uint64_t>();
    for (int step = 0; step < 20'000; ++step) {
        const auto what = random() % 10;
        if (what < 5) {
            const auto value = random();
            ours.push_back(value);
            theirs.push_back(value);
        } else if (what < 8) {
            const auto size = random() % 20;
            ours.resize(size);
            theirs.resize(size);
        } else if (what == 8) {
            ours.assign(theirs.data(), theirs.data() + theirs.size() / 2);
            theirs.resize(theirs.size() / 2);
        } else {
            auto copy = ours;
            ours = std::move(copy);
        }
        REQUIRE(same(ours, theirs));
    }
}
