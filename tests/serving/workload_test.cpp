// labels: unit
#include <mooncake/serving/workload.hpp>
#include <mooncake/serving/workload_statistics.hpp>

#include <doctest/doctest.h>

#include <map>

using namespace mooncake;

TEST_CASE("workload: every request is valid, time never goes back, and an id has one parent") {
    const auto trace = generate_workload().value();
    CHECK(trace.size() == 2'000);
    auto parents = std::map<std::uint64_t, std::uint64_t>();
    auto last = std::uint64_t{0};
    for (const auto& request : trace) {
        REQUIRE(validate(request).has_value());
        REQUIRE(request.timestamp_ms >= last);
        last = request.timestamp_ms;
        REQUIRE(request.hash_ids.front() == 0);
        for (std::size_t i = 1; i < request.hash_ids.size(); ++i) {
            const auto known = parents.try_emplace(request.hash_ids[i], request.hash_ids[i - 1]).first;
            REQUIRE(known->second == request.hash_ids[i - 1]);
        }
    }
}

TEST_CASE("workload: the same seed makes the same requests, another seed others") {
    const auto a = generate_workload().value(), b = generate_workload().value(),
               c = generate_workload({.seed = 2}).value();
    const auto same = [](const auto& x, const auto& y) {
        return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const auto& p, const auto& q) {
            return p.hash_ids == q.hash_ids && p.input_length == q.input_length && p.output_length == q.output_length &&
                   p.timestamp_ms == q.timestamp_ms;
        });
    };
    CHECK(same(a, b));
    CHECK_FALSE(same(a, c));
}

TEST_CASE("workload: as long as the real trace, it looks like it to a cache") {
    const auto& real = conversation_statistics;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const auto s = statistics_of(generate_workload({.requests = real.requests, .seed = seed}).value());
        CAPTURE(compare("generated", s, "conversation", real));
        CHECK(s.mean_blocks == doctest::Approx(real.mean_blocks).epsilon(.12));
        CHECK(s.p50_blocks == doctest::Approx(real.p50_blocks).epsilon(.15));
        CHECK(s.p90_blocks == doctest::Approx(real.p90_blocks).epsilon(.15));
        CHECK(s.mean_output == doctest::Approx(real.mean_output).epsilon(.05));
        CHECK(s.seconds == doctest::Approx(real.seconds).epsilon(.1));
        CHECK(s.requests_per_burst == doctest::Approx(real.requests_per_burst).epsilon(.1));
        CHECK(s.burst_gap_seconds == doctest::Approx(real.burst_gap_seconds).epsilon(.01));
        CHECK(s.hit_ratio == doctest::Approx(real.hit_ratio).epsilon(.1));
        CHECK(s.seen_once == doctest::Approx(real.seen_once).epsilon(.05));
        CHECK(s.return_p10 == doctest::Approx(real.return_p10).epsilon(.25));
        CHECK(s.return_p50 == doctest::Approx(real.return_p50).epsilon(.25));
        CHECK(s.return_p90 == doctest::Approx(real.return_p90).epsilon(.25));
    }
}

TEST_CASE("workload: a configuration that makes no sense is refused by the name of its field") {
    const auto says = [](const WorkloadConfig& config, std::string_view field) {
        const auto trace = generate_workload(config);
        REQUIRE(trace.has_error());
        CHECK(trace.error().context().find(field) != std::string_view::npos);
    };
    says({.requests = 0}, "requests");
    says({.requests_per_burst = 0}, "requests_per_burst");
    says({.burst_gap_ms = 0}, "burst_gap_ms");
    says({.continued = 1}, "continued");
    CHECK(generate_workload({.requests = 1}).value().size() == 1);
    CHECK(generate_workload({.requests = 100, .continued = 0}).value().size() == 100);
}
