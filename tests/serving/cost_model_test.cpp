// labels: unit
#include <mooncake/serving/cost_model.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("cost: prefill grows linearly and with the square of its tokens, less what is cached") {
    constexpr auto cost = PrefillCost{};
    CHECK(cost.seconds(1024) == doctest::Approx(0.11586 + 7.739e-4));
    CHECK(cost.seconds(131072) == doctest::Approx(0.11586 * 128 + 7.739e-4 * 128 * 128));
    CHECK(cost.seconds(8192, 4096) == doctest::Approx(cost.seconds(8192) - cost.seconds(4096)));
    CHECK(cost.seconds(100, 100) == 0);
    CHECK(cost.seconds(100, 512) == 0);
}
