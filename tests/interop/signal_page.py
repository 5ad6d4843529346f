# SPDX-License-Identifier: MIT
"""Two browser windows meet in a signaling room, and talk over a WebRTC data channel.

usage: signal_page.py MUSTER_RELAY [DIRECTORY for screenshots]
"""

import os
import sys
import tempfile

from browser import chromium
from relay_process import Relay, wait_until


class Window:
    def __init__(self, browser, handle):
        self.browser = browser
        self.handle = handle

    def hook(self):
        self.browser.use(self.handle)
        return self.browser.hook()

    def run(self, script, *arguments):
        self.browser.use(self.handle)
        return self.browser.run(script, *arguments)

    def click(self, name):
        assert self.run("const b = document.getElementById(arguments[0]);"
                        "if (b.disabled) return false; b.click(); return true", name), name

    def say(self, text):
        self.run("document.getElementById('say').value = arguments[0];"
                 "document.getElementById('say-form').requestSubmit()", text)

    def until(self, is_so, what, seconds=30):
        self.browser.use(self.handle)
        return self.browser.until(what, is_so, seconds)

    def heard(self, text):
        seen = self.until(lambda seen: any(said["text"] == text for said in seen["said"]), text)
        return next(said["way"] for said in seen["said"] if said["text"] == text)


def play(browser, program, relay, shots):
    def shot(window, name):
        window.hook()
        browser.screenshot(os.path.join(shots, name))

    def opened(address, players):
        browser.open(address)
        window = Window(browser, browser.window())
        window.until(lambda seen: seen["state"] == "joined" and len(seen["peers"]) == players - 1,
                     f"a player among {players}")
        return window

    # One opens a room, the other one comes by its address.
    page = f"http://127.0.0.1:{relay.port}/signal"
    first = opened(page, 1)
    code = first.hook()["room"]
    assert len(code) == 6 and first.run("return location.hash") == "#" + code
    assert first.hook()["authority"]
    shot(first, "signal_alone.png")
    browser.use(browser.new_window())
    second = opened(f"{page}#{code}", 2)
    first.until(lambda seen: len(seen["peers"]) == 1, "the second player")
    assert not second.hook()["authority"]

    # Before the start what is said goes through the room; HTML is shown as it is.
    second.say("<b>hello</b> through the room")
    assert first.heard("<b>hello</b> through the room") == "room"
    assert "<b>hello</b>" in first.run("return document.getElementById('said').innerText")

    # Only when all are ready, and only who opened it.
    assert first.run("return document.getElementById('start').disabled")
    first.click("ready")
    second.click("ready")
    first.until(lambda seen: len(seen["ready"]) == 2, "both are ready")
    assert second.run("return document.getElementById('start').disabled")
    first.click("start")
    plans = [window.until(lambda seen: seen["plan"] is not None, "a plan")["plan"]
             for window in (first, second)]
    assert plans[0] == plans[1] and plans[0]["topology"] == "mesh", plans
    assert plans[0]["transport"] == "webrtc", plans

    # Exactly one offers; then both have a channel.
    for window in (first, second):
        window.until(lambda seen: seen["peers"][0]["state"] == "open", "an open channel")
    offers = [window.hook()["peers"][0]["offers"] for window in (first, second)]
    assert sorted(offers) == [False, True], offers
    offerer, answerer = (first, second) if offers[0] else (second, first)
    for window, lines in ((offerer, ("→ Signal Offer", "← Signal Answer")),
                          (answerer, ("← Signal Offer", "→ Signal Answer"))):
        log = window.hook()["log"]
        assert all(line in log for line in lines), log
    for window, other in ((first, second), (second, first)):
        other.say("straight to " + window.handle)
        assert window.heard("straight to " + window.handle) == "channel"
    wait_until(lambda: relay.metrics()["signal_fish_transport_p2p_established_total"] == 2,
               "the relay knows that both are connected")
    assert relay.metrics()["signal_fish_transport_signals_relayed_total"] >= 2

    # A third one comes late, and is connected to both.
    browser.use(browser.new_window())
    third = opened(f"{page}#{code}", 3)
    for window in (first, second, third):
        window.until(lambda seen: [peer["state"] for peer in seen["peers"]] == ["open", "open"],
                     "two open channels")
    third.say("to both")
    assert first.heard("to both") == second.heard("to both") == "channel"
    shot(first, "signal_room.png")
    browser.resize(420, 800)
    shot(first, "signal_narrow.png")
    assert first.run("return document.documentElement.scrollWidth <= innerWidth")

    # It goes again: the others hear of it, and stay connected.
    third.hook()
    browser.close_window()
    for window in (first, second):
        window.until(lambda seen: [peer["state"] for peer in seen["peers"]] == ["open"], "one left")
    second.say("still here")
    assert first.heard("still here") == "channel"

    # A room that is not there can be made; a name that is none is told.
    second.run("location.hash = '#ABCDEF'")
    second.until(lambda seen: seen["room"] == "ABCDEF" and not seen["peers"], "another room")
    second.run("location.hash = '#no'")
    second.until(lambda seen: seen["state"] == "stopped", "the page stops")

    # The relay goes away and comes back: so does the page, into the same room.
    assert relay.stop() == 0
    first.until(lambda seen: seen["state"] == "waiting", "the page waits", 20)
    with Relay(program, port=relay.port) as again:
        first.until(lambda seen: seen["state"] == "joined" and seen["room"] == code, "back again")
        browser.check_console()
        assert again.stop() == 0


def main():
    program = sys.argv[1]
    shots = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    with Relay(program) as relay, chromium(shots, "signal_failed.png") as browser:
        play(browser, program, relay, shots)
    print("ok: screenshots in", shots)


if __name__ == "__main__":
    main()
