#pragma once

#include <string_view>

namespace mooncake::test {

/// Says that the running test case cannot run on this machine: `if (!numa) return skip("one NUMA node only");`.
/// Where CI is set, a skip fails unless tests/may_skip.txt lists the test case.
void skip(std::string_view reason);

} // namespace mooncake::test
