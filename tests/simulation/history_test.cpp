// labels: unit
#include <mooncake/simulation/history.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

using namespace mooncake;
using namespace mooncake::simulation;

namespace {

TimePoint at(int second) { return TimePoint(std::chrono::seconds(second)); }

struct Operation {
    enum class What : std::uint8_t { read, write } what;
    std::uint64_t value; ///< 0, of a read: there is none
    int begun, ended;    ///< no two of these are equal
};

/// Whether there is an order of all operations that one register, which may forget, could have done them in: all are tried.
/// Source: Wing & Gong, "Testing and Verifying Concurrent Objects", 1993.
bool can_be(std::vector<Operation> left, std::uint64_t value) {
    if (left.empty()) return true;
    const auto first_end = std::ranges::min(left, {}, &Operation::ended).ended;
    for (std::size_t i = 0; i < left.size(); ++i) {
        const auto next = left[i];
        if (next.begun > first_end) continue; // another ended before it began
        const auto is_write = next.what == Operation::What::write;
        if (!is_write && next.value != value && next.value != 0) continue;
        auto rest = left;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
        if (can_be(std::move(rest), next.value)) return true;
    }
    return false;
}

std::string fault_of(const std::vector<Operation>& operations) {
    auto history = History();
    for (const auto& one : operations) {
        if (one.what == Operation::What::read) {
            history.read("k", one.value, at(one.begun), at(one.ended));
        } else {
            history.begin_write("k", one.value, at(one.begun));
            history.end_write("k", one.value, at(one.ended));
        }
    }
    return history.fault();
}

} // namespace

TEST_CASE("history: says the same of every small one as the search of all orders does") {
    auto random = std::mt19937_64(1);
    auto wrong = 0, right = 0;
    for (auto i = 0; i < 30'000; ++i) {
        const auto count = 2 + random() % 5;
        auto times = std::vector<int>();
        for (int t = 1; t <= static_cast<int>(2 * count); ++t) times.push_back(t);
        std::ranges::shuffle(times, random);
        auto operations = std::vector<Operation>();
        const auto writes = 1 + random() % 3;
        for (std::size_t k = 0; k < count; ++k) {
            const auto [begun, ended] = std::minmax(times[2 * k], times[2 * k + 1]);
            if (k < writes) operations.push_back({Operation::What::write, k + 1, begun, ended});
            else operations.push_back({Operation::What::read, random() % (std::min(writes, count) + 1), begun, ended});
        }
        const auto fault = fault_of(operations);
        CAPTURE(i);
        CAPTURE(fault);
        REQUIRE(fault.empty() == can_be(operations, 0));
        ++(fault.empty() ? right : wrong);
    }
    CHECK(wrong > 5'000); // both are tried
    CHECK(right > 5'000);
}

TEST_CASE("history: names what cannot be") {
    using enum Operation::What;
    CHECK(fault_of({{write, 1, 1, 2}, {write, 2, 3, 4}, {read, 1, 5, 6}}) ==
          "a value came back after it was gone under k");
    CHECK(fault_of({{write, 1, 1, 2}, {write, 2, 3, 4}, {read, 2, 5, 6}, {read, 1, 7, 8}, {read, 2, 9, 10}}) ==
          "a value came back after another one under k");
    CHECK(fault_of({{write, 1, 1, 2}, {read, 0, 3, 4}, {read, 1, 5, 6}}) ==
          "a value came back after it was gone under k");
    CHECK(fault_of({{read, 1, 1, 2}, {write, 1, 3, 4}}) == "a value was read before it was written under k");
    CHECK(fault_of({{write, 1, 1, 9}, {read, 0, 2, 3}, {read, 1, 4, 5}, {read, 0, 6, 7}}).empty());
}

TEST_CASE("history: a write of which nobody knows the end may have been, from its beginning on") {
    auto history = History();
    history.begin_write("k", 1, at(1));
    history.begin_write("k", 2, at(2));
    history.end_write("k", 2, at(3));
    history.read("k", 2, at(4), at(5));
    history.read("k", 1, at(6), at(7)); // it came late
    CHECK(history.fault().empty());
    history.read("k", 2, at(8), at(9));
    CHECK(history.fault() == "a value came back after it was gone under k");
}

TEST_CASE("history: what was compared with is replaced once") {
    auto history = History();
    history.begin_write("k", 1, at(1));
    history.end_write("k", 1, at(2));
    for (std::uint64_t value = 2; value <= 3; ++value) {
        CHECK(history.fault().empty());
        history.begin_write("k", value, at(3), 1);
        history.end_write("k", value, at(static_cast<int>(value) + 3));
    }
    CHECK(history.fault() == "one value was replaced twice under k");
}
