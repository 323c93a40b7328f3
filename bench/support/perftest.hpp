#pragma once

#include "support/pairs.hpp"

#include <cstdint>

namespace bench {

/// Others' programs that measure how fast two processes of theirs move bytes over the loopback, each time from and to the same
/// memory, which caches hold. Added to `contest` as rivals, or, where they are not installed, in its note.

/// `ucx_perftest`: tagged messages of `message` bytes over TCP, with UCX's settings as they come, and with larger pieces and
/// socket buffers.
void add_ucx_over_tcp(Contest& contest, std::uint64_t message);
/// The same program: one-sided reads of `message` bytes out of shared memory, one after another.
void add_ucx_over_shm(Contest& contest, std::uint64_t message);
/// `iperf3`: one stream, in pieces of 1 MiB.
void add_iperf3(Contest& contest);

} // namespace bench
