#!/usr/bin/env python3
"""The table of errors in include/mooncake/README.md says what `errc_texts` in core/errc.hpp says. `errors.py . --write` makes it so."""

import re
import sys

from common import ROOT, finish

ENTRY = re.compile(r'\{\s*Errc::(\w+),\s*"(\w+)",\s*"([^"]*)",\s*"([^"]*)"\s*\}')
SECTION = re.compile(r"(<!-- made by cmake/lint/errors\.py \. --write -->\n\n).*?(?=\n\n|\Z)", re.DOTALL)


def main():
    header = (ROOT / "include/mooncake/core/errc.hpp").read_text()
    declared = re.findall(r"^    (\w+) = \d+,", header, re.MULTILINE)
    entries = ENTRY.findall(header)
    problems = [f"core/errc.hpp: Errc::{name} is called '{text}' in errc_texts" for name, text, _, _ in entries if name != text]
    if [name for name, *_ in entries] != declared:
        problems.append("core/errc.hpp: errc_texts does not have each code of Errc once, in its order")
    rows = ["| error | what it means | what to do |", "|---|---|---|"]
    rows += [f"| `{name}` | {cause} | {remedy} |" for name, _, cause, remedy in entries if name != "ok"]
    readme = ROOT / "include/mooncake/README.md"
    text = readme.read_text()
    made = SECTION.sub(lambda match: match[1] + "\n".join(rows), text)
    if "--write" in sys.argv[2:]:
        readme.write_text(made)
    elif made != text or not SECTION.search(text):
        problems.append("include/mooncake/README.md: its table of errors is not made of errc_texts; run cmake/lint/errors.py . --write")
    finish(problems, f"{len(entries)} errors are explained in include/mooncake/README.md")


main()
