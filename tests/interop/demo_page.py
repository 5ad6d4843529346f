# SPDX-License-Identifier: MIT
"""The whole demo in two browser windows: cursors, the arena, the tournament and the graphs on one
page, wide and narrow, light and dark.

usage: demo_page.py DEMO_SH BUILD_DIR [DIRECTORY for screenshots]
"""

import contextlib
import os
import re
import signal
import sys
import tempfile

from browser import chromium, move
from relay_process import Process, wait_until

ROOM, ARENA, LOBBY = (f"article.{name} iframe" for name in ("relay", "shard", "lobby"))


@contextlib.contextmanager
def demo(script, build):
    with Process("sh", script, build, "--stay") as running:
        try:
            yield running
        finally:
            # It stops what it has started.
            if running.process.poll() is None:
                running.process.send_signal(signal.SIGTERM)
                running.wait()


def line_with(running, pattern, seconds=30):
    while True:
        match = re.search(pattern, running.line(seconds))
        if match:
            return match


def play(browser, running, shots):
    def open_page():
        browser.open(page)
        browser.until("all programs answer", lambda s: all(s[name]["state"] == "live"
                                                           for name in ("relay", "shard")))

    page = line_with(running, r"^page: (http://127\.0\.0\.1:\d+/\?shard=\d+&lobby=\d+)$")[1]
    browser.resize(1280, 800)
    first = browser.window()
    open_page()

    # The room: the host's page has brought bots along, and their cursors move.
    browser.frame(ROOM)
    seen = browser.until("four cursors", lambda s: s["state"] == "joined" and len(s["players"]) == 4)
    assert seen["role"] == "host" and seen["room"] == "lounge", seen
    names = {p["name"] for p in seen["players"]}
    assert {"bot 1", "bot 2", "bot 3"} < names, names
    bot = next(p for p in seen["players"] if p["name"] == "bot 1")
    browser.until("the bot moves", lambda s: any(p["name"] == "bot 1" and
             abs(p["x"] - bot["x"]) + abs(p["y"] - bot["y"]) > 0.05 for p in s["players"]))

    # What one window points at, the other one sees.
    second = browser.new_window()
    browser.use(second)
    browser.resize(1280, 800)
    open_page()
    browser.frame(ROOM)
    browser.until("a client among five", lambda s: s["role"] == "client" and len(s["players"]) == 5)

    def inside(frame, x, y):
        """Where in the page a place in a frame is."""
        browser.frame()
        left, top, width, height = browser.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]", frame)
        return left + x * width, top + y * height

    def point(handle, x, y):
        """Moves the mouse over the room; returns whose cursor that is."""
        browser.use(handle)
        browser.pointer(move(*inside(ROOM, 0.5, 0.5)), move(*inside(ROOM, x, y), 60))
        browser.frame(ROOM)
        return browser.hook()["id"]

    def sees(handle, player, x, y):
        browser.use(handle)
        browser.frame(ROOM)
        browser.until(f"player {player} at {x}, {y}", lambda s: any(
            p["id"] == player and abs(p["x"] - x) < 0.01 and abs(p["y"] - y) < 0.01
            for p in s["players"]))

    sees(second, point(first, 0.25, 0.3), 0.25, 0.3)
    mover = point(second, 0.7, 0.6)
    sees(first, mover, 0.7, 0.6)
    # And by keys.
    browser.use(second)
    browser.frame(ROOM)
    browser.run("document.getElementById('field').focus()")
    browser.keys(*[{"type": kind, "value": "\ue012"} for kind in ("keyDown", "keyUp") * 5])
    sees(first, mover, 0.6, 0.6)

    # The arena: a click, and then the keys of this page are the body's.
    browser.use(first)
    browser.frame(ARENA)
    # The bots may be just between two of their runs.
    browser.until("a body among bots", lambda s: s["state"] == "joined" and s["me"]
             and any(b["name"].startswith("bot-") for b in s["bodies"]), 60)
    browser.pointer(move(*inside(ARENA, 0.8, 0.7)), {"type": "pointerDown", "button": 0},
                    {"type": "pointerUp", "button": 0})
    browser.frame(ARENA)
    browser.keys({"type": "keyDown", "value": "d"})
    walked, last = 0, None

    def walks():
        """Bots may put it down meanwhile: it stops, and begins somewhere else."""
        nonlocal walked, last
        me = browser.hook()["me"]
        if me and last and 0 < me["x"] - last["x"] < 2500 and me["y"] == last["y"]:
            walked += me["x"] - last["x"]
        last = me
        return walked > 1500
    wait_until(walks, "the body walks to the right")
    browser.keys({"type": "keyUp", "value": "d"})
    browser.until("players with scores", lambda s: len(s["scores"]) > 5)

    # The graphs: each has points, and a line.
    browser.frame()
    labels = {"relay": ["Members", "To the host", "Broadcasts"],
              "shard": ["Players", "Snapshots", "Time of a tick"]}

    def measured(name, seen):
        return all(len([p for p in seen[name]["graphs"][label][-8:] if p is not None and p > 0]) > 2
                   for label in labels[name])
    browser.until("points of graphs", lambda s: measured("relay", s) and measured("shard", s))
    lines = browser.run("return [...document.querySelectorAll('article:not(.lobby) .line')]"
                        ".map((line) => line.getTotalLength())")
    assert len(lines) == 6 and min(lines) > 1, lines

    # The demo itself has got through, and goes on: results of the next tournament arrive.
    line_with(running, "All of it goes on until Ctrl-C", 60)
    browser.until("the lobby", lambda s: s["lobby"]["state"] == "live")
    browser.frame(LOBBY)
    seen = browser.until("results", lambda s: s["tournament"]
                    and s["tournament"]["state"] == "running" and s["tournament"]["played"] > 0, 30)
    assert len(seen["tournament"]["standings"]) == 8
    before = seen["tournament"]["played"]
    # It may have been the last that was known of the tournament before.
    browser.until("more results", lambda s: 0 < s["tournament"]["played"] != before, 30)
    browser.until("a match with cards", lambda s: s["match"] and s["match"].get("state", {}).get("board"))
    wait_until(lambda: browser.run("return document.querySelectorAll('#board .card').length") > 0,
               "cards")
    assert "House 8" in browser.run("return document.getElementById('standings').innerText")
    browser.frame()
    browser.until("matches in graphs", lambda s: s["lobby"]["graphs"]["Matches running"][-1]
             and s["lobby"]["graphs"]["Matches over"][-1])

    look_at(browser, shots)

    # The end: it says so, and so does the page.
    running.process.send_signal(signal.SIGTERM)
    line_with(running, "^demo: ok$")
    assert running.wait() == 0
    browser.until("nobody answers", lambda s: all(program["state"] == "lost" for program in s.values()))
    browser.check_console("404", "503", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "ERR_FAILED",
                          "WebSocket")


