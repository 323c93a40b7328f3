#!/usr/bin/env python3
"""What our headers cost to compile, as CPU time over that of a plain Asio coroutine and TCP unit (plain_asio.cpp).

Without arguments: the bars of BARS and of no_io.txt, with MOONCAKE_CXX. With `--table`: what each entry header and each
example costs, with both compilers, as a table.

The compiles are interleaved and the least ratio of a pair counts, since the machine may be busy; a unit that is over its bar
is measured again before it fails. Headers that take a fraction of the plain unit share one with their neighbours.

g++ collects garbage whenever its heap has doubled: a unit one megabyte above such a step pays half a second that its
neighbour below does not, and which step that is depends on the machine's memory. Both are measured without collections.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INCLUDE = ROOT / "include"
NO_IO_BAR = 0.45
SHARE = 6  # headers a plain unit
COMPILED, MASTER = "compiled.hpp", "compiled_master.hpp"
# What is compiled: a header by itself, or an example with another header for the umbrella; at -O0 and -O2.
BARS = {
    ("mooncake.hpp", None): (1.6, None),
    (COMPILED, None): (0.7, None),
    ("examples/hello.cpp", COMPILED): (1.0, 1.0),
    ("examples/transfer_two_processes.cpp", COMPILED): (1.2, 1.2),
    ("examples/cluster_client.cpp", COMPILED): (1.2, 1.2),
    ("examples/own_eviction.cpp", MASTER): (2.6, 2.8),
}
TABLE = [
    *((header, None) for header in (COMPILED, "transfer.hpp", "client.hpp", "store.hpp", "mooncake.hpp")),
    ("examples/hello.cpp", None),
    *((example, header) for example, header in BARS if example.startswith("examples/")),
]


def command(compiler, level):
    no_collection = [] if "clang" in compiler else ["--param", "ggc-min-heapsize=8000000"]  # kB
    return [compiler, "-std=c++20", level, "-c", *no_collection, f"-I{INCLUDE}"]


def compile_unit(compiler, level, unit, output):
    """(CPU seconds, peak memory in MB)"""
    process = subprocess.Popen([*command(compiler, level), str(unit), "-o", str(output)])
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{unit} does not compile")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def write_unit(folder, what, header):
    """The source of a row."""
    unit = Path(folder) / f"{what.replace('/', '_')}_{header or 'umbrella'}.cpp"
    if what.startswith("examples/"):
        text = (ROOT / what).read_text()
        unit.write_text(text.replace("mooncake/mooncake.hpp", f"mooncake/{header}") if header else text)
    else:
        unit.write_text(f"#include <mooncake/{what}>\n")
    return unit


def name_of(what, header):
    return what + (f" with {header}" if header else "")


def no_io():
    """The headers that no_io.txt lists."""
    listed = set()
    for line in (HERE / "no_io.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            listed |= {path.relative_to(INCLUDE / "mooncake").as_posix() for path in (INCLUDE / "mooncake").glob(line)}
    return sorted(listed)


def check():
    compiler = os.environ.get("MOONCAKE_CXX", "g++")
    plain = HERE / "plain_asio.cpp"
    rows = {}  # name: (unit, level, bar)
    with tempfile.TemporaryDirectory() as folder:
        for (what, header), bars in BARS.items():
            unit = write_unit(folder, what, header)
            for level, bar in zip(("-O0", "-O2"), bars):
                if bar is not None:
                    rows[f"{name_of(what, header)}, {level}"] = (unit, level, bar)
        for header in no_io():
            rows[header] = (write_unit(folder, header, None), "-O0", NO_IO_BAR)
        # Pairs, one compiled right after the other: what else the machine does meets both. The best pair counts.
        ratios = {}
        over = list(rows)
        for _ in range(12):
            shared, left = 0, 0
            for name in over:
                unit, level, bar = rows[name]
                if bar == NO_IO_BAR and left == 0:
                    shared, left = compile_unit(compiler, level, plain, "/dev/null")[0], SHARE
                if bar == NO_IO_BAR:
                    peer, left = shared, left - 1
                else:
                    peer = compile_unit(compiler, level, plain, "/dev/null")[0]
                pair = compile_unit(compiler, level, unit, "/dev/null")[0] / peer
                ratios[name] = min(ratios.get(name, pair), pair)
            over = [name for name in over if ratios[name] > rows[name][2]]
    for name, ratio in ratios.items():
        print(f"{ratio:5.2f} of at most {rows[name][2]:.2f}  {name}{'  OVER' if name in over else ''}")
    sys.exit(1 if over else 0)


def table():
    print("| unit | g++ -O0 | g++ -O2 | clang++ -O0 | clang++ -O2 | memory | object |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        units = {"plain Asio: one coroutine, a timer, a socket": HERE / "plain_asio.cpp"}
        for what, header in TABLE:
            units[name_of(what, header)] = write_unit(folder, what, header)
        plain = next(iter(units.values()))
        for name, unit in units.items():
            cells = []
            for compiler in ("g++", "clang++-19"):
                for level in ("-O0", "-O2"):
                    output = Path(folder) / "unit.o"
                    base, _ = compile_unit(compiler, level, plain, "/dev/null")
                    seconds, memory = compile_unit(compiler, level, unit, output)
                    cells.append(f"{seconds / base:.1f}" if unit != plain else f"1 ({base:.1f} s)")
                    if (compiler, level) == ("g++", "-O0"):
                        at_o0 = [f"{memory:.0f} MB", f"{output.stat().st_size / 1024:.0f} KB"]
            print("| " + " | ".join([name, *cells, *at_o0]) + " |", flush=True)


if __name__ == "__main__":
    table() if sys.argv[1:] == ["--table"] else check()
