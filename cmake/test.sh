#!/usr/bin/env bash
# Builds with g++ and runs every test.
#
# Usage: test.sh [--full]
#   --full  also sanitizers (g++ and clang 19), AArch64 under qemu, fuzz targets, format, clang-tidy, the simulation with its
#           mutants, and headers one by one
set -euo pipefail
cd "$(dirname "$0")/.."
# A unit of tests takes up to 3 GB to compile.
jobs=$(awk -v cores="$(nproc)" '/^MemAvailable/ { fit = int($2 / 3e6); print fit < 1 ? 1 : fit < cores ? fit : cores }' /proc/meminfo)

if [[ $# -eq 0 ]]; then
    echo "test: installs what is missing, builds with g++ and runs every test; may take 20 minutes on 2 cores"
    bash cmake/deps.sh --test
    cmake --preset release -DMOONCAKE_BUILD_TESTS=ON -DMOONCAKE_TESTS_A_UNIT=16 -DMOONCAKE_BUILD_FUZZ=ON \
        -DMOONCAKE_BUILD_EXAMPLES=ON >/dev/null
    cmake --build --preset release --parallel "$jobs"
    ctest --preset release --parallel "$jobs"
elif [[ $# -eq 1 && $1 == --full ]]; then
    echo "test: installs what is missing, then builds and tests with g++, clang and sanitizers; may take 75 minutes on 2 cores"
    bash cmake/deps.sh --full
    # Each part is a test of its own, so that one part compiles while the tests of another run.
    cmake -S cmake/full -B build/full -G Ninja >/dev/null
    rm -rf build/full/seconds build/full/failures
    mkdir -p build/full/seconds build/full/failures
    date +%s >build/full/started
    ctest --test-dir build/full --parallel "$jobs" --verbose
else
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
fi
