#!/usr/bin/env bash
# Builds the cluster programs and replays a workload on a cluster of processes on this machine.
#
# Usage: demo.sh [options of mooncake_replay]; `demo.sh --help` lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "demo: installs what is missing, builds three programs and runs a cluster; the first time may take 10 minutes"
bash cmake/deps.sh
# The tests' packages are not needed here, so a tree made for the demo has none; a tree that has them keeps them.
if [[ ! -e build/release/build.ninja ]]; then
    cmake --preset release -DMOONCAKE_BUILD_TESTS=OFF -DMOONCAKE_BUILD_FUZZ=OFF >/dev/null
fi
cmake --build --preset release --target mooncake_master mooncake_node mooncake_replay
exec build/release/examples/cluster/mooncake_replay --cluster "$@"
