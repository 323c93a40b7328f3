#include <mooncake/core/in_quotes.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace mooncake;

TEST_CASE("in quotes: what a terminal would obey is spelt out, and what is long is cut") {
    CHECK(in_quotes("node-1") == "'node-1'");
    CHECK(in_quotes("") == "''");
    CHECK(in_quotes("\x1b[2J\n\x7f\xc3\xa9") == "'\\x1b[2J\\x0a\\x7f\\xc3\\xa9'");
    CHECK(in_quotes(std::string("a\0b", 3)) == "'a\\x00b'");
    CHECK(in_quotes("abcdef", 6) == "'abcdef'");
    CHECK(in_quotes("abcdefg", 6) == "'abcdef...'");
}
