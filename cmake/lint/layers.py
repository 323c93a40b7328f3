#!/usr/bin/env python3
"""Includes point down: checks every #include under include/mooncake against cmake/lint/layers.txt.

Also: our own includes are absolute, no header takes in the whole of Asio or looks whether a header is there, only an
opt-in leaf includes an optional package, the umbrella includes no leaf, and include/mooncake/README.md lists the layers
in the table's order.
"""

import re
from pathlib import Path

from common import ROOT, blank, finish, sources

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
# What users include; all else stands in its layer's folder.
ENTRIES = ("client.hpp", "compiled.hpp", "compiled_master.hpp", "compiled_policies.hpp", "fwd.hpp", "mooncake.hpp", "store.hpp", "transfer.hpp")
# Packages that the library itself does not need; `testing` may include doctest.
OPTIONAL = ("nlohmann/", "doctest/", "benchmark/", "liburing", "infiniband/", "hiredis/", "openssl/", "boost/asio/ssl", "numa")


def read_table(path):
    """(layers: name -> layers it may include, leaves: header -> component)"""
    layers, leaves = {}, {}
    for line in path.read_text().splitlines():
        name, colon, words = line.partition(":")
        if line.startswith("#") or not colon:
            continue
        if name.startswith("leaf "):
            leaves.update({header: name.removeprefix("leaf ") for header in words.split()})
            continue
        unknown = [word for word in words.split() if word not in layers]
        if unknown:
            finish([f"{path}: {name} may not include {', '.join(unknown)}: not a layer below it"], "")
        layers[name] = words.split()
    return layers, leaves


def check_header(path, name, layers, leaves):
    """Problems of one header; `name` is its path below include/mooncake."""
    source = path.read_text()
    code = blank(source)
    layer = name.partition("/")[0] if "/" in name else None
    if layer is not None and layer not in layers:
        yield 1, f"`{layer}` is not a layer of layers.txt"
        return
    if layer is None and name not in ENTRIES:
        yield 1, f"only {', '.join(ENTRIES)} stand outside a layer's folder"
    if (use := re.search(r"\b__has_include\b", code)) is not None:
        yield source.count("\n", 0, use.start()) + 1, "__has_include: what a header contains must not depend on the machine"
    for match in INCLUDE.finditer(source):
        if code[match.start():match.end()].strip() == "":
            continue  # in a comment
        line = source.count("\n", 0, match.end()) + 1
        quote, target = match.groups()
        if quote == '"':
            yield line, f'#include "{target}": write it as <mooncake/…>'
        elif target == "boost/asio.hpp":
            yield line, "<boost/asio.hpp> is all of Asio: include the parts"
        elif target.startswith(OPTIONAL) and name not in leaves and not (
                layer == "testing" and target.startswith("doctest/")):
            yield line, f"<{target}> is of an optional package: only an opt-in leaf of layers.txt may include it"
        elif target.startswith("mooncake/"):
            below = target.removeprefix("mooncake/")
            if below in leaves and leaves.get(name) != leaves[below]:
                yield line, f"<{target}> is an opt-in leaf: no other header includes it"
            elif "/" not in below and name not in ("compiled_master.hpp", "compiled_policies.hpp"):
                yield line, f"<{target}>: a header includes the parts that it needs"
            elif layer is None and below.startswith(("testing/", "simulation/")):
                yield line, f"the umbrella does not include `{below.partition('/')[0]}`"
            elif layer is not None and (to := below.partition("/")[0]) not in [layer, *layers[layer]]:
                yield line, f"<{target}>: `{layer}` may not include `{to}`"


def check_readme(path, layers):
    text = path.read_text().split("\n## ")[0] if path.exists() else ""  # further down other things are listed
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    if listed != list(layers):
        yield f"{path}: lists {', '.join(listed) or 'no layers'}; layers.txt has {', '.join(layers)}"


def check_tree(root, table):
    """Every problem of the tree, as a line of text each."""
    layers, leaves = read_table(table)
    include = root / "include/mooncake"
    problems = list(check_readme(include / "README.md", layers))
    for path in sources("include/mooncake", root=root):
        name = path.relative_to(include).as_posix()
        problems += [f"{path}:{line}: {text}" for line, text in check_header(path, name, layers, leaves)]
    for path in sources("tests", "bench", "examples", root=root):
        for match in re.finditer(r"^\s*#\s*include <boost/asio\.hpp>", path.read_text(), re.MULTILINE):
            line = path.read_text().count("\n", 0, match.end()) + 1
            problems.append(f"{path}:{line}: <boost/asio.hpp> is all of Asio: include the parts")
    return problems


if __name__ == "__main__":
    finish(check_tree(ROOT, Path(__file__).with_name("layers.txt")), "includes point down")
