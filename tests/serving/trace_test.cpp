// labels: unit
#include <mooncake/serving/trace.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("trace: a prompt has a block for each 512 tokens begun, and a request one id for each") {
    CHECK(blocks_of(0) == 0);
    CHECK(blocks_of(1) == 1);
    CHECK(blocks_of(512) == 1);
    CHECK(blocks_of(513) == 2);
    CHECK(validate(TraceRequest{.input_length = 513, .hash_ids = {1, 2}}).has_value());
    const auto few = validate(TraceRequest{.input_length = 513, .hash_ids = {1}});
    REQUIRE(few.has_error());
    CHECK(few.error().context() ==
          "field \"hash_ids\" has 1 ids; an input_length of 513 needs 2, one for each 512 tokens begun");
    CHECK(validate(TraceRequest{}).error().context().find("\"input_length\" is 0") != std::string_view::npos);
    CHECK(validate(TraceRequest{.input_length = ~std::uint64_t{0}}).error() == Errc::too_large);
}
