#!/usr/bin/env bash
# Builds and runs the benchmarks; prints one table and writes build/bench.json in Google Benchmark's format.
#
# Usage: bench.sh [regular expression of benchmark names]
#        bench.sh compile    prints what units that include this library cost to compile
set -euo pipefail
cd "$(dirname "$0")/.."
filter=${1:-.}

if [[ $filter == compile ]]; then
    echo "bench: installs what is missing, both compilers included, and compiles; this may take 10 minutes"
    bash cmake/deps.sh --full >/dev/null
    exec python3 tests/compile_cost/measure.py --table
fi

echo "bench: installs what is missing, builds and runs the benchmarks that match '$filter'; all of them may take 20 minutes"
bash cmake/deps.sh --bench
options=(-DMOONCAKE_BUILD_BENCH=ON)
if [[ ! -e build/release/build.ninja ]]; then
    options+=(-DMOONCAKE_BUILD_TESTS=OFF -DMOONCAKE_BUILD_FUZZ=OFF)
fi
cmake --preset release "${options[@]}" >/dev/null
cmake --build --preset release --target bench

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for program in build/release/bench/*_bench; do
    [[ -x $program ]] || continue
    name=$(basename "$program" _bench)
    [[ -n $("$program" --benchmark_list_tests --benchmark_filter="$filter" 2>/dev/null) ]] || continue
    echo "bench: $name"
    "$program" --benchmark_filter="$filter" --benchmark_out="$results/$name.json" --benchmark_out_format=json >/dev/null
done
python3 cmake/bench_table.py "$results" build/bench.json
