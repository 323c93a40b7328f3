#!/usr/bin/env python3
"""check.py FILE: FILE must not compile, and each of its `// expect: text` lines must be in the compiler's output."""

import os
import re
import subprocess
import sys
from pathlib import Path

source = Path(sys.argv[1])
root = Path(__file__).resolve().parents[2]
expected = re.findall(r"^// expect: (.+)$", source.read_text(), re.MULTILINE)
if not expected:
    sys.exit(f"{source}: has no `// expect: ` line")

command = [os.environ.get("MOONCAKE_CXX", "g++"), "-std=c++20", "-fsyntax-only", f"-I{root / 'include'}", str(source)]
run = subprocess.run(command, capture_output=True, text=True, check=False)
if run.returncode == 0:
    sys.exit(f"{source}: compiles, and should not")
missing = [text for text in expected if text.strip() not in run.stderr]
if missing:
    print(run.stderr)
    sys.exit("\n".join(f"{source}: the compiler does not say: {text}" for text in missing))
print(f"{source.name}: refused, with the message expected")
