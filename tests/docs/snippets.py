#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the code in the documents: it is what is compiled, and output is what is printed.

Each block of C or C++ has a mark in front of it:

    <!-- snippet: FILE -->   it is the whole file
    <!-- cut: FILE -->       it is some lines of the file, one after the other
    <!-- output: FILE -->    before a block without a language: it is the whole file

    snippets.py ROOT [--self-test]
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import source_check  # noqa: E402

COMPILED = {"cpp", "c++", "cc", "cxx", "hpp", "c", "h"}
FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*(\S*)")
MARK = re.compile(r"^<!-- (snippet|cut|output): (\S+) -->$")
# What is in no other language that the documents have blocks of.
CPP = re.compile(r"^\s*#include\b|\bstd::|\bmuster::|\btemplate\s*<", re.M)


def documents_of(root):
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")])


def blocks_of(text):
    """Each block's line, its language, its code, and the line in front of it."""
    before, fence, language, line, code = "", "", "", 0, []
    for number, it in enumerate(text.split("\n"), 1):
        if fence:
            if it.strip() == fence:
                yield line, language.lower(), "".join(code), before
                before, fence = "", ""
            else:
                code.append(it + "\n")
        elif found := FENCE.match(it):
            fence, language = found.groups()
            line, code = number, []
        else:
            before = it.strip()


def is_compiled(source):
    """Whether the CMake file of its folder has it, or the name that a loop makes a file of."""
    lists = source.parent / "CMakeLists.txt"
    return lists.is_file() and re.search(rf"\b{re.escape(source.stem)}\b", lists.read_text(encoding="utf-8"))


def check(root):
    problems = []
    marked = 0
    for document in documents_of(root):
        name = document.relative_to(root)
        text = document.read_text(encoding="utf-8")
        marks = 0
        for line, language, code, before in blocks_of(text):
            mark = MARK.match(before)
            if mark is None:
                if language in COMPILED or (not language and CPP.search(code)):
                    problems.append(f"{name}:{line}: a C++ block is not marked with the file that is compiled")
                continue
            marks += 1
            kind, path = mark.groups()
            source = root / path
            if kind == "output" and language in COMPILED:
                problems.append(f"{name}:{line}: output is no {language}")
            elif not source.is_file():
                problems.append(f"{name}:{line}: {path} does not exist")
            elif language in COMPILED and not is_compiled(source):
                problems.append(f"{name}:{line}: {path} is in no CMakeLists.txt beside it")
            elif kind == "cut":
                whole = "\n" + source.read_text(encoding="utf-8")
                if not code.strip() or "\n" + code not in whole:
                    problems.append(f"{name}:{line}: these lines do not stand in {path}")
            elif source.read_text(encoding="utf-8") != code:
                problems.append(f"{name}:{line}: the block differs from {path}")
        if len(re.findall(r"^[ \t]*<!-- (?:snippet|cut|output):", text, re.M)) != marks:
            problems.append(f"{name}: a mark stands in front of no block")
        marked += marks
    return marked, problems


def self_test():
    """Every rule must be able to fail, and what is right must pass."""
    source = "int main() {\n  return 0;\n}\n"
    cases = [
        (True, "```cpp\nint x;\n```\n"),
        (True, "text\n\n```c++\nint x;\n```\n"),
        (True, "~~~cpp\nint x;\n~~~\n"),
        (True, "- a list\n\n  ```cpp\n  int x;\n  ```\n"),
        (True, "```\n#include <muster/frame.hpp>\n```\n"),
        (True, "```\nstd::string name;\n```\n"),
        (True, "<!-- snippet: a.cpp -->\n```cpp\nint main() {}\n```\n"),
        (True, "<!-- snippet: a.cpp -->\n```cpp\nint main() {\n  return 0;\n```\n"),
        (True, "<!-- cut: a.cpp -->\n```cpp\n  return 1;\n```\n"),
        (True, "<!-- cut: a.cpp -->\n```cpp\nreturn 0;\n```\n"),
        (True, "<!-- cut: a.cpp -->\n```cpp\n```\n"),
        (True, "<!-- snippet: b.cpp -->\n```cpp\nint x;\n```\n"),
        (True, "<!-- snippet: docs/c.cpp -->\n```cpp\nint c;\n```\n"),
        (True, "<!-- snippet: a.cpp -->\n\n```cpp\n" + source + "```\n"),
        (True, "<!-- output: a.cpp -->\n```\nsomething\n```\n"),
        (True, "<!-- output: a.cpp -->\n```cpp\n" + source + "```\n"),
        (True, "<!-- snippet: a.cpp -->\n"),
        (False, "<!-- snippet: a.cpp -->\n```cpp\n" + source + "```\n"),
        (False, "<!-- cut: a.cpp -->\n```cpp\n  return 0;\n}\n```\n"),
        (False, "<!-- output: a.cpp -->\n```\n" + source + "```\n"),
        (True, "```\nmake\n```\n```cpp\nint x;\n```\n"),
        (False, "```cmake\ntarget_link_libraries(a muster::muster)\n```\n\n```\n./dev demo\n```\n"),
        (False, "The type `std::string`.\n"),
    ]
    return source_check.failures_of(
        "snippets", check, [(expected, "README.md", text) for expected, text in cases],
        beside={"a.cpp": source, "docs/c.cpp": "int c;\n", "CMakeLists.txt": "add_executable(a a.cpp)\n"})


if __name__ == "__main__":
    sys.exit(source_check.main("snippets", "blocks", check, self_test, least=3))
