// labels: unit
#include <mooncake/serving/workload_statistics.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

TEST_CASE("statistics: counted by hand on four requests") {
    const auto trace = std::vector<TraceRequest>{
        {.timestamp_ms = 0, .input_length = 1000, .output_length = 10, .hash_ids = {0, 1}},
        {.timestamp_ms = 0, .input_length = 1100, .output_length = 20, .hash_ids = {0, 2, 3}},
        {.timestamp_ms = 3000, .input_length = 1400, .output_length = 30, .hash_ids = {0, 1, 4}},
        {.timestamp_ms = 9000, .input_length = 2000, .output_length = 40, .hash_ids = {0, 5, 3, 1}},
    };
    const auto s = statistics_of(trace);
    CHECK(s.requests == 4);
    CHECK(s.blocks == 12);
    CHECK(s.distinct_blocks == 6);
    CHECK(s.seconds == 9);
    CHECK(s.mean_blocks == 3);
    CHECK(s.mean_output == 25);
    CHECK(s.requests_per_burst == doctest::Approx(4.0 / 3));
    CHECK(s.hit_ratio == doctest::Approx(4.0 / 12)); // 0 · 0 1 · 0: what comes after a miss is no prefix hit
    CHECK(s.seen_once == doctest::Approx(3.0 / 6));
    CHECK(s.return_p10 == 3);
    CHECK(s.return_p90 == 9);
    CHECK(statistics_of({}).hit_ratio == 0);
}

TEST_CASE("statistics: a trace that is not in order has no times before its beginning") {
    const auto trace = std::vector<TraceRequest>{
        {.timestamp_ms = 9000, .input_length = 1000, .output_length = 10, .hash_ids = {0, 1}},
        {.timestamp_ms = 3000, .input_length = 1000, .output_length = 10, .hash_ids = {0, 1}},
    };
    CHECK(statistics_of(trace).seconds == 0);
    CHECK(statistics_of(trace).return_p90 == 0);
}

TEST_CASE("statistics: a comparison has both names and a line for each figure") {
    const auto text = compare("mine", {.requests = 7, .hit_ratio = .25}, "real", conversation_statistics);
    CHECK(text.find("mine") < text.find("real"));
    CHECK(text.find("0.2500           0.3664") != std::string::npos);
    CHECK(text.find("12031") != std::string::npos);
}
