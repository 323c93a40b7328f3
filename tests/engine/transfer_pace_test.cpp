#include <mooncake/engine/transfer_pace.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using namespace std::chrono_literals;
using engine::detail::TransferPace;

TEST_CASE("transfer pace: nothing is said of a way that nothing moved over") {
    CHECK_FALSE(TransferPace().expected(1 * MiB).has_value());
}

TEST_CASE("transfer pace: latency and time for a byte are learnt apart, and each size is told from them") {
    auto pace = TransferPace();
    for (auto i = 0; i < 100; ++i) {
        pace.learn(64, 50us);
        pace.learn(1 * MiB, 50us + 1ms);
    }
    CHECK(pace.expected(0).value() == 50us);
    CHECK(pace.expected(1 * MiB).value() > 1'040us);
    CHECK(pace.expected(1 * MiB).value() < 1'060us);
    CHECK(pace.expected(1 * GiB).value() > 1'020ms);
    CHECK(pace.expected(1 * GiB).value() < 1'030ms);
}

TEST_CASE("transfer pace: one slow transfer does not decide, and lasting slowness does") {
    auto pace = TransferPace();
    for (auto i = 0; i < 50; ++i) pace.learn(1 * MiB, 1ms);
    pace.learn(1 * MiB, 100ms);
    CHECK(pace.expected(1 * MiB).value() < 15ms);
    for (auto i = 0; i < 50; ++i) pace.learn(1 * MiB, 10ms);
    CHECK(pace.expected(1 * MiB).value() > 9ms);
    CHECK(pace.expected(1 * MiB).value() < 11ms);
}

TEST_CASE("transfer pace: hostile numbers stay within an hour") {
    auto pace = TransferPace();
    pace.learn(1 * MiB, 1h);
    CHECK(pace.expected(~std::uint64_t{0}).value() == 1h);
    pace.learn(0, 0ns);
    CHECK(pace.expected(~std::uint64_t{0}).value() <= 1h);
}
