#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that what the documents link to is there, headings too, and what sources say of documents.

In documents: relative links and pictures, with the heading behind '#' as a git forge names it, and files of
the repository that they name as code, `lib/frame.cpp` or `muster/frame.hpp`. In sources:
`docs/NAME.md`, and a heading that is quoted behind it: docs/protocol/relay.md, "Error texts". Each page of
docs/ can be reached from README.md.

    links.py ROOT [--self-test]
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import source_check  # noqa: E402
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs/site"))
from page import slug  # noqa: E402  (the site makes labels of the same names)

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)|<(?:img|a)\s[^>]*?(?:src|href)=\"([^\"]+)\"",
                  re.M)
FILE = re.compile(r"(?<!`)`((?:include/|lib/|examples/|tests/|cmake/|docs/)[\w./*-]+\.\w+|muster/[\w/*]+\.hpp)`")
MENTION = re.compile(r"(docs/[\w/.-]+?\.md)(?:,\s+\"([^\"]+)\")?")
SOURCES = ("include", "lib", "examples", "tests", "cmake")


def without_code(text):
    return re.sub(r"^[ \t]*(```+|~~~+).*?^[ \t]*\1[ \t]*$", "", text, flags=re.M | re.S)


def headings_of(path, cache={}):
    if path not in cache:
        text = without_code(path.read_text(encoding="utf-8"))
        names = []
        for heading in re.findall(r"^#{1,6} +(.*?) *#*$", text, re.M):
            name = slug(heading)
            names.append(name if name not in names else f"{name}-{sum(n == name for n in names)}")
        names += re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
        cache[path] = names
    return cache[path]


def documents_of(root):
    folders = ("docs", "examples", "tests", "cmake", ".ci", ".github")
    return sorted([*root.glob("*.md"), *(p for f in folders for p in root.glob(f"{f}/**/*.md"))])


def check(root):
    problems = []
    count = 0
    links = {}  # of each document
    for document in documents_of(root):
        name = document.relative_to(root)
        links[document] = set()
        text = without_code(document.read_text(encoding="utf-8"))
        for path in FILE.findall(text):
            count += 1
            if not any(root.glob(f"include/{path}" if path.startswith("muster/") else path)):
                problems.append(f"{name}: there is no file {path}")
        text = re.sub(r"`[^`\n]*`", "``", text)
        for found in LINK.findall(text):
            link = next(part for part in found if part)
            if re.match(r"[a-z][a-z+.-]*:", link):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            if path.startswith("/") or not target.exists():
                problems.append(f"{name}: {link} does not exist")
            elif root not in target.parents and target != root:
                problems.append(f"{name}: {link} leads out of the repository")
            elif anchor and target.suffix == ".md" and anchor not in headings_of(target):
                problems.append(f"{name}: {link}: there is no such heading")
            links[document].add(target)
    reached, next_ones = set(), {root / "README.md"}
    while next_ones:
        reached |= next_ones
        next_ones = set().union(*(links.get(document, set()) for document in next_ones)) - reached
    for document in links.keys() - reached:
        if root / "docs" in document.parents:
            problems.append(f"{document.relative_to(root)}: no page leads here from README.md")
    for folder in SOURCES:
        for source in sorted(root.glob(f"{folder}/**/*")):
            if source.suffix not in (".hpp", ".cpp", ".h", ".py", ".cmake", ".html", ".service") or not source.is_file():
                continue
            if source == pathlib.Path(__file__).resolve():
                continue
            text = re.sub(r"\n\s*(?:///?|#)? *", " ", source.read_text(encoding="utf-8"))
            for path, heading in MENTION.findall(text):
                count += 1
                target = root / path
                if not target.exists():
                    problems.append(f"{source.relative_to(root)}: {path} does not exist")
                elif heading and slug(heading) not in headings_of(target):
                    problems.append(f"{source.relative_to(root)}: {path} has no heading '{heading}'")
    return count, problems


def self_test():
    """Every rule must be able to fail, and what is right must pass."""
    cases = [
        (True, "docs/a.md", "[b](c.md)"),
        (True, "docs/a.md", "[b](b.md#no-such)"),
        (True, "docs/a.md", "[b](#no-such)"),
        (True, "docs/a.md", "![b](pictures/b.svg)"),
        (True, "docs/a.md", "[b](/docs/b.md)"),
        (True, "docs/a.md", "[b](../../b.md)"),
        (True, "docs/a.md", "[b][b]\n\n[b]: c.md"),
        (True, "docs/a.md", "[`b`](c.md)"),
        (True, "docs/a.md", "<img src=\"b.svg\">"),
        (True, "docs/a.md", "[b](b.md#in-a-block)"),
        (True, "README.md", "[b](b.md) [b](docs/b.md)"),
        (True, "README.md", "nothing"),
        (True, "docs/a.md", "as in `examples/none.cpp`"),
        (True, "docs/a.md", "as in `muster/none.hpp`"),
        (False, "docs/a.md", "as in `docs/b.md`, `docs/*.md`, `tests/none`, `a.cpp`"),
        (True, "include/a.hpp", "/// see docs/c.md"),
        (True, "include/a.hpp", "/// @source docs/b.md, \"No such\""),
        (False, "docs/a.md", "[b](b.md) [c](b.md#what-is-it) [d](b.md#what-is-it-1) [e](../docs/b.md#a-b) <https://c.de/f.md>"),
        (False, "docs/a.md", "[b](https://example.org/c.md) `[b](c.md)`\n\n```\n[b](c.md)\n```"),
        (False, "docs/a.md", "# A\n\n[a](#a)"),
        (False, "include/a.hpp", "/// @source docs/b.md, \"What is\n/// it?\""),
    ]
    headings = "# B\n\n## What is it?\n\n## What is it?\n\n### `a_b`\n\n### A: \"b\"\n\n```\n## In a block\n```\n"
    return source_check.failures_of("links", check, cases, beside={
        "README.md": "[a](docs/a.md) [b](docs/b.md)\n", "docs/a.md": "# A\n", "docs/b.md": headings})


if __name__ == "__main__":
    sys.exit(source_check.main("links", "links", check, self_test, least=50))
