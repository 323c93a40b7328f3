#!/usr/bin/env python3
"""bench_table.py FOLDER OUT: joins the results of several benchmark programs into one file and prints them as a table."""

import json
import sys
from pathlib import Path

# Google Benchmark's own fields of a run; all other numbers are counters.
OWN = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
       "real_time", "cpu_time", "bytes_per_second", "items_per_second"}


def scaled(number, units, step):
    for unit in units[:-1]:
        if abs(number) < step:
            return f"{number:.3g} {unit}"
        number /= step
    return f"{number:.3g} {units[-1]}"


def seconds(run):
    factor = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[run.get("time_unit", "ns")]
    return scaled(run["real_time"] * factor, ("ns", "us", "ms", "s"), 1000)


def row(run):
    if run.get("error_occurred"):
        return [run["name"], "", "", run.get("error_message", "error")]
    if run.get("run_type") == "aggregate" and run.get("aggregate_unit") == "percentage":
        return [run["name"], f"{100 * run['real_time']:.1f} %", "", ""]
    rate = ""
    if "bytes_per_second" in run:
        rate = scaled(run["bytes_per_second"], ("B/s", "kB/s", "MB/s", "GB/s"), 1000)
    elif "items_per_second" in run:
        rate = scaled(run["items_per_second"], ("/s", "k/s", "M/s", "G/s"), 1000)
    counters = [f"{name}={value:.3g}" for name, value in run.items()
                if name not in OWN and isinstance(value, (int, float)) and not isinstance(value, bool)]
    return [run["name"], seconds(run), rate, " ".join([*counters, run.get("label", "")]).strip()]


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    joined = {"context": {}, "benchmarks": []}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        joined["context"] = {**result["context"], "executable": "several"}
        joined["benchmarks"] += result["benchmarks"]
    if not joined["benchmarks"]:
        sys.exit("bench: no benchmark matches")
    out.write_text(json.dumps(joined, indent=2) + "\n")

    rows = [["benchmark", "time", "rate", "counters"], *map(row, joined["benchmarks"])]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for name, time, rate, counters in rows:
        print(f"{name:{widths[0]}}  {time:>{widths[1]}}  {rate:>{widths[2]}}  {counters}".rstrip())
    print(f"bench: {len(joined['benchmarks'])} results written to {out}")


main()
