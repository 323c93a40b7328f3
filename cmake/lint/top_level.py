#!/usr/bin/env python3
"""The top level holds these and nothing else; files with a leading dot are free."""

from common import finish, tracked_files

ALLOWED = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "bench", "cmake", "examples", "include", "tests"}

tracked = tracked_files()
if tracked is None:
    finish([], "not a git checkout: nothing to compare")
names = {path.split("/")[0] for path in tracked}
extra = sorted(name for name in names if name not in ALLOWED and not name.startswith("."))
finish([f"{name}: does not belong at the top level" for name in extra], "the top level holds what it may")
