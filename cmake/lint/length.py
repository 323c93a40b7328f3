#!/usr/bin/env python3
"""A header above 400 lines is looked at again: it is split, or cmake/lint/long_headers.txt says why it is one thing."""

from pathlib import Path

from common import ROOT, finish, sources

LIMIT = 400


def main():
    reasons = {}
    for line in Path(__file__).with_name("long_headers.txt").read_text().splitlines():
        path, _, reason = line.partition(" | ")
        if not line.startswith("#") and reason.strip():
            reasons[path] = reason
    problems = []
    for header in sources("include"):
        name = header.relative_to(ROOT).as_posix()
        lines = header.read_text().count("\n")
        if lines > LIMIT and name not in reasons:
            problems.append(f"{name}: {lines} lines; is it one thing?")
        elif lines <= LIMIT and name in reasons:
            problems.append(f"{name}: {lines} lines; long_headers.txt need not list it")
        reasons.pop(name, None)
    problems += [f"long_headers.txt lists {name}, which is not there" for name in reasons]
    finish(problems, f"no unexplained header above {LIMIT} lines")


main()
