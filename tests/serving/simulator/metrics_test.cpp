// labels: unit
#include <mooncake/serving/simulator/metrics.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("histogram: the mean is exact, quantiles are within a per cent") {
    auto times = TimeHistogram();
    CHECK(times.quantile(.5) == 0);
    for (int i = 1; i <= 1'000; ++i) times.add(i * .01);
    CHECK(times.mean() == doctest::Approx(5.005));
    CHECK(times.quantile(.5) == doctest::Approx(5).epsilon(.01));
    CHECK(times.quantile(.99) == doctest::Approx(9.9).epsilon(.01));
    CHECK(times.quantile(1) == 10);
    CHECK(times.share_within(2.5) == doctest::Approx(.25).epsilon(.03));
    CHECK(times.share_within(1e6) == 1);
    CHECK(TimeHistogram().share_within(1) == 1);
    times.add(1e9, 9'000);
    CHECK(times.quantile(.5) > 1e6);
    CHECK(times.count() == 10'000);
    times.add(0);
    CHECK(times.quantile(0) <= 1.1e-4);
}

TEST_CASE("metrics: the JSON has the fields that people know, times in milliseconds") {
    auto m = ServeMetrics{.requests = 10, .completed = 8, .rejected_late = 2, .seconds = 4, .output_tokens = 100};
    m.ttft.add(.5);
    const auto text = to_json(m);
    for (const auto* part : {"\"requests\": 10", "\"completed\": 8", "\"rejected\": 2", "\"request_throughput\": 2,",
                             "\"output_throughput\": 25,", "\"ttft_ms\": {\"mean\": 500", "\"p99\": ", "\"e2e_ms\"",
                             "\"reused_ratio\"", "\"wasted_ratio\"", "\"tpot_ms\"", "\"itl_ms\""}) {
        CAPTURE(part);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(text.front() == '{');
    CHECK(text.back() == '}');
}
