#!/usr/bin/env bash
# One part of `test.sh --full`. Usage: part.sh <part> <folder for the seconds that each part took>
set -euo pipefail
part=$1
records=$2
cd "$(dirname "$0")/../.."

# Aimed at, and what fails: machines are not all as fast.
readonly aim_seconds=$((50 * 60)) budget_seconds=$((82 * 60))

configure() {
    local options=(-DMOONCAKE_BUILD_TESTS=ON -DMOONCAKE_TESTS_A_UNIT=16)
    # What asan-gcc runs, which is the same compiler and looks closer, need not be compiled once more.
    [[ $1 != release ]] || options+=('-DMOONCAKE_TEST_LABELS=unit;concurrent;cluster;net;vm')
    [[ $1 != tsan ]] || options+=(-DMOONCAKE_BUILD_BENCH=ON) # where compiling them costs least
    cmake --preset "$1" "${options[@]}"
}

check_format() {
    git -c safe.directory='*' ls-files '*.hpp' '*.cpp' | grep -v '^tests/lint/' |
        xargs -r clang-format-19 --dry-run --Werror
    echo "format: as .clang-format says"
}

# Each header compiles on its own. One that another header includes first is seen with that one.
check_headers() {
    local header first failed=0
    first=$(find include/mooncake -name '*.hpp' -exec grep -m 1 -h '^#include' {} + | sed -n 's/^#include <\(mooncake.*\)>$/\1/p' | sort -u)
    for header in $(cd include && find mooncake -name '*.hpp' | sort | comm -23 - <(echo "$first")); do
        g++ -std=c++20 -Wall -Wextra -Wno-missing-field-initializers -Werror -fsyntax-only -Iinclude \
            -include "$header" -x c++ /dev/null || { echo "$header does not compile on its own" && failed=1; }
    done
    return "$failed"
}

# The programs instantiate most of the library, and are compiled without a precompiled header.
check_tidy() {
    git -c safe.directory='*' ls-files 'examples/cluster/*.cpp' | while read -r program; do
        clang-tidy-19 --quiet --warnings-as-errors='*' "$program" -- -std=c++20 -Iinclude -Wno-missing-designated-field-initializers
    done
}

# 100 seeds, 30 in which each node is reached over two networks, and a few of them again from another compiler, which must come to the same events.
check_simulation() {
    local other=build/release/mooncake_simulate_clang here there
    build/release/examples/cluster/mooncake_simulate --seeds 100 --jobs 1
    build/release/examples/cluster/mooncake_simulate --seeds 30 --jobs 1 --networks 2
    clang++-19 -std=c++20 -O1 -w -Iinclude examples/cluster/simulate.cpp -o "$other" -lxxhash
    here=$(build/release/examples/cluster/mooncake_simulate --seeds 6 --jobs 1 | sed -n 's/:.*events/ /p')
    there=$("$other" --seeds 6 --jobs 1 | sed -n 's/:.*events/ /p')
    [[ -n $here && $here == "$there" ]] && echo "simulation: the same events with both compilers" && return
    diff <(echo "$here") <(echo "$there") || echo "simulation: g++'s events, then clang's, are not the same"
    return 1
}

# A failure is said where it happens, among thousands of lines, and once more at the end of the run.
run_tests() {
    ctest --preset "$1" && return
    grep -aE -A 12 'ERROR: |Sanitizer: |runtime error: ' "build/$1/Testing/Temporary/LastTest.log" | head -60 >"$records/failures/$part"
    return 1
}

print_budget() {
    local spent=$(($(date +%s) - $(<"$records/started")))
    echo "seconds  part"
    for file in "$records"/seconds/*; do
        printf '%7d  %s\n' "$(<"$file")" "$(basename "$file")"
    done
    for file in "$records"/failures/*; do
        if [[ -s $file ]]; then sed "s|^|$(basename "$file"): |" "$file"; fi
    done
    echo "$spent of $budget_seconds seconds spent (parts overlap)"
    ((spent <= aim_seconds)) || echo "more than the $aim_seconds that are aimed at: find out what has become slow"
    ((spent <= budget_seconds))
}

record() { [[ $part == budget ]] || echo "$SECONDS" >"$records/seconds/$part"; }
trap record EXIT

case $part in
build-*)
    configure "${part#build-}"
    cmake --build --preset "${part#build-}" --parallel 1
    ;;
test-*) run_tests "${part#test-}" ;;
headers) check_headers ;;
format) check_format ;;
tidy) check_tidy ;;
simulation) check_simulation ;;
mutants)
    bash tests/simulation/mutants.sh fence_not_checked_on_arrival space_reused_by_time \
        writer_vouches_for_what_it_does_not_know segment_numbers_outlive_the_term waits_stay_at_the_server
    ;;
budget) print_budget ;;
*) echo "no such part: $part" >&2 && exit 2 ;;
esac
