# SPDX-License-Identifier: MIT
"""Two browser windows meet in the arena: each sees the other move, and one shoots the other.

usage: shard_page.py MUSTER_SHARD [DIRECTORY for screenshots]
"""

import math
import os
import sys
import tempfile
import time

from browser import chromium, move
from relay_process import wait_until
from shard_process import Shard


def key(browser, down, code):
    """Presses or lets go of a key."""
    browser.keys({"type": "keyDown" if down else "keyUp", "value": code})


def play(browser, program, shard, shots):
    def shot(name):
        browser.screenshot(os.path.join(shots, name))

    def seen_by(handle):
        browser.use(handle)
        return browser.hook()

    def wait_for(handle, what, condition, seconds=10):
        browser.use(handle)
        return browser.until(what, condition, seconds)

    def joined(handle, players):
        return wait_for(handle, f"in the arena with {players} bodies", lambda seen:
                        seen["state"] == "joined" and seen["me"] and len(seen["bodies"]) == players)

    def body(seen, number):
        return next((b for b in seen["bodies"] if b["n"] == number), None)

    page = f"http://127.0.0.1:{shard.port}/"
    first = browser.window()
    browser.open(page)
    seen = joined(first, 1)
    assert seen["number"] == 1 and seen["shard"] == "arena" and seen["hz"] == 30, seen
    assert browser.run("return location.search") == "?shard=arena"

    # The name that was typed in is what others see; HTML's characters are shown as they are.
    browser.run("document.getElementById('name').value = '<b>Zoë</b>';"
                "document.getElementById('join').requestSubmit()")
    seen = wait_for(first, "the new name", lambda s: s["state"] == "joined" and s["me"]
                    and s["sid"].startswith("<b>Zoë</b>#"))
    first_number = seen["number"]

    second = browser.new_window()
    browser.use(second)
    browser.open(page)
    seen = joined(second, 2)
    second_number = seen["number"]
    assert second_number != first_number
    assert body(seen, first_number)["name"] == "<b>Zoë</b>", seen
    wait_until(lambda: "<b>Zoë</b>" in browser.run(
        "return document.getElementById('scores').innerText"), "the name in the list")
    joined(first, 2)

    # Ticks come as often as the server says, latency is known, bytes are counted.
    for handle in (first, second):
        seen = wait_for(handle, "the rate of the ticks", lambda s: 25 <= s["rate"] <= 35)
        assert 0 <= seen["latency"] < 1000 and seen["bytes"] > 100, seen
        wait_for(handle, "inputs ahead of the pictures", lambda s: 0 < s["target"] - s["tick"] < 20)

    # One moves: the other sees it, and the prediction was right all the time.
    for mover, watcher, number, code, axis, sign in (
            (first, second, first_number, "d", "x", 1),
            (second, first, second_number, "s", "y", 1),
            (first, second, first_number, "a", "x", -1)):
        before = body(seen_by(watcher), number)
        browser.use(mover)
        own = browser.hook()["me"]
        key(browser, True, code)
        time.sleep(0.5)
        key(browser, False, code)
        after = wait_for(mover, "the own body has moved",
                         lambda s: sign * (s["me"][axis] - own[axis]) > 1000)
        moved = wait_for(watcher, "the other body moves", lambda s, before=before:
                         sign * (body(s, number)[axis] - before[axis]) > 1000)
        assert abs(body(moved, number)["y" if axis == "x" else "x"]
                   - before["y" if axis == "x" else "x"]) <= 2
        # What was predicted is where the server has put it, once it has seen all inputs.
        def settled(s):
            mine = body(s, s["number"])
            return abs(s["me"]["x"] - mine["x"]) <= 2 and abs(s["me"]["y"] - mine["y"]) <= 2
        after = wait_for(mover, "prediction and server agree", settled)
        assert after["unacked"] < 20, after
    for handle in (first, second):
        seen = seen_by(handle)
        print(f"{seen['corrections']} corrections of the prediction, by {seen['worst']:.0f} units at most")
        # An input that came late costs one; a page that walks at another speed has one each tick.
        assert seen["corrections"] <= 10, seen

    # A click fires where the mouse points: the other is put down in the end, and scores count.
    browser.use(first)
    box = browser.run("const b = document.getElementById('field').getBoundingClientRect();"
                      "return [b.left, b.top, b.width, b.height]")

    def target():
        """Where the second body is on the first one's field, in pixels."""
        seen = seen_by(first)
        other = body(seen, second_number)
        dx, dy = other["x"] - seen["me"]["x"], other["y"] - seen["me"]["y"]
        far = math.hypot(dx, dy)
        scale = min(seen["scale"], 0.4 * min(box[2], box[3]) / max(far, 1))
        return far, (box[0] + box[2] / 2 + dx * scale, box[1] + box[3] / 2 + dy * scale), (dx, dy)

    # First near enough: a shot flies 8000 units.
    deadline = time.monotonic() + 15
    while True:
        far, _, (dx, dy) = target()
        if 1500 < far < 5000:
            break
        assert time.monotonic() < deadline, f"still {far} units away"
        code = ("d" if dx > 0 else "a") if abs(dx) > abs(dy) else ("s" if dy > 0 else "w")
        if far < 1500:
            code = "w"
        key(browser, True, code)
        time.sleep(min(0.4, abs(far - 3000) / 5120))
        key(browser, False, code)
        time.sleep(0.15)
    _, (x, y), _ = target()
    browser.pointer(move(x, y, 30), {"type": "pointerDown", "button": 0})
    wait_for(first, "shots in the air", lambda s: s["shots"] > 0)
    wait_for(second, "being hit", lambda s: s["me"] and s["me"]["health"] < 100)
    shot("arena_second.png")
    browser.use(first)
    shot("arena_first.png")
    wait_for(second, "being down", lambda s: s["me"]["health"] == 0)
    wait_for(first, "the score", lambda s: s["me"]["score"] >= 1)
    browser.use(first)
    browser.pointer({"type": "pointerUp", "button": 0})
    seen = wait_for(second, "the news", lambda s: any("put" in line for line in s["log"]))
    assert next(p for p in seen["scores"] if p["n"] == first_number)["score"] >= 1, seen["scores"]
    wait_for(second, "coming back", lambda s: s["me"] and s["me"]["health"] == 100)

    # Who goes is gone for the other.
    browser.use(second)
    browser.close_window()
    seen = joined(first, 1)
    assert any("has left" in line for line in seen["log"]), seen["log"]

    # Another window with the same id takes over.
    third = browser.new_window()
    browser.use(third)
    browser.open(page + "healthz")  # for the session storage of this origin
    name = seen["sid"].split("#")
    browser.run("sessionStorage.setItem('name', arguments[0]);"
                "sessionStorage.setItem('tag', arguments[1])", name[0], name[1])
    browser.open(page)
    joined(third, 1)
    wait_for(first, "being replaced", lambda s: s["state"] == "stopped")
    browser.close_window()

    # The server goes away, and comes back: so does the player.
    browser.use(third)
    assert shard.stop() == 0
    wait_for(third, "waiting for the server", lambda s: s["state"] == "waiting", 20)
    with Shard(program, "--guests", port=shard.port) as again:
        seen = joined(third, 1)
        assert any("connection closed (1001" in line for line in seen["log"]), seen["log"]
        browser.check_console("/favicon.ico")  # /healthz has none
        assert again.stop() == 0


def main():
    program = sys.argv[1]
    shots = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    with Shard(program, "--guests") as shard, chromium(shots, "arena_failed.png") as browser:
        play(browser, program, shard, shots)
    print("ok: screenshots in", shots)


if __name__ == "__main__":
    main()
