#include <mooncake/engine/paths.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;
using engine::detail::PathChoice;

namespace {

using Flags = std::array<bool, 3>;
constexpr auto all = Flags{true, true, true};
constexpr auto costs = std::array<unsigned, 3>{10, 1, 2};

std::vector<std::size_t> take_all(PathChoice<3>& choice) {
    auto order = std::vector<std::size_t>();
    for (auto path = choice.next(); path; path = choice.next()) order.push_back(*path);
    return order;
}

} // namespace

TEST_CASE("paths: each is tried once, cheap before dear") {
    auto choice = PathChoice<3>(all, all, costs);
    CHECK(take_all(choice) == std::vector<std::size_t>{1, 2, 0});
    CHECK_FALSE(choice.another_round());
}

TEST_CASE("paths: those that do not reach are not tried, those that failed lately come last") {
    auto unreachable = PathChoice<3>({true, false, true}, all, costs);
    CHECK(take_all(unreachable) == std::vector<std::size_t>{2, 0});
    auto tired = PathChoice<3>(all, {true, false, false}, costs);
    CHECK(take_all(tired) == std::vector<std::size_t>{0, 1, 2});
    auto none = PathChoice<3>({}, all, costs);
    CHECK(take_all(none).empty());
    CHECK_FALSE(none.another_round());
}

TEST_CASE("paths: one that failed as a path gets another try in the next round, and no third") {
    auto choice = PathChoice<3>(all, all, costs);
    CHECK(choice.next() == 1);
    choice.failed(1);
    CHECK(choice.next() == 2);
    CHECK(choice.next() == 0);
    choice.failed(0);
    CHECK_FALSE(choice.next());
    CHECK(choice.another_round());
    CHECK(choice.next() == 1);
    choice.failed(1);
    CHECK(choice.next() == 0);
    choice.failed(0);
    CHECK_FALSE(choice.next());
    CHECK_FALSE(choice.another_round());
    CHECK_FALSE(choice.next());
}

TEST_CASE("paths: refusals are final, failures of the way are not") {
    for (const auto final : {Errc::ok, Errc::cancelled, Errc::timed_out, Errc::invalid_argument, Errc::out_of_range,
                             Errc::access_denied, Errc::stale_generation})
        CHECK_FALSE(engine::detail::retryable(final));
    for (const auto passing : {Errc::connection_lost, Errc::unreachable, Errc::not_mapped, Errc::no_path,
                               Errc::injected_fault, Errc::protocol_error, Errc::closed})
        CHECK(engine::detail::retryable(passing));
}
