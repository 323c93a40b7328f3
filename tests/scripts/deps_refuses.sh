#!/usr/bin/env bash
# deps.sh changes nothing when apt would remove a package, and says what and why.
# The package tools are stand-ins: nothing is installed, and Debian's Boost 1.74 is in the way.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

cat >"$tools/dpkg-query" <<'EOF'
#!/bin/sh
exit 1
EOF
cat >"$tools/apt-get" <<EOF
#!/bin/sh
case "\$*" in
*update*) ;;
*--simulate*) printf 'Remv libboost1.74-dev [1.74.0]\nInst libboost1.81-dev\n' ;;
*) touch "$tools/changed" ;;
esac
EOF
cat >"$tools/sudo" <<'EOF'
#!/bin/sh
exec "$@"
EOF
chmod +x "$tools"/*

if output=$(CMAKE_PREFIX_PATH='' PATH="$tools:$PATH" bash "$root/cmake/deps.sh" 2>&1); then
    echo "deps.sh went on" && exit 1
fi
[[ ! -e $tools/changed ]] || { echo "deps.sh installed something" && exit 1; }
grep -q 'would remove' <<<"$output" || { echo "$output" && exit 1; }
grep -q 'libboost1.74-dev' <<<"$output" || { echo "$output" && exit 1; }

# With a Boost of one's own the package is not asked for.
mkdir -p "$tools/own/include/boost"
echo '#define BOOST_VERSION 108100' >"$tools/own/include/boost/version.hpp"
output=$(CMAKE_PREFIX_PATH="$tools/own" PATH="$tools:$PATH" bash "$root/cmake/deps.sh" 2>&1) || true
if grep -q '^deps: installing.*libboost' <<<"$output"; then
    echo "$output" && exit 1
fi
echo "deps.sh refuses to remove packages"
