#pragma once

#include <mooncake/core/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mooncake {

/// Tokens in one block of a trace.
inline constexpr std::uint64_t trace_block_tokens = 512;
/// The most blocks a request may have: 32 million tokens.
inline constexpr std::uint64_t max_request_blocks = 65'536;

/// One request of a trace: who asked when for how much, and which prefix blocks it shares with whom.
struct TraceRequest {
    std::uint64_t timestamp_ms = 0;  ///< since the start of the trace
    std::uint64_t input_length = 0;  ///< tokens; above 0
    std::uint64_t output_length = 0; ///< tokens
    std::vector<std::uint64_t>
        hash_ids{}; ///< one for each 512 tokens of input, begun or whole; equal ids mean equal prefixes
};

/// How many blocks a prompt of `tokens` tokens has.
[[nodiscard]] constexpr std::uint64_t blocks_of(std::uint64_t tokens) noexcept {
    return tokens / trace_block_tokens + (tokens % trace_block_tokens != 0);
}

/// Errors: `invalid_argument`, `too_large`, naming the field and what would be right.
[[nodiscard]] inline Result<void> validate(const TraceRequest& request) {
    if (request.input_length == 0)
        return Error(Errc::invalid_argument, "field \"input_length\" is 0; a request has at least one token");
    const auto blocks = blocks_of(request.input_length);
    if (blocks > max_request_blocks)
        return Error(Errc::too_large, "field \"input_length\" is " + std::to_string(request.input_length) +
                                          ", which is " + std::to_string(blocks) + " blocks; the limit is " +
                                          std::to_string(max_request_blocks) + " a request");
    if (request.hash_ids.size() != blocks)
        return Error(Errc::invalid_argument, "field \"hash_ids\" has " + std::to_string(request.hash_ids.size()) +
                                                 " ids; an input_length of " + std::to_string(request.input_length) +
                                                 " needs " + std::to_string(blocks) + ", one for each " +
                                                 std::to_string(trace_block_tokens) + " tokens begun");
    return ok;
}

} // namespace mooncake
