# SPDX-License-Identifier: MIT
"""What the checks of the source tree share: their command line, and trees into which faults are planted.

A check is a function of the tree's root, which gives how many things it looked at, and its problems as text.
"""

import pathlib
import sys
import tempfile


def main(name, things, check, self_test, least=1):
    """The exit status of `NAME.py ROOT [--self-test]`. Fewer things than `least` are a problem too."""
    root = pathlib.Path(sys.argv[1]).resolve()
    if "--self-test" in sys.argv[2:]:
        return 1 if self_test() else 0
    count, problems = check(root)
    if count < least:
        problems.append(f"only {count} {things} were found")
    for problem in problems:
        print(problem)
    print(f"{name}: {count} {things}, {len(problems)} problems")
    return 1 if problems else 0


def failures_of(name, check, cases, beside=None):
    """How many cases (whether there is a problem, file, text) go otherwise, each in a tree of its own.

    `beside` are the files, with their text, that each tree has besides.
    """
    failures = 0
    for expected, planted, text in cases:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory).resolve()
            for file, content in {**(beside or {}), planted: text + "\n"}.items():
                path = root / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            found = check(root)[1]
        if bool(found) != expected:
            failures += 1
            print(f"self-test: {planted}: {text!r}: {'not found' if expected else found}")
    print(f"{name}: self-test: {len(cases)} cases, {failures} failures")
    return failures
