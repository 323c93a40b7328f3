#pragma once

#include <mooncake/memory/file_descriptor.hpp>

#include <optional>
#include <vector>

namespace bench {

/// Counts the system calls of this process and its children for as long as it lives. Each of the whole machine's takes longer
/// meanwhile: not for what is timed.
class SystemCalls {
  public:
    SystemCalls();
    /// Since construction. Nothing where the kernel does not let us count: that takes root, and tracefs.
    [[nodiscard]] std::optional<double> so_far() const;

  private:
    std::vector<mooncake::FileDescriptor> counters_; // one a thread
};

} // namespace bench
