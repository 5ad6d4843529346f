#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs an example as its first comment says, and compares what it prints with what stands there.

usage: example.py SOURCE PROGRAM

A command is a line `//   $ build/dev/examples/NAME [ARGUMENT...]`, and its output the lines that follow
up to an empty one. A command without output is not run: it serves until it is stopped.
"""

import difflib
import pathlib
import re
import subprocess
import sys

MAX_LINES = 120  # one idea, on two screens


def commands_in(source):
    """The words and the output of each command in the comment that the source begins with."""
    found = []
    for line in source.splitlines():
        if not line.startswith("//"):
            break
        if command := re.fullmatch(r"//   \$ (.+)", line):
            found.append((command[1].split(), []))
        elif found and line.startswith("//   "):
            found[-1][1].append(line.removeprefix("//   "))
    return found


def problems_of(source, program):
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        yield f"has {lines} lines, which is more than {MAX_LINES}"
    commands = commands_in(source)
    for words, expected in commands:
        if words[0] != f"build/dev/examples/{pathlib.Path(program).stem}":
            yield f"its comment runs {words[0]}"
        if not expected:
            continue
        run = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=50)
        if run.returncode != 0 or run.stderr:
            yield f"ended with status {run.returncode}: {run.stderr}"
        yield from difflib.unified_diff(expected, run.stdout.splitlines(), "its comment", "it prints",
                                        lineterm="")
    if not any(expected for _, expected in commands):
        yield "its comment has no command with an output"


def main():
    source, program = sys.argv[1:]
    problems = list(problems_of(pathlib.Path(source).read_text(encoding="utf-8"), program))
    if problems:
        print(source, *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
