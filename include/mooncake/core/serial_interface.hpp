#pragma once

#include <mooncake/core/task.hpp>

namespace mooncake::core::detail {

/// `executor`, or one on top of it that does one thing at a time. An application's own context may have any number of threads.
template <class Void = void>
[[nodiscard]] Executor serial(Executor executor);

} // namespace mooncake::core::detail
