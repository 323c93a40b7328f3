// labels: unit
#include <mooncake/store/limits.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace mooncake;
using namespace mooncake::store;

TEST_CASE("limits: what is at a limit passes, what is above does not") {
    const auto limits = Limits{.max_keys = 2,
                               .max_key_bytes = 3,
                               .max_object_bytes = 10,
                               .max_replicas = 2,
                               .max_listed = 5,
                               .max_write_deadline_ms = 7};
    const auto put = PutStart{.keys = {"abc", "d"}, .sizes = {10, 0}, .replicas = 2, .write_deadline_ms = 7};
    CHECK(validate(put, limits).has_value());
    auto wrong = put;
    wrong.sizes[0] = 11;
    CHECK(validate(wrong, limits).error().context() == "PutStart: object 0 has 11 bytes, the limit is 10");
    wrong = put;
    wrong.keys[1] = "abcd";
    CHECK(validate(wrong, limits).error().context() == "PutStart: key 1 has 4 bytes, the limit is 3");
    wrong = put;
    wrong.replicas = 3;
    CHECK(validate(wrong, limits).error() == Errc::invalid_argument);
    wrong = put;
    wrong.write_deadline_ms = 8;
    CHECK(validate(wrong, limits).error() == Errc::invalid_argument);
    wrong = put;
    wrong.pin = static_cast<store::Pin>(3);
    CHECK(validate(wrong, limits).error() == Errc::invalid_argument);
    wrong = put;
    wrong.parents = {1, 2};
    CHECK(validate(wrong, limits).has_value());
    wrong.parents = {1};
    CHECK(validate(wrong, limits).error().context().find("parents") != std::string::npos);
    wrong = put;
    wrong.near_host = "abc";
    wrong.excluded = std::vector<std::uint32_t>(64, 1);
    CHECK(validate(wrong, limits).has_value());
    wrong.avoid = std::vector<std::uint32_t>(65, 1);
    CHECK(validate(wrong, limits).error().context() ==
          "PutStart: 65 segments are preferred, excluded or to be avoided, the limit is 64");
    wrong = put;
    wrong.near_rack = "abcd";
    CHECK(validate(wrong, limits).error() == Errc::too_large);
    wrong = put;
    wrong.mode = static_cast<WriteMode>(3);
    CHECK(validate(wrong, limits).error().context() == "PutStart: unknown mode");
    wrong = put;
    wrong.mode = WriteMode::compare;
    CHECK(validate(wrong, limits).error().context() == "PutStart: 2 keys, but 0 expected versions to compare with");
    wrong.expected = {1, 2};
    CHECK(validate(wrong, limits).has_value());
    wrong = put;
    wrong.demand = static_cast<ReplicaDemand>(2);
    CHECK(validate(wrong, limits).error() == Errc::invalid_argument);

    CHECK(validate(PutEnd{.objects = {{.key = "abc"}}}, limits).has_value());
    CHECK(validate(PutEnd{.objects = {{.key = "abcd"}}}, limits).error() == Errc::too_large);
    CHECK(validate(PutEnd{.objects = {{.key = ""}}}, limits).error() == Errc::invalid_argument);
    CHECK(validate(PutEnd{.objects = {{.key = "a"}}, .lease = static_cast<LeaseWish>(2)}, limits).error() ==
          Errc::invalid_argument);
    CHECK(validate(PutEnd{.objects = {{.key = "a", .writer = static_cast<WriterState>(2)}}}, limits).error() ==
          Errc::invalid_argument);
    CHECK(validate(PutEnd{.objects = {{.key = "a"}, {.key = "a"}, {.key = "a"}}}, limits).error() == Errc::too_large);
    CHECK(validate(Get{.keys = {"a", "b"}}, limits).has_value());
    CHECK(validate(Query{.keys = {"a", "b", "c"}}, limits).error().context() ==
          "Query: 3 keys, the limit is 2 a message");
    CHECK(validate(Remove{.keys = {"a"}, .mode = static_cast<RemoveMode>(2)}, limits).error() ==
          Errc::invalid_argument);
    CHECK(validate(PutAbort{.keys = {"a"}, .versions = {1, 2}}, limits).error().context() ==
          "PutAbort: 1 keys, but 2 versions");
    CHECK(validate(List{.limit = 5}, limits).has_value());
    CHECK(validate(List{.limit = 6}, limits).error() == Errc::invalid_argument);
    CHECK(validate(List{.prefix = "abcd", .limit = 1}, limits).error() == Errc::too_large);
    CHECK(validate(SegmentMount{.name = "abc", .offset = ~std::uint64_t{0} - 1, .bytes = 1}, limits).has_value());
    CHECK(validate(SegmentMount{.name = "abc", .offset = ~std::uint64_t{0} - 1, .bytes = 2}, limits).error() ==
          Errc::out_of_range);
    CHECK(validate(SegmentMount{.name = "abcd", .bytes = 1}, limits).error() == Errc::invalid_argument);
    CHECK(validate(SegmentMount{.name = "abc", .endpoint = "abcd", .bytes = 1}, limits).error() == Errc::too_large);
    CHECK(validate(SegmentMount{.name = "abc", .bytes = 1, .rack = "abcd"}, limits).error() == Errc::too_large);
}