def look_at(browser, shots):
    """Takes the screenshots; nothing is cut, and each scheme has its colours."""
    def lightness():
        colour = browser.run("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    for width, height in ((1280, 800), (360, 1880)):
        for scheme in ("light", "dark"):
            browser.emulate(width, height, scheme)
            for place in (None, ROOM, ARENA, LOBBY):
                browser.frame(place)
                whole, inner = browser.run(
                    "return [document.documentElement.scrollWidth, innerWidth]")
                assert whole <= inner <= width, (place, whole, inner)
                assert (lightness() > 128) == (scheme == "light"), (place, scheme)
            browser.frame()
            assert browser.run("return innerWidth") == width
            cut = browser.run(
                "return [...document.querySelectorAll('h2, .state, figcaption, .now, .most')]"
                ".filter((each) => each.scrollWidth > each.clientWidth && each.clientWidth)"
                ".map((each) => each.textContent)")
            assert not cut, cut
            name = os.path.join(shots, f"demo_{'wide' if width > 500 else 'narrow'}_{scheme}")
            browser.screenshot(name + ".png")
            browser.picture(name + ".webp")


def main():
    script, build = sys.argv[1:3]
    shots = sys.argv[3] if len(sys.argv) > 3 else tempfile.gettempdir()
    with demo(script, build) as running, chromium(shots, "demo_failed.png") as browser:
        play(browser, running, shots)
    print("ok: screenshots in", shots)


if __name__ == "__main__":
    main()
