#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake::store::detail {

[[nodiscard]] inline Error store_closed() { return {Errc::closed, "the store was closed"}; }

[[nodiscard]] inline Error wrong_count() {
    return {Errc::protocol_error, "the master answered for other keys than it was asked for"};
}

/// Why a `compare_and_put` replaced nothing. `found`: the version that is there, 0: nobody knows of one.
[[nodiscard]] inline Error other_version(std::uint64_t expected, std::uint64_t found) {
    auto text = "it is to replace version " + std::to_string(expected);
    if (expected == 0) text = "it is to replace nothing";
    if (found != 0) text += ", and it has version " + std::to_string(found);
    else text += ", which is not there";
    return {Errc::conflict, std::move(text) + "; read it again, and decide anew"};
}

/// Why a part of another version was not read.
[[nodiscard]] inline Error another_version(std::uint64_t expected, std::uint64_t found) {
    return {Errc::conflict, "version " + std::to_string(expected) + " is wanted, and it has version " +
                                std::to_string(found) + "; read from the beginning again"};
}

/// A public error from a bare outcome: with the sentence that came with it, or at least the key.
[[nodiscard]] inline Error sentence(Errc outcome, const Error& failure, std::string_view key) {
    const auto whose = split_key(key);
    auto text = "object " + in_quotes(whose.key);
    if (!whose.tenant.empty()) text.append(" of tenant ").append(whose.tenant);
    if (!failure.context().empty()) text += ": " + std::string(failure.context());
    else if (outcome == Errc::lost)
        text += ": its last replica went with a node that died or left, or was found to be wrong; put it again";
    else text.append(": ").append(explain(outcome));
    return {outcome, std::move(text)};
}

} // namespace mooncake::store::detail
