#pragma once

#include <sys/types.h>

#include <set>

namespace bench {

/// Counts the CPU time of a child process as ours, from now until `forget`.
void count_as_ours(pid_t child);
void forget(pid_t child);
[[nodiscard]] const std::set<pid_t>& counted_children();

/// Seconds of CPU that this process and its children have used.
[[nodiscard]] double own_cpu();

/// How busy others kept the machine while we measured: a ratio is worth little when they took much.
class OthersCpu {
  public:
    OthersCpu();
    /// Cores that neither this process nor its children used since construction, on average.
    [[nodiscard]] double cores() const;

  private:
    double others_, at_;
};

} // namespace bench
