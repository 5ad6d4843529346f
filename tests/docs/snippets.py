#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the documents: code is what is compiled, output what is printed, links lead somewhere."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
documents = [root / "README.md", *sorted(root.glob("docs/**/*.md"))]
problems = []
snippets = 0

for document in documents:
    text = document.read_text(encoding="utf-8")
    name = document.relative_to(root)
    marked = re.findall(r"<!-- snippet: (\S+) -->\n```cpp\n(.*?)```", text, re.S)
    for path, code in marked:
        snippets += 1
        if (root / path).read_text(encoding="utf-8") != code:
            problems.append(f"{name}: the snippet differs from {path}, which is what is compiled")
    if text.count("```cpp") != len(marked):
        problems.append(f"{name}: a C++ block is not marked with the file that is compiled")
    for path, printed in re.findall(r"<!-- output: (\S+) -->\n```\n(.*?)```", text, re.S):
        if (root / path).read_text(encoding="utf-8") != printed:
            problems.append(f"{name}: the output differs from {path}, which is what is printed")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if not (document.parent / link).exists():
            problems.append(f"{name}: {link} does not exist")

if snippets < 3:
    problems.append(f"only {snippets} snippets were found")
for problem in problems:
    print(problem)
print(f"{len(documents)} documents, {snippets} snippets, {len(problems)} problems")
sys.exit(1 if problems else 0)
