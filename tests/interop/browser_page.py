# SPDX-License-Identifier: MIT
"""Two browser windows meet on the relay's page: what one points at, the other one sees.

usage: browser_page.py MUSTER_RELAY [DIRECTORY for screenshots]
"""

import os
import re
import sys
import tempfile

from browser import chromium, move
from relay_process import Relay, wait_until


def play(browser, program, relay, shots):
    def joined(role, players):
        return browser.until(f"a {role} among {players}", lambda seen: seen["state"] == "joined"
                             and seen["role"] == role and len(seen["players"]) == players, 30)

    def shot(name):
        browser.screenshot(os.path.join(shots, name))

    def point_from(handle, fractions):
        """Moves the mouse over the field; returns where it ended, from 0 to 1."""
        browser.use(handle)
        box = browser.run("const b = document.getElementById('field').getBoundingClientRect();"
                          "return [b.left, b.top, b.width, b.height]")
        at = lambda f: (box[0] + round(f[0] * box[2]), box[1] + round(f[1] * box[3]))
        browser.pointer(*[move(*at(f), 40) for f in fractions])
        return fractions[-1]

    def sees(handle, player, where):
        browser.use(handle)

        def look():
            for seen in browser.hook()["players"]:
                if seen["id"] == player and abs(seen["x"] - where[0]) < 0.01 \
                        and abs(seen["y"] - where[1]) < 0.01:
                    return seen
            return None
        return wait_until(look, f"player {player} at {where}")

    # The first window creates the room.
    page = f"http://127.0.0.1:{relay.port}/"
    first = browser.window()
    browser.open(page)
    seen = joined("host", 1)
    assert seen["room"] == "lounge" and seen["id"] == 0, seen
    assert browser.run("return location.hash") == "#lounge"
    assert browser.run("return !document.getElementById('hint').hidden")
    shot("page_alone.png")

    # The second one joins it.
    second = browser.new_window()
    browser.use(second)
    browser.open(page)
    seen = joined("client", 2)
    assert seen["id"] == 1, seen
    assert any("Room lounge already exists for game cursors." in line for line in seen["log"])
    assert any("FULL_UPDATE" in line for line in seen["log"]), seen["log"]
    browser.use(first)
    joined("host", 2)

    # What one points at, the other one sees: from the host, and to it.
    where = point_from(first, [(0.2, 0.2), (0.5, 0.6), (0.31, 0.42)])
    sees(second, 0, where)
    where = point_from(second, [(0.8, 0.2), (0.6, 0.7), (0.72, 0.55)])
    sees(first, 1, where)

    # A name with the characters of HTML is shown as it is, everywhere.
    browser.use(second)
    browser.run("const n = document.getElementById('name'); n.value = '<b>Zoë</b>';"
                "n.dispatchEvent(new Event('change'))")
    browser.use(first)
    wait_until(lambda: any(p["name"] == "<b>Zoë</b>" for p in browser.hook()["players"]),
               "the new name")
    wait_until(lambda: browser.run("return document.getElementById('players').innerText")
               .find("<b>Zoë</b>") >= 0, "the new name in the list")

    # Both know how long a round trip takes.
    for handle in (first, second):
        browser.use(handle)
        wait_until(lambda: browser.hook()["rtt"] is not None, "a round trip time")
    assert 0 <= browser.hook()["rtt"] < 5000

    # A third player, and pictures of the host's and of a client's window.
    third = browser.new_window()
    browser.use(third)
    browser.open(page)
    joined("client", 3)
    where = point_from(third, [(0.5, 0.9), (0.45, 0.8)])
    sees(second, 2, where)
    sees(first, 2, where)
    browser.use(first)
    browser.run("for (const [x, y] of [[.3, .4], [.34, .44]]) {"
                "  const f = document.getElementById('field');"
                "  const b = f.getBoundingClientRect();"
                "  f.dispatchEvent(new PointerEvent('pointerdown',"
                "    {clientX: b.left + x * b.width, clientY: b.top + y * b.height})); }")
    shot("page_host.png")
    browser.use(second)
    shot("page_client.png")
    browser.resize(420, 800)
    shot("page_narrow.png")

    # The host removes a player: it hears why, and does not come back by itself.
    browser.use(first)
    browser.run("document.querySelectorAll('#players button')[1].click()")
    joined("host", 2)
    browser.use(third)
    seen = wait_until(lambda: browser.hook() if browser.hook()["state"] == "stopped" else None,
                      "the third player stops")
    assert any("We got rejected by server." in line for line in seen["log"]), seen["log"]
    browser.close_window()

    # The host leaves; the one that is left takes over, and a newcomer joins it.
    browser.use(first)
    browser.close_window()
    browser.use(second)
    seen = joined("host", 1)
    assert any("Server has left the game." in line for line in seen["log"]), seen["log"]
    assert any(re.search(r"takes over; next attempt in \d\.\d s", line) for line in seen["log"])
    fourth = browser.new_window()
    browser.use(fourth)
    browser.open(page)
    joined("client", 2)

    # Another room by the address.
    browser.run("location.hash = '#caf%C3%A9'")
    assert joined("host", 1)["room"] == "café"
    browser.use(second)
    joined("host", 1)

    # The relay goes away, and comes back: so does the player, and the page says what happens.
    before = len(browser.hook()["log"])
    assert relay.stop() == 0
    wait_until(lambda: browser.hook()["state"] == "waiting", "the page waits for the relay", 20)
    shot("page_waiting.png")
    with Relay(program, port=relay.port) as again:
        joined("host", 1)
        log = browser.hook()["log"][before:]
        assert log[0] == "← SERVER_ERROR: Internal channel closed.", log
        assert log[1] == "connection closed (1001)", log
        assert "← SERVER_ERROR: Room lounge no longer exists for game cursors." in log, log
        browser.use(fourth)
        joined("host", 1)
        finish(browser)
        assert again.stop() == 0


def finish(browser):
    browser.check_console()

    # The hook cannot be written.
    browser.run("try { window.__muster.state = 'x'; window.__muster = 1 } catch {}")
    assert browser.hook()["state"] == "joined"


def main():
    program = sys.argv[1]
    shots = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    with Relay(program) as relay, chromium(shots, "page_failed.png") as browser:
        play(browser, program, relay, shots)
    print("ok: screenshots in", shots)


if __name__ == "__main__":
    main()
