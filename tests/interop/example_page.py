#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of the example 05_browser: two windows talk, and one of them comes back.

usage: example_page.py 05_BROWSER [DIRECTORY for screenshots]
"""

import os
import re
import sys
import tempfile

from browser import chromium
from relay_process import Process, wait_until


def play(browser, port, shots):
    def shows(*lines):
        wait_until(lambda: browser.run(
            "return [document.querySelector('#state').textContent,"
            " ...[...document.querySelectorAll('#lines li')].map((line) => line.textContent)]")
            == ["connected", *lines], f"a page with {lines}")

    def say(line):
        browser.run("document.querySelector('input').value = arguments[0];"
                    "document.querySelector('button').click()", line)

    url = f"http://127.0.0.1:{port}/"
    browser.open(url)
    shows()
    first = browser.window()
    second = browser.new_window()
    browser.use(second)
    browser.open(url)
    shows()
    say("grüße <b>an</b> alle")  # a text of somebody else's, and no HTML
    shows("grüße <b>an</b> alle")
    browser.use(first)
    shows("grüße <b>an</b> alle")
    say("hello")
    shows("grüße <b>an</b> alle", "hello")
    browser.use(second)
    shows("grüße <b>an</b> alle", "hello")

    browser.run("socket.close()")  # it comes back by itself, and has every line once
    wait_until(lambda: browser.run("return document.querySelector('#state').textContent") != "connected",
               "a page that is away")
    shows("grüße <b>an</b> alle", "hello")
    browser.resize(360, 640)
    browser.screenshot(os.path.join(shots, "example_page.png"))
    browser.check_console("favicon.ico")


def main():
    shots = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    with Process(sys.argv[1], "0") as server, chromium(shots, "example_page_failed.png") as browser:
        play(browser, re.search(r":(\d+)/", server.line())[1], shots)
    print("ok: screenshot in", shots)


if __name__ == "__main__":
    main()
