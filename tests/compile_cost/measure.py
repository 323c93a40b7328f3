#!/usr/bin/env python3
"""What our headers cost to compile, as CPU time over that of a plain Asio coroutine and TCP unit.

That unit has a coroutine, since our headers have some: they are compiled wherever they are included. The umbrella may cost
1.6 of it, a header that no_io.txt lists 0.45, an example with `compiled.hpp` what stands below. The compiles are interleaved and the least of each counts, since the machine
may be busy; a unit that is over its bar is measured again before it fails.

g++ collects garbage whenever its heap has doubled: a unit one megabyte above such a step pays half a second that its
neighbour below does not, and which step that is depends on the machine's memory. Both are measured without collections.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

UMBRELLA_BAR = 1.6
NO_IO_BAR = 0.45
COMPILED_BARS = {"hello": 2.2, "transfer_two_processes": 2.4}  # examples, with `compiled.hpp` for the umbrella

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
COMPILER = os.environ.get("MOONCAKE_CXX", "g++")
NO_COLLECTION = [] if "clang" in COMPILER else ["--param", "ggc-min-heapsize=8000000"]  # kB
COMPILE = [COMPILER, "-std=c++20", "-O0", "-c", *NO_COLLECTION, f"-I{INCLUDE}", "-o", "/dev/null"]


def cpu_seconds(unit):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*COMPILE, str(unit)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def headers():
    """(header, bar) of each header measured."""
    if (INCLUDE / "mooncake/mooncake.hpp").exists():
        yield "mooncake.hpp", UMBRELLA_BAR
    listed = set()
    for line in (HERE / "no_io.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            listed |= {path.relative_to(INCLUDE / "mooncake").as_posix() for path in (INCLUDE / "mooncake").glob(line)}
    yield from ((header, NO_IO_BAR) for header in sorted(listed))


def main():
    plain = HERE / "plain_asio.cpp"
    bars = dict(headers())
    with tempfile.TemporaryDirectory() as folder:
        units = {}
        for number, header in enumerate(bars):
            units[header] = Path(folder) / f"unit{number}.cpp"
            units[header].write_text(f"#include <mooncake/{header}>\n")
        for name, bar in COMPILED_BARS.items():
            text = (INCLUDE.parent / f"examples/{name}.cpp").read_text()
            row = f"examples/{name}.cpp, compiled"
            units[row] = Path(folder) / f"{name}.cpp"
            units[row].write_text(text.replace("mooncake/mooncake.hpp", "mooncake/compiled.hpp"))
            bars[row] = bar
        # Pairs, one compiled right after the other: what else the machine does meets both. The best pair counts.
        ratios = {}
        over = list(bars)
        for _ in range(12):
            for header in over:
                pair = cpu_seconds(units[header]) / cpu_seconds(plain)
                ratios[header] = min(ratios.get(header, pair), pair)
            over = [header for header in over if ratios[header] > bars[header]]
    for header, ratio in ratios.items():
        print(f"{ratio:5.2f} of at most {bars[header]:.2f}  {header}{'  OVER' if header in over else ''}")
    sys.exit(1 if over else 0)


main()
