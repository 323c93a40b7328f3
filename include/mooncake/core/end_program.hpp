#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace mooncake::core::detail {

/// For what can only go on wrong: says why, and ends the program.
[[noreturn]] inline void end_program(std::string_view sentence) noexcept {
    std::fprintf(stderr, "mooncake: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
    std::abort();
}

} // namespace mooncake::core::detail
