#!/usr/bin/env bash
# Installs the Debian packages that mooncake needs. It installs and never removes.
#
# Usage: deps.sh [--test] [--bench] [--full]
#   (nothing)  the library, the examples and the cluster programs
#   --test     and the tests
#   --bench    and the benchmarks
#   --full     and all that `test.sh --full` uses: sanitizers, formatter, linters, a cross compiler
set -euo pipefail

packages=(g++ cmake ninja-build libboost1.81-dev libxxhash-dev nlohmann-json3-dev)
test_packages=(python3 doctest-dev iproute2 libhiredis-dev redis-tools etcd-server libssl-dev openssl)
bench_packages=(python3 libbenchmark-dev libmimalloc-dev redis-tools ucx-utils iperf3)
full_packages=(git patch clang-19 libclang-rt-19-dev lld-19 llvm-19 clang-format-19 clang-tidy-19
    g++-aarch64-linux-gnu qemu-user)
for option in "$@"; do
    case $option in
    --test) packages+=("${test_packages[@]}") ;;
    --bench) packages+=("${bench_packages[@]}") ;;
    --full) packages+=("${test_packages[@]}" "${bench_packages[@]}" "${full_packages[@]}") ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2 && exit 2 ;;
    esac
done

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# A Boost of your own, in a folder of CMAKE_PREFIX_PATH, serves as well.
has_own_boost() {
    local folder version path=${CMAKE_PREFIX_PATH:-}
    for folder in ${path//:/ }; do
        version=$(sed -n 's/^#define BOOST_VERSION //p' "$folder/include/boost/version.hpp" 2>/dev/null) || continue
        ((${version:-0} >= 108100)) && return 0
    done
    return 1
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" && continue
    [[ $package == libboost1.81-dev ]] && has_own_boost && continue
    missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "deps: every package that is needed is installed"
    exit 0
fi
echo "deps: installing ${missing[*]} with apt-get; this may take 1 to 3 minutes"

as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "deps: needs root or sudo. As root, run: apt-get update && apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"; }

apt_get update >/dev/null || echo "deps: apt-get update failed; going on with the package lists that are here" >&2
simulation=$(LC_ALL=C apt_get install --simulate --no-install-recommends "${missing[@]}")
removed=$(sed -n 's/^Remv \([^ ]*\).*/    \1/p' <<<"$simulation")
if [[ -n $removed ]]; then
    cat >&2 <<EOF
deps: stopped, nothing was changed. Installing ${missing[*]} would remove:
$removed
Debian's Boost -dev packages of different versions exclude each other, and mooncake needs the headers of 1.81. Either
  - let 1.81 take the place of the other (programs that run are not affected, only compiling against the other is):
        apt-get install libboost1.81-dev
  - or keep both: unpack the headers into a folder of your own, and say where it is:
        cd "\$(mktemp -d)" && apt-get download libboost1.81-dev
        dpkg-deb -x libboost1.81-dev_*.deb ~/boost-1.81
        export CMAKE_PREFIX_PATH=~/boost-1.81/usr
then run this again.
EOF
    exit 1
fi
apt_get install --yes --no-remove --no-install-recommends "${missing[@]}"
