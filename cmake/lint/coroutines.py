#!/usr/bin/env python3
"""Allows only the forms of co_await that g++ 12.2 compiles well, here or in the project whose folder is given.

g++ 12.2 miscompiles a co_await in a condition or in a conditional expression (`x = c ? co_await f() : co_await g()`
destroys its result twice), and temporaries with destructors or capturing lambdas in its operand; clang does not, so
that a test run with clang hides it. What is allowed:

    co_await f();              T x = co_await f();              x = co_await f();
    co_return co_await f();    if (T x = co_await f(); !x)

with no `{` before the `;` other than the `({.field = …})` of an option struct and the body of a lambda without captures.
Also: `detached` only in core/, where TaskScope is; and a coroutine with a result says so on every way out: one that runs
off its end has none, which is undefined and which g++ 12 does not warn of.
"""

import re

from common import ROOT, blank, finish, sources

OURS = (ROOT / "include/mooncake").is_dir() and (ROOT / "cmake/lint").is_dir()

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
    if "?" in outside_brackets(operand):
        return "co_await f() ? a : b: name its result first"
    return None


def outside_brackets(code):
    """`code` without what stands in brackets."""
    kept, depth = [], 0
    for c in code:
        depth -= c in ")]}"
        if depth == 0:
            kept.append(c)
        depth += c in "([{"
    return "".join(kept)


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


RESULT = r"(?:Task<|awaitable<(?!\s*void\b))"
QUALIFIERS = re.compile(r"(?:\s*(?:const|noexcept|override|final|mutable|&&?))*\s*$")


def is_coroutine_head(code, at):
    """Whether the `{` at `at` opens the body of a function or lambda that gives a `Task`."""
    before = code[max(0, at - 2000):at].rstrip()
    if re.search(rf"->\s*(?:\w+::)*{RESULT}[^;{{}}()]*>$", before):
        return True
    before = before[:QUALIFIERS.search(before).start()]
    if not before.endswith(")"):
        return False
    begin = match_back(before, len(before) - 1)
    return begin > 0 and re.search(rf"(?:^|[;{{}}\s:]){RESULT}[^;{{}}()]*>\s+(?:\w+::)*\w+\s*$", before[:begin]) is not None


def may_run_off(body):
    """Whether control may come to the end of a block, whose text this is."""
    body = body.rstrip()
    if not body:
        return True
    if body.endswith("}"):
        begin = match_back(body, len(body) - 1)
        inner, head = body[begin + 1:-1], body[:begin].rstrip()
        control = head[:match_back(head, len(head) - 1)].rstrip() if head.endswith(")") else ""
        if re.search(r"\bwhile\s*\(\s*true\s*\)$", head) or re.search(r"\bfor$", control) and re.search(r";\s*;", head[len(control):]):
            return False
        if re.search(r"\bswitch$", control):
            return False  # the compiler warns of a case that is missing
        if re.search(r"\bcatch$", control):
            return may_run_off(inner) or may_run_off(control[:-len("catch")])
        if re.search(r"\b(?:if|if constexpr)$", control):
            chain = control[:-len("if")].rstrip()
            return may_run_off(inner) if chain.endswith("else") and not may_run_off(chain[:-len("else")]) else True
        if head.endswith("else"):
            return may_run_off(inner)
        return may_run_off(inner) if not control else True
    last = last_statement(body)
    return re.match(r"(?:else\b|if\s*constexpr|\w+\s*:(?!:))?\s*(?:co_return\b|throw\b|std::rethrow_exception\b|throw_error\b|end_program\b|std::terminate\b|std::abort\b|_exit\b)", last) is None


def last_statement(body):
    """The simple statement that `body` ends with. Braces in it are those of values and lambdas, not of a block before it."""
    at = len(body) - 2
    while at >= 0 and body[at] not in ";{":
        if body[at] in ")]}":
            begin = match_back(body, at)
            before = body[:begin].rstrip()
            is_value = re.search(r"[\w>\]=(,]$", before) and not re.search(r"\b(?:else|do|try)$", before)
            if body[at] == "}" and not is_value and not LAMBDA.search(before):
                break
            at = begin
        at -= 1
    return body[at + 1:].strip()


def without_lambdas(body):
    """`body`, where nothing is left of what lambdas in it do."""
    at = body.find("{")
    while at >= 0:
        if LAMBDA.search(body[:at].rstrip()):
            end = match_forward(body, at)
            body = body[:at + 1] + " " * (end - at - 2) + body[end - 1:]
        at = body.find("{", at + 1)
    return body


def check_ends(code):
    for match in re.finditer(r"\{", code):
        if not is_coroutine_head(code, match.start()):
            continue
        end = match_forward(code, match.start())
        body = without_lambdas(code[match.start() + 1:end - 1])
        if re.search(r"\bco_(?:await|return)\b", body) and may_run_off(body):
            yield code.count("\n", 0, end - 1) + 1, "a coroutine with a result ends without co_return: `co_return ok;`"


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
    yield from check_ends(code)
    if OURS and "include/mooncake/core/" not in path.as_posix() and "tests/compile_cost/" not in path.as_posix():
        for match in re.finditer(r"\basio::detached\b", code):
            yield code.count("\n", 0, match.start()) + 1, "asio::detached: spawn it in a TaskScope"


if __name__ == "__main__":
    found = []
    for file in sources(*(("include", "tests", "bench", "examples") if OURS else (".",))):
        found += [f"{file}:{line}: {problem}" for line, problem in check_file(file, file.read_text())]
    finish(found, "every co_await has a form that g++ 12 compiles well")
