// labels: unit
#include <mooncake/serving/cost_model.hpp>
#include <mooncake/serving/trace_json.hpp>
#include <mooncake/serving/workload_statistics.hpp>

#include "../support/reference_trace.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <unordered_set>

using namespace mooncake;

namespace {

constexpr auto good = R"({"timestamp": 27, "input_length": 600, "output_length": 52, "hash_ids": [4, 9]})";

Error error_of(const std::string& text) {
    auto in = std::istringstream(text);
    auto trace = read_trace(in, "t.jsonl");
    REQUIRE(trace.has_error());
    return trace.error();
}
void refuses(const std::string& line, const std::string& expected) {
    const auto error = error_of(std::string(good) + "\n\n" + line + "\n" + good);
    const auto context = std::string(error.context());
    CHECK_MESSAGE(context.starts_with("t.jsonl, line 3: "), context);
    CHECK_MESSAGE(context.find(expected) != std::string::npos, context);
}

} // namespace

TEST_CASE("trace json: lines become requests; other fields, empty lines and a missing last newline do not matter") {
    auto in = std::istringstream(
        std::string(good) + "\r\n  \n" +
        R"({"hash_ids": [], "input_length": 1, "output_length": 0, "timestamp": 0, "user": "x", "hash_ids": [7]})");
    const auto trace = read_trace(in).value();
    REQUIRE(trace.size() == 2);
    CHECK(trace[0].timestamp_ms == 27);
    CHECK(trace[0].input_length == 600);
    CHECK(trace[0].output_length == 52);
    CHECK(trace[0].hash_ids == std::vector<std::uint64_t>{4, 9});
    CHECK(trace[1].hash_ids == std::vector<std::uint64_t>{7});
}

TEST_CASE("trace json: an error names the line, the field, and what would be right") {
    refuses(R"({"input_length": 1, "output_length": 1, "hash_ids": [1]})",
            R"("timestamp" is missing; expected milliseconds)");
    refuses(R"({"timestamp": 0, "output_length": 1, "hash_ids": [1]})",
            R"("input_length" is missing; expected tokens)");
    refuses(R"({"timestamp": 0, "input_length": 1, "hash_ids": [1]})", R"("output_length" is missing)");
    refuses(R"({"timestamp": 0, "input_length": 1, "output_length": 1})",
            R"("hash_ids" is missing; expected an array)");
    refuses(R"({"timestamp": -5, "input_length": 1, "output_length": 1, "hash_ids": [1]})",
            R"("timestamp" is -5; expected)");
    refuses(R"({"timestamp": 0, "input_length": "1", "output_length": 1, "hash_ids": [1]})",
            R"("input_length" is "1"; expected)");
    refuses(R"({"timestamp": 0, "input_length": 1, "output_length": 1.5, "hash_ids": [1]})",
            R"("output_length" is 1.5; expected)");
    refuses(R"({"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": 1})",
            R"("hash_ids" is 1; expected an array)");
    refuses(R"({"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [-1]})",
            R"("hash_ids[0]" is -1; expected)");
    refuses(R"({"timestamp": 0, "input_length": 513, "output_length": 1, "hash_ids": [1]})", "needs 2");
    refuses(R"({"timestamp": 0, "input_length": 0, "output_length": 1, "hash_ids": []})", R"("input_length" is 0)");
    refuses(R"([1, 2])", "is an array; expected an object");
    refuses("{\"input_length\": 1, \"timestamp\": " + std::string(500'000, '[') + std::string(500'000, ']') + "}",
            R"("timestamp" is an array; expected)");
    refuses(R"({"timestamp": 0,)", "not JSON");
    refuses("\x1b[2Jx", R"(not JSON: '\x1b[2Jx')");
    CHECK(error_of("").context() == "t.jsonl holds no request");
    CHECK(error_of("\n\n").context() == "t.jsonl holds no request");
}

