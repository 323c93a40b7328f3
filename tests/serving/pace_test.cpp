// labels: unit
#include <mooncake/serving/pace.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace mooncake;

TEST_CASE("pace: who takes longer than the others and than expected is noticed, and forgotten when it is not used") {
    auto paces = Paces(4);
    for (InstanceId i = 0; i < 4; ++i)
        for (int n = 0; n < 10; ++n) paces.add(i, n, i == 2 ? 4 : 1, 1);
    CHECK(paces.of(0, 10) == 1);
    CHECK(paces.of(2, 10) > 3);
    CHECK(paces.of(2, 10) < 4);
    CHECK(paces.of(2, 60) > 1);
    CHECK(paces.of(2, 60) < paces.of(2, 10));
    CHECK(paces.of(2, 600) == 1);
    paces.forget(2);
    CHECK(paces.of(2, 10) == 1);
}

TEST_CASE(
    "pace: a cost model that is wrong for all makes nobody slow, and one that is alone is compared with the model") {
    auto paces = Paces(3);
    for (InstanceId i = 0; i < 3; ++i)
        for (int n = 0; n < 20; ++n) paces.add(i, n, 3, 1);
    for (InstanceId i = 0; i < 3; ++i) CHECK(paces.of(i, 20) == 1);
    auto alone = Paces(1);
    alone.add(0, 0, 20, 2);
    CHECK(alone.of(0, 1) > 5);
}

TEST_CASE("pace: a little longer is noise, and what makes no sense is passed over") {
    auto paces = Paces(2);
    for (int n = 0; n < 20; ++n) paces.add(0, n, 1.2, 1), paces.add(1, n, 1, 1);
    paces.add(9, 0, 100, 1);
    paces.add(0, 0, -1, 1), paces.add(0, 0, 100, 0);
    paces.add(0, 0, std::numeric_limits<double>::quiet_NaN(), 1);
    paces.add(0, 0, std::numeric_limits<double>::infinity(), 1);
    CHECK(paces.of(0, 20) == 1);
    CHECK(paces.of(1, 20) == 1);
    paces.forget(9);
}

TEST_CASE("pace: what hangs is slow before it is over, what is in time is not, and what paused is not asked about") {
    auto paces = Paces(2);
    for (int n = 0; n < 5; ++n) paces.add(0, n, 1, 1), paces.add(1, n, 1, 1);
    paces.began(0, 5, 0, 3);
    CHECK(paces.of(0, 7.9) == 1);
    CHECK(paces.of(0, 60) > 5);
    paces.ended(0);
    CHECK(paces.of(0, 60) == 1);
    paces.began(0, 60, 2.5, 3); // it goes on, half a second is left
    CHECK(paces.of(0, 60.4) == 1);
    paces.add(0, 60.5, 3, 3);
    CHECK(paces.of(0, 200) == 1);
}
