// labels: unit
#include <mooncake/store/master/failure_domains.hpp>

#include <doctest/doctest.h>

using namespace mooncake::store::detail;

TEST_CASE("failure domains: a name has a number as long as it is held, and no name has that of another") {
    auto domains = FailureDomains();
    const auto a = domains.hold("a"), b = domains.hold("b");
    CHECK(a != 0);
    CHECK(b != 0);
    CHECK(a != b);
    CHECK(domains.hold("a") == a);
    CHECK(domains.find("b") == b);
    domains.let_go("a");
    CHECK(domains.find("a") == a);
    domains.let_go("a");
    CHECK(domains.find("a") == 0);
    CHECK(domains.size() == 1);
    const auto again = domains.hold("a");
    CHECK(again != a);
    CHECK(again != b);
}

TEST_CASE("failure domains: what was not told is 0, and held by nobody") {
    auto domains = FailureDomains();
    CHECK(domains.hold("") == 0);
    CHECK(domains.find("") == 0);
    domains.let_go("");
    CHECK(domains.size() == 0);
}
