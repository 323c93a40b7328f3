#!/usr/bin/env bash
# Brings back faults that were once found, one at a time, in a copy of the headers, and sees whether the simulation, or the
# test of random links that the patch names, finds them again. The table is in tests/simulation/mutants/README.md.
#
# Usage: mutants.sh [--apply] [--seconds N] [--seeds N] [name…]
#   --apply      only see that they still apply to the headers
#   --seconds N  stop beginning with further ones after so long (default: no limit); always in the same order
#   --seeds N    how many seeds one may take to be found (default: 2000)
set -euo pipefail
cd "$(dirname "$0")/../.."

apply=no seconds=0 seeds=2000 names=()
while (($# > 0)); do
    case $1 in
    --apply) apply=yes && shift ;;
    --seconds) seconds=$2 && shift 2 ;;
    --seeds) seeds=$2 && shift 2 ;;
    -*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2 && exit 2 ;;
    *) names+=("$1") && shift ;;
    esac
done
if ((${#names[@]} == 0)); then
    # The order of the table: those that are found soonest first.
    mapfile -t names < <(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' tests/simulation/mutants/README.md)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile=("${CXX:-g++}" -std=c++20 -O1 -UNDEBUG -I "$work/include" -I examples/cluster -w)
passed=0 failed=0 skipped=0

# Compiles the test that a patch names and lets it look. Prints the first line of what it says.
find_by_test() { # name test
    local line
    "${compile[@]}" -I tests "tests/$2_test.cpp" tests/support/main.cpp -o "$work/test" 2>"$work/errors" ||
        { echo "$1: does not compile: $(grep -m 1 error "$work/errors")" && return 1; }
    line=$("$work/test" --abort-after=1 | grep -A 1 -m 1 'seed := ' | sed 's| *logged: ||' | xargs || true)
    [[ -n $line ]] || { echo "$1: NOT found by $2" && return 1; }
    echo "$1: found by $2, $line"
}

find_it() { # name: prints the seed and the seconds, or why not
    local name=$1 begun=$SECONDS line by
    rm -rf "$work/include" && cp -r include "$work/include"
    if ! patch --quiet --strip 1 --directory "$work" <"tests/simulation/mutants/$name.patch"; then
        echo "$name: the patch does not apply: bring it up to date" && return 1
    fi
    if [[ $apply == yes ]]; then return 0; fi
    by=$(sed -n 's/^test: //p' "tests/simulation/mutants/$name.patch") # above the patch, if not the simulation
    if [[ -n $by ]]; then find_by_test "$name" "$by" && return || return 1; fi
    if ! "${compile[@]}" examples/cluster/simulate.cpp -o "$work/simulate" -lxxhash -lpthread 2>"$work/errors"; then
        echo "$name: does not compile: $(grep -m 1 error "$work/errors")" && return 1
    fi
    local compiled=$((SECONDS - begun)) first=1 networks
    networks=$(sed -n 's/^networks: //p' "tests/simulation/mutants/$name.patch") # above the patch, if not 1
    while ((first <= seeds)); do
        line=$("$work/simulate" --seed "$first" --seeds 20 --networks "${networks:-1}" | grep -m 1 FAULT || true)
        if [[ -n $line ]]; then
            echo "$name: found in $((SECONDS - begun - compiled)) s, ${line%%, [0-9]* simulated s*}" && return 0
        fi
        first=$((first + 20))
    done
    echo "$name: NOT found in $seeds seeds" && return 1
}

for name in "${names[@]}"; do
    if ((seconds != 0 && SECONDS > seconds)); then
        skipped=$((skipped + 1))
        continue
    fi
    if find_it "$name"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
