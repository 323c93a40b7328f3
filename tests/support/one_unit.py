"""Writes several test files into one unit, in which what they have in common is compiled once: a fifth of the time.

Usage: one_unit.py <unit> <test file>...

First come the includes of all, then each file in a namespace of its own, so that they need not know of each other's names.
Compilers, debuggers and doctest's --source-file go by the files that tests were written in.
"""
import os
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def parts_of(path):
    """The includes of a file, as a unit elsewhere must say them, and its lines without them."""
    includes, lines = [], []
    with open(path) as file:
        for line in file:
            found = INCLUDE.match(line)
            lines.append("\n" if found else line)
            if not found:
                continue
            beside = os.path.join(os.path.dirname(path), found[2])
            is_beside = found[1] == '"' and os.path.exists(beside)
            includes.append(f'#include "{beside}"\n' if is_beside else line.lstrip())
    return includes, lines


def main():
    unit, paths = sys.argv[1], sys.argv[2:]
    parts = [parts_of(path) for path in paths]
    with open(unit, "w") as out:
        out.writelines(dict.fromkeys(include for includes, _ in parts for include in includes))
        for number, (path, (_, lines)) in enumerate(zip(paths, parts)):
            out.write(f'namespace file_{number} {{\n#line 1 "{path}"\n')
            out.writelines(lines)
            out.write("\n}\n")


main()
