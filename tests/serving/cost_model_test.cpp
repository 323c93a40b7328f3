// labels: unit
#include <mooncake/serving/cost_model.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace mooncake;

TEST_CASE("cost: prefill grows linearly and with the square of its tokens, less what is cached") {
    constexpr auto cost = PrefillCost{};
    CHECK(cost.seconds(1024) == doctest::Approx(0.11586 + 7.739e-4));
    CHECK(cost.seconds(131072) == doctest::Approx(0.11586 * 128 + 7.739e-4 * 128 * 128));
    CHECK(cost.seconds(8192, 4096) == doctest::Approx(cost.seconds(8192) - cost.seconds(4096)));
    CHECK(cost.seconds(100, 100) == 0);
    CHECK(cost.seconds(100, 512) == 0);
}

TEST_CASE("cost: a prompt that is there as a whole still computes its last token") {
    constexpr auto cost = CostModel{};
    CHECK(cost.prefill_seconds(1024, 2) == doctest::Approx(cost.prefill.seconds(1024, 1023)));
    CHECK(cost.prefill_seconds(1024, 1) == doctest::Approx(cost.prefill.seconds(1024, 512)));
    CHECK(cost.prefill_seconds(0, 0) == 0);
}

TEST_CASE("cost: many decode steps take what they take one by one, and the inverse finds how many") {
    constexpr auto cost = DecodeCost{};
    auto one_by_one = 0.0;
    for (std::uint64_t i = 0; i < 100; ++i) one_by_one += cost.step(7, 50'000 + 7 * i);
    CHECK(cost.steps(7, 50'000, 100) == doctest::Approx(one_by_one));
    for (std::uint64_t k : {0, 1, 2, 57, 1000}) {
        CHECK(cost.steps_within(7, 50'000, cost.steps(7, 50'000, k)) == k);
        CHECK(cost.steps_within(7, 50'000, cost.steps(7, 50'000, k) + cost.constant / 2) == k);
    }
    CHECK(DecodeCost{.constant = .01, .context = 0, .sequence = 0}.steps_within(3, 9, .055) == 5);
}

TEST_CASE("cost: a sender's NIC serves one transfer after the other") {
    constexpr auto cost = TransferCost{.bytes_per_token = 1000, .bandwidth = 1e6, .latency = .5};
    auto nic = SendQueue();
    CHECK(nic.send(10, 2000, cost) == doctest::Approx(12.5));
    CHECK(nic.estimate(10, 1000, cost) == doctest::Approx(13.5)); // waits for the first, and has its own latency
    CHECK(nic.send(11, 1000, cost) == doctest::Approx(13.5));
    CHECK(nic.estimate(100, 1000, cost) == doctest::Approx(101.5));
    CHECK(nic.send(100, 0, cost) == 100);
    CHECK(nic.free_at() == doctest::Approx(13));
}

TEST_CASE("cost: a model that makes no sense is refused by the name of its field") {
    const auto says = [](const CostModel& cost, std::string_view field) {
        const auto valid = validate(cost);
        REQUIRE(valid.has_error());
        CHECK(valid.error().context().find(field) != std::string_view::npos);
    };
    CHECK(validate(CostModel{}).has_value());
    says({.prefill = {.linear = -1}}, "prefill");
    says({.prefill = {.quadratic = std::nan("")}}, "prefill");
    says({.decode = {.context = -1}}, "decode");
    says({.decode = {.constant = 0, .context = 1, .sequence = 0}}, "iteration");
    says({.transfer = {.bandwidth = 0}}, "bandwidth");
    says({.transfer = {.latency = -1}}, "latency");
    says({.block_tokens = 0}, "block_tokens");
}
