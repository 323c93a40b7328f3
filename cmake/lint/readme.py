#!/usr/bin/env python3
"""README.md's C++ is compiled C++: each ```cpp block equals a part of the example that the comment above it names.

    <!-- examples/hello.cpp -->          the line before the block, or the line before that
    // [readme                           in the example: the part starts below this line …
    // readme]                           … and ends above this one; without them, the whole file is meant
"""

import re
import textwrap

from common import ROOT, finish

BLOCK = re.compile(r"(?:^<!-- (?P<file>\S+) -->\n\n?)?^```cpp\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^[ \t]*// \[readme\n(.*?)^[ \t]*// readme\]$", re.MULTILINE | re.DOTALL)


def tidy(code):
    return textwrap.dedent(code).strip("\n")


def main():
    problems = []
    readme = (ROOT / "README.md").read_text()
    blocks = list(BLOCK.finditer(readme))
    for block in blocks:
        where = f"README.md:{readme.count(chr(10), 0, block.start('code'))}"
        name = block["file"]
        if name is None:
            problems.append(f"{where}: the block has no `<!-- examples/….cpp -->` above it")
        elif not name.startswith("examples/") or not (ROOT / name).is_file():
            problems.append(f"{where}: {name} is not an example")
        else:
            text = (ROOT / name).read_text()
            parts = PART.findall(text) or [text]
            if tidy(block["code"]) not in map(tidy, parts):
                problems.append(f"{where}: differs from {name}")
    finish(problems, f"{len(blocks)} C++ blocks of README.md are parts of compiled examples")


main()
