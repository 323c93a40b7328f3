#include <mooncake/core/result.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

Result<std::shared_ptr<const int>> shared(int value) { return std::make_shared<int>(value); }
Result<std::unique_ptr<int>> owned(int value) {
    if (value < 0) return Error(Errc::invalid_argument, "below 0");
    return std::make_unique<int>(value);
}
Result<void> check(const Result<std::unique_ptr<int>>& result) {
    if (!result) return result.error();
    return ok;
}

static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::unique_ptr<int>>>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::string>>);
static_assert(!std::is_convertible_v<std::string, Result<int>>);
static_assert(!std::is_convertible_v<Result<int>, int>);

} // namespace

TEST_CASE("result: an error has a code and a sentence, and throws when its value is asked for") {
    const auto failed = Result<int>(Error(Errc::not_found, "no segment 'a'"));
    CHECK(failed.error() == Errc::not_found);
    CHECK(failed.error().message() == "not_found: no segment 'a'");
    CHECK_THROWS_AS((void)failed.value(), boost::system::system_error);
    CHECK(Error(Errc::closed).message() ==
          "closed: the object was closed before, or while, the operation ran; close it last: after whoever uses it");
    CHECK(errno_error("open", ENOENT).code() == Errc::system);
    CHECK(errno_error("mmap", ENOMEM).code() == Errc::out_of_memory);
    CHECK(errno_error("open", ENOENT).message().find("No such file") != std::string::npos);
}

TEST_CASE("result: takes what its value can be made of, and gives it away") {
    CHECK(**shared(7) == 7);
    auto moved = owned(8);
    REQUIRE(moved.has_value());
    const auto pointer = std::move(*moved);
    CHECK(*pointer == 8);
    auto sum = 0;
    for (const auto value : Result<std::vector<int>>(std::vector{1, 2, 3}).value()) sum += value;
    CHECK(sum == 6);
    auto text = Result<std::string>(Errc::cancelled);
    CHECK(text.has_error());
    text = "again";
    CHECK(text.value() == "again");
    CHECK(text.error() == Errc::ok);
}

TEST_CASE("result: an error goes from one result to another with its sentence") {
    const auto passed = check(owned(-1));
    REQUIRE(passed.has_error());
    CHECK(passed.error() == Errc::invalid_argument);
    CHECK(passed.error().context() == "below 0");
    CHECK_THROWS_AS(passed.value(), boost::system::system_error);
    CHECK(check(owned(1)).has_value());
    CHECK_NOTHROW(check(owned(1)).value());
}
