#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes of a document for a git forge one for Doxygen: a filter, which prints it.

Doxygen 1.9.4 knows no links to a heading of another page. So each heading gets a label, and each link
to a page or a heading refers to one. A link to a file that is no page keeps its text only. Code that has
a quote in it, and emphasis that begins with code, are written as Doxygen understands them.

    page.py FILE
"""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]


def slug(heading):
    """The name that a git forge gives a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # a link's text
    text = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return text.replace(" ", "-")


def label(page, anchor=""):
    """What Doxygen calls a page, or a heading of it."""
    name = str(page.relative_to(root).with_suffix("")).replace("/", "_")
    return f"{name}-{anchor}" if anchor else name


def is_page(path):
    return path.suffix == ".md" and (path.parent == root or (root / "docs") in path.parents)


def convert(document):
    seen = {}
    fence = ""

    def heading(match):
        marks, text = match.groups()
        if marks == "#":
            return f"# {text} {{#{label(document)}}}"
        name = slug(text)
        count = seen.get(name, 0)
        seen[name] = count + 1
        return f"{marks} {text} {{#{label(document, name if count == 0 else f'{name}-{count}')}}}"

    def link(match):
        text, target = match.groups()
        if re.match(r"[a-z][a-z+.-]*:", target):
            return match.group(0)
        path, _, anchor = target.partition("#")
        page = (document.parent / path).resolve() if path else document
        return f"[{text.replace('`', '')}](@ref {label(page, anchor)})" if is_page(page) else text

    prose = []

    def converted():
        text = re.sub(r"^<!--.*-->\n?", "", "\n".join(prose), flags=re.M)
        text = re.sub(r"^(#{1,6}) +(.*?) *$", heading, text, flags=re.M)
        prose.clear()
        text = re.sub(r"(?<!`)``(?!`)", "", text)  # no code at all
        text = re.sub(r"`[^`]+`|\*\*((?:[^*`]|`[^`]+`)+)\*\*", emphasis, text)
        return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", link, text)  # a text may go on in the next line

    def emphasis(match):
        if match.group(1) is None:  # code, which Doxygen would end at a quote
            return f"`{match.group(0)}`" if "'" in match.group(0) else match.group(0)
        return f"<b>{match.group(1)}</b>"  # which may begin with code

    for line in document.read_text(encoding="utf-8").split("\n"):
        if fence:
            if line.strip() == fence:
                fence = ""
            yield line
        elif found := re.match(r"\s*(```+|~~~+)", line):
            fence = found.group(1)
            if prose:
                yield converted()
            yield line
        else:
            prose.append(line)
    yield converted()


if __name__ == "__main__":
    print("\n".join(convert(pathlib.Path(sys.argv[1]).resolve())), end="")