TEST_CASE("trace json: a file that is not there, or is a folder, is an error that names it") {
    for (const auto* const path : {"/no/such/file", "/tmp"}) {
        const auto trace = read_trace_file(path);
        REQUIRE(trace.has_error());
        CHECK(trace.error() == Errc::system);
        CHECK(trace.error().message().find(path) != std::string::npos);
    }
    CHECK(read_trace_file("/tmp").error().message().find("Is a directory") != std::string::npos);
}

TEST_CASE("trace json: a request of too many blocks is refused, and one of a million before it is parsed") {
    const auto request = [](std::size_t blocks) {
        auto text = R"({"timestamp": 0, "output_length": 1, "input_length": )" + std::to_string(blocks * 512) +
                    R"(, "hash_ids": [1)";
        for (std::size_t i = 1; i < blocks; ++i) text += ",1";
        return text + "]}";
    };
    auto in = std::istringstream(request(max_request_blocks));
    CHECK(read_trace(in)->front().hash_ids.size() == max_request_blocks);
    const auto above = error_of(request(max_request_blocks + 1));
    CHECK(above == Errc::too_large);
    CHECK(above.context().find("65537 ids; the limit is 65536") != std::string_view::npos);
    auto digits = request(1'000'000);
    CHECK(error_of(digits) == Errc::too_large);
    digits.insert(digits.find('[') + 1, 3'000'000, ' ');
    const auto huge = error_of(std::string(good) + "\n" + digits + "\n" + good);
    CHECK(huge == Errc::too_large);
    CHECK(huge.context().find("line 2: longer than") != std::string_view::npos);
}

TEST_CASE("trace json: the real trace is read whole, and costs what the reference says") {
    const auto trace = read_trace_file(testing::reference_trace);
    if (!trace) {
        MESSAGE("SKIPPED: " << trace.error().message());
        return;
    }
    const auto cost = PrefillCost{};
    auto seen = std::unordered_set<std::uint64_t>();
    auto without = 0.0, with = 0.0;
    for (const auto& request : *trace) {
        auto hits = std::uint64_t{0};
        while (hits < request.hash_ids.size() && seen.contains(request.hash_ids[hits])) ++hits;
        seen.insert(request.hash_ids.begin(), request.hash_ids.end());
        without += cost.seconds(request.input_length);
        with += cost.seconds(request.input_length, hits * trace_block_tokens);
    }
    const auto requests = static_cast<double>(trace->size());
    CHECK(without / requests == doctest::Approx(1.653).epsilon(.0005));
    CHECK(with / requests == doctest::Approx(1.050).epsilon(.001));

    const auto s = statistics_of(*trace);
    const auto& known = conversation_statistics;
    CHECK(s.requests == known.requests);
    CHECK(s.blocks == known.blocks);
    CHECK(s.distinct_blocks == known.distinct_blocks);
    CHECK(s.seconds == doctest::Approx(known.seconds).epsilon(.001));
    CHECK(s.mean_blocks == doctest::Approx(known.mean_blocks).epsilon(.001));
    CHECK(s.p50_blocks == known.p50_blocks);
    CHECK(s.p90_blocks == known.p90_blocks);
    CHECK(s.mean_output == doctest::Approx(known.mean_output).epsilon(.001));
    CHECK(s.requests_per_burst == doctest::Approx(known.requests_per_burst).epsilon(.005));
    CHECK(s.burst_gap_seconds == doctest::Approx(known.burst_gap_seconds).epsilon(.001));
    CHECK(s.hit_ratio == doctest::Approx(known.hit_ratio).epsilon(.0002));
    CHECK(s.seen_once == doctest::Approx(known.seen_once).epsilon(.0002));
    CHECK(s.return_p10 == doctest::Approx(known.return_p10).epsilon(.01));
    CHECK(s.return_p50 == doctest::Approx(known.return_p50).epsilon(.01));
    CHECK(s.return_p90 == doctest::Approx(known.return_p90).epsilon(.01));
}
