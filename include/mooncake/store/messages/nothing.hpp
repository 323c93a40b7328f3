#pragma once

namespace mooncake::store {

/// The reply to what only succeeds or fails.
struct Nothing {};

} // namespace mooncake::store
