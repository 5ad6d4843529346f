# SPDX-License-Identifier: MIT
"""A browser watches a tournament of the house's bots to its end, wide and narrow, light and dark.

usage: lobby_page.py MUSTER_LOBBY [DIRECTORY for screenshots]
"""

import json
import os
import sys
import tempfile

from browser import chromium
from relay_process import Server, wait_until


def watch(browser, lobby, shots):
    def text(name):
        return browser.run("return document.getElementById(arguments[0]).innerText", name)

    def fits():
        width, inner = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= inner, (width, inner)

    browser.open(f"http://127.0.0.1:{lobby.port}/")
    seen = browser.until("the tournament runs", lambda s: s["state"] == "live" and s["match"]
                         and s["match"]["actions"] and s["tournament"]["state"] == "running")
    assert len(seen["tournament"]["standings"]) == 4
    assert seen["tournament"]["format"] == "round-robin"
    assert seen["match"]["id"] == seen["shown"]
    assert "House 1" in text("standings") and "House 4" in text("standings")
    wait_until(lambda: "round-robin" in text("status"), "what the badge says")
    wait_until(lambda: "check" in text("actions") or "call" in text("actions")
               or "fold" in text("actions"), "what was done")

    # A board of cards comes with the flop; nobody's own cards are shown.
    seen = browser.until("a board", lambda s: s["match"] and len(s["match"].get("state", {}).get("board", [])) >= 3)
    assert "your_hole_cards" not in json.dumps(seen["match"])
    wait_until(lambda: browser.run("return document.querySelectorAll('#board .card').length") in (0, 3, 4, 5),
               "cards")

    # Another match by a click, as long as two run.
    def click_another():
        return browser.run(
            "const other = document.querySelector('#running button[aria-pressed=false]');"
            "if (!other) return null; other.click(); return other.dataset.id")
    clicked = wait_until(click_another, "a second match to click")
    browser.until("the other match", lambda s: s["shown"] == clicked
             or all(m["id"] != clicked for m in s["tournament"]["matches"]))

    for width, name in ((1280, "lobby_wide.png"), (390, "lobby_narrow.png")):
        browser.resize(width, 900)
        fits()
        browser.screenshot(os.path.join(shots, name))
    assert browser.run("return matchMedia('(prefers-color-scheme: dark)').media") != "not all"
    # Both schemes have colours of their own.
    schemes = browser.run(
        "return [...document.styleSheets[0].cssRules].filter((rule) => rule.media && "
        "rule.media.mediaText.includes('prefers-color-scheme: dark')).length")
    assert schemes == 1

    # The server goes away, and the page says so.
    assert lobby.stop() == 0
    browser.until("the server is away", lambda s: s["state"] == "lost")
    browser.check_console("404")


def main():
    program = sys.argv[1]
    shots = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    with Server("muster-lobby", program, "--tournament", "round-robin", "--bots", "0", "--house-bots",
                "4", "--matches-at-once", "3", "--stack", "10000", "--hands-per-level", "1000"
                ) as lobby, chromium(shots, "lobby_failed.png") as browser:
        watch(browser, lobby, shots)
    print("ok: screenshots in", shots)


if __name__ == "__main__":
    main()
