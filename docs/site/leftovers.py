#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds marks of Markdown that Doxygen did not understand and shows to the reader: it does not warn of them.

    leftovers.py FOLDER   of the pages, as Doxygen wrote them
"""

import html
import pathlib
import re
import sys

MARK = re.compile(r"@ref|\{#|```|\*\*|\]\(|(?<!\w)`|‘|\|\s*-{3}")


def main():
    folder = pathlib.Path(sys.argv[1])
    pages = sorted([folder / "index.html", *folder.glob("docs_*.html"), *folder.glob("[A-Z]*.html")])
    found = 0
    for page in pages:
        body = page.read_text(encoding="utf-8").partition('class="contents"')[2]
        body = re.sub(r'<div class="fragment">.*?</div><!-- fragment -->|<pre.*?</pre>|<code>.*?</code>', "", body,
                      flags=re.S)
        text = html.unescape(re.sub(r"<[^>]+>", " ", body))
        for mark in MARK.finditer(text):
            found += 1
            print(f"{page.name}: {text[max(0, mark.start() - 40):mark.end() + 40]!r}")
    print(f"leftovers: {len(pages)} pages, {found} problems")
    return 1 if found or len(pages) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
