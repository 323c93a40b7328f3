// labels: unit
#include <mooncake/serving/superposition.hpp>
#include <mooncake/serving/workload.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace mooncake;

TEST_CASE("superposition: copies come in order, share nothing with each other, and begin again") {
    const auto trace = generate_workload({.requests = 50}).value();
    auto many = Superposition(trace, 4, 500);
    auto last = std::uint64_t{0}, count = std::uint64_t{0};
    auto ids = std::set<std::uint64_t>();
    while (const auto request = many()) {
        CHECK(request->timestamp_ms >= last);
        CHECK(validate(*request).has_value());
        last = request->timestamp_ms;
        ids.insert(request->hash_ids.front());
        ++count;
    }
    CHECK(count == 500);
    CHECK(ids.size() >= 10); // 500 of 50 in 4: each copy two to three times
    CHECK(ids.size() <= 12);
    auto once = Superposition(trace, 1);
    for (const auto& request : trace) CHECK(once()->hash_ids == request.hash_ids);
    CHECK_FALSE(once().has_value());
}
