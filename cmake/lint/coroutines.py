#!/usr/bin/env python3
"""Allows only the forms of co_await that g++ 12.2 compiles well, here or in the project whose folder is given.

g++ 12.2 miscompiles a co_await in a condition or in a conditional expression (`x = c ? co_await f() : co_await g()`
destroys its result twice), and temporaries with destructors or capturing lambdas in its operand; clang does not, so
that a test run with clang hides it. What is allowed:

    co_await f();              T x = co_await f();              x = co_await f();
    co_return co_await f();    if (T x = co_await f(); !x)

with no `{` before the `;` other than the `({.field = …})` of an option struct and the body of a lambda without captures. Also: `detached` only in core/, where
TaskScope is.
"""

import re

from common import ROOT, blank, finish, sources

NAME = r"[A-Za-z_]\w*"
# What may stand between the start of a statement and its co_await: nothing, or something that takes the result as it is.
BEFORE = re.compile(
    r"(?:\(void\)|co_return)?"
    r"|[^=?{}]*[^=!<>?{}]="  # a declaration's initialiser or an assignment's right side
)
CONTROL = re.compile(rf"(?:(?:else|do|case\s[^:?]*:|default\s*:|{NAME}\s*:(?!:))\s*)+")


def match_back(code, at):
    """The offset of the bracket that the closing bracket at `at` closes."""
    depth = 0
    for i in range(at, -1, -1):
        if code[i] in ")]}":
            depth += 1
        elif code[i] in "([{":
            depth -= 1
            if depth == 0:
                return i
    return -1


def statement_start(code, at):
    """(start, opener): where the statement of the co_await at `at` begins, and the bracket that it stands in, if not `{`."""
    i = at - 1
    while i >= 0:
        c = code[i]
        if c in ";}":
            return i + 1, None
        if c == "{":
            return i + 1, None
        if c in ")]":
            i = match_back(code, i)
        elif c in "([":
            return i + 1, i
        i -= 1
    return 0, None


def skip_control(code, start, at):
    """Steps over `else`, labels and `if (…)` heads before the statement proper."""
    while True:
        text = code[start:at]
        start += len(text) - len(text.lstrip())
        head = CONTROL.match(code, start, at)
        if head is not None and head.end() > start:
            start = head.end()
            continue
        head = re.compile(r"(?:if|while|for|switch)\b\s*(?:constexpr\b\s*)?\(").match(code, start, at)
        if head is None:
            return start
        depth, i = 1, head.end()
        while i < at and depth:
            depth += {"(": 1, ")": -1}.get(code[i], 0)
            i += 1
        if depth:
            return start
        start = i


def operand_end(code, at):
    """Where the operand ends, and what ends it: `;`, an unmatched closing bracket, or a `,` outside brackets."""
    depth = 0
    for i in range(at, len(code)):
        c = code[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                return i, c
            depth -= 1
        elif depth == 0 and c == ";":
            return i, c
    return len(code), ""


LAMBDA = re.compile(r"\[([^\[\]]*)\]\s*(?:\([^{}]*\))?\s*(?:mutable\b|noexcept\b|\s)*(?:->[^{}()]*)?$")


def match_forward(code, at):
    """The offset just past the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return len(code)


def check_operand(operand):
    at = operand.find("{")
    while at >= 0:
        before, after = operand[:at].rstrip(), operand[at + 1:].lstrip()
        intro = LAMBDA.search(before)
        if intro is not None and intro.group(1).strip():
            return "a lambda with captures in a co_await expression: name it first"
        if intro is not None:
            at = operand.find("{", match_forward(operand, at))
            continue
        if not (before.endswith(("(", ",")) and after.startswith(".")):
            return "a braced temporary in a co_await expression: name it first, then std::move it in"
        at = operand.find("{", at + 1)
    inner = operand.lstrip()
    if re.match(r"\([^;]*\?", inner) and "?" in inner[:match_forward(inner, 0)]:
        return "co_await (c ? f() : g()): use if and else"
    return None


def check_await(code, at):
    """The problem with the co_await at `at`, or None."""
    start, opener = statement_start(code, at)
    end, closer = operand_end(code, at + len("co_await"))
    operand = code[at + len("co_await"):end]
    if opener is not None:
        head = re.search(r"(\w+)(?:\s+constexpr)?\s*$", code[:opener])
        keyword = head.group(1) if head and code[opener] == "(" else ""
        if keyword in ("if", "while", "switch", "for"):
            initialiser = re.fullmatch(r"\s*[^=;]*[^=!<>;]=\s*", code[start:at])
            if not (initialiser and closer == ";" and keyword in ("if", "switch")):
                return f"co_await in the condition of `{keyword}`: name its result first"
        else:
            return "co_await inside an expression: name its result first"
    elif closer != ";":
        return "co_await inside braces or an expression: name its result first"
    else:
        before = code[skip_control(code, start, at):at]
        if re.search(r"\bco_await\b", before):
            return "more than one co_await in a statement: name the first result"
        if "?" in before:
            return "co_await in a conditional expression: use if and else"
        if not BEFORE.fullmatch(before.strip()):
            return "co_await inside an expression: name its result first"
    return check_operand(operand)


def check_file(path, text):
    code = blank(text)
    # A comment on the include's own line, or #define continuation, is no statement.
    code = re.sub(r"^[ \t]*#[^\n]*", lambda m: " " * (len(m.group()) - 1) + ";", code, flags=re.MULTILINE)
    for match in re.finditer(r"\bco_await\b", code):
        if re.search(r"operator\s*$", code[:match.start()]):
            continue
        problem = check_await(code, match.start())
        if problem is not None:
            yield code.count("\n", 0, match.start()) + 1, problem
    if "include/mooncake/core/" not in path.as_posix() and "tests/compile_cost/" not in path.as_posix():
        for match in re.finditer(r"\basio::detached\b", code):
            yield code.count("\n", 0, match.start()) + 1, "asio::detached: spawn it in a TaskScope"


if __name__ == "__main__":
    found = []
    ours = (ROOT / "include/mooncake").is_dir()
    for file in sources(*(("include", "tests", "bench", "examples") if ours else (".",))):
        found += [f"{file}:{line}: {problem}" for line, problem in check_file(file, file.read_text())]
    finish(found, "every co_await has a form that g++ 12 compiles well")
