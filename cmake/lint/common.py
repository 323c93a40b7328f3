"""What the lints share: where the repository is, its files, and source text without comments and strings."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]

TOKENS = re.compile(
    r"""(?P<raw>R"(?P<mark>[^()\s\\]{0,16})\((?s:.*?)\)(?P=mark)")"""
    r"""|(?P<comment>//[^\n]*|/\*(?s:.*?)\*/)"""
    r"""|(?P<text>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<number>\b\d[\w.]*(?:'\w+)+)"""
    r"""|(?P<char>'(?:\\.|[^'\\\n])+')"""
)


def blank(source):
    """`source` with comments, strings and character literals as spaces: offsets and line numbers stay."""

    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group()) if not match.group("number") else match.group()

    return TOKENS.sub(spaces, source)


def sources(*folders, root=ROOT):
    """The C++ files below `folders`. What tests/lint holds is wrong on purpose."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".cc", ".cxx") and not path.is_relative_to(root / "tests/lint"):
                yield path


def tracked_files(root=ROOT):
    """What git tracks or would add, or None outside a checkout."""
    run = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False)
    return run.stdout.splitlines() if run.returncode == 0 else None


def finish(problems, summary):
    """Prints the problems, or the summary when there are none, and exits."""
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"{len(problems)} to mend")
    print(summary)
    sys.exit(0)
