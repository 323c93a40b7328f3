#!/usr/bin/env python3
"""The lints find what they should and nothing else.

coroutines/bad/*.cpp: every line with `// bad` must be flagged, and no other; coroutines/good/*.cpp: none.
layers/<tree>: a small include tree; every include that ends with `// bad` must be flagged, and no other.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "cmake/lint"))

import coroutines  # noqa: E402  (needs the path above)
import layers  # noqa: E402


def marked(path):
    return {n for n, line in enumerate(path.read_text().splitlines(), 1) if "// bad" in line}


def compare(path, flagged):
    wanted = marked(path)
    for line in sorted(wanted - flagged.keys()):
        yield f"{path}:{line}: should be flagged"
    for line in sorted(flagged.keys() - wanted):
        yield f"{path}:{line}: should not be flagged: {flagged[line]}"


def main():
    problems, cases = [], 0
    for path in sorted((HERE / "coroutines").rglob("*.cpp")):
        problems += compare(path, dict(coroutines.check_file(path, path.read_text())))
        cases += 1
    table, leaves = layers.read_table(HERE / "layers/layers.txt")
    include = HERE / "layers/include/mooncake"
    for path in sorted(include.rglob("*.hpp")):
        name = path.relative_to(include).as_posix()
        problems += compare(path, dict(layers.check_header(path, name, table, leaves)))
        cases += 1
    for text in problems:
        print(text)
    if problems:
        sys.exit(f"{len(problems)} wrong")
    print(f"the lints are right about {cases} files")


main()
