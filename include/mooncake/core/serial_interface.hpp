#pragma once

#include <mooncake/core/task.hpp>

namespace mooncake::core::detail {

/// `executor`, or one on top of it that does one thing at a time. An application's own context may have any number of threads.
template <class Void = void>
[[nodiscard]] Executor serial(Executor executor);

/// Whether `executor` is one of a `Runtime`'s, and the calling thread the one that turns it: what is posted there could as well
/// be done here and now.
template <class Void = void>
[[nodiscard]] bool runs_here(const Executor& executor) noexcept;

} // namespace mooncake::core::detail
