# SPDX-License-Identifier: MIT
"""Drives a headless Chromium for the tests of pages."""

import base64
import contextlib
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request

from relay_process import Process, skip, wait_until


class Browser:
    """As much of WebDriver as the test needs."""

    def __init__(self, base, binary, profile):
        self.base = base + "/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                     "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync",
                     f"--user-data-dir={profile}", "--window-size=1280,800"]
        options = {"binary": binary, "args": arguments}
        always = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": always}})
        self.base += "/" + session["sessionId"]

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:500]}") from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def window(self):
        return self._call("GET", "/window")

    def new_window(self):
        return self._call("POST", "/window/new", {"type": "window"})["handle"]

    def use(self, handle):
        self._call("POST", "/window", {"handle": handle})

    def close_window(self):
        self._call("DELETE", "/window")

    def resize(self, width, height):
        self._call("POST", "/window/rect", {"width": width, "height": height})

    def emulate(self, width, height, scheme):
        """The size of a page, also below the least one of a window, and "light" or "dark"."""
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=1, mobile=False)
        self._devtools("Emulation.setEmulatedMedia",
                       features=[{"name": "prefers-color-scheme", "value": scheme}])

    def _devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def frame(self, selector=None):
        """Goes on in the frame that a CSS selector finds in the page; without one, in the page."""
        self._call("POST", "/frame", {"id": None})
        if selector is not None:
            found = self._call("POST", "/element", {"using": "css selector", "value": selector})
            self._call("POST", "/frame", {"id": found})

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def hook(self):
        return self.run("return JSON.parse(JSON.stringify(window.__muster))")

    def until(self, what, is_so, seconds=20):
        """What the page or frame in use knows, once it is so; if it never is, what it knows is shown."""
        def look():
            seen = self.hook()
            return seen if is_so(seen) else None
        try:
            return wait_until(look, what, seconds)
        except AssertionError:
            print(json.dumps(self.hook(), indent=1))
            raise

    def pointer(self, *actions):
        source = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                  "actions": list(actions)}
        self._call("POST", "/actions", {"actions": [source]})

    def keys(self, *actions):
        source = {"type": "key", "id": "keyboard", "actions": list(actions)}
        self._call("POST", "/actions", {"actions": [source]})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def picture(self, path):
        """A screenshot as small as documentation wants it."""
        taken = self._devtools("Page.captureScreenshot", format="webp", quality=80)
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def console(self):
        return self._call("POST", "/se/log", {"type": "browser"})

    def check_console(self, *known):
        """No page complained of anything but that its server was away, or what has one of `known`
        in it."""
        known = ("ERR_CONNECTION_REFUSED", *known)
        bad = [entry for entry in self.console() if entry["level"] == "SEVERE"
               and not any(part in entry["message"] for part in known)]
        assert not bad, bad

    def quit(self):
        self._call("DELETE", "")


def move(x, y, milliseconds=0):
    return {"type": "pointerMove", "duration": milliseconds, "x": round(x), "y": round(y)}


@contextlib.contextmanager
def chromium(shots, failed):
    """A browser, or the test is skipped. If the test fails, a screenshot of that name is kept."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None:
        skip("the package chromium is not installed")
    if driver is None:
        skip("the package chromium-driver is not installed")
    os.makedirs(shots, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, \
            Process(driver, "--port=0") as driving:
        while True:
            match = re.search(r"started successfully on port (\d+)", driving.line(30))
            if match:
                break
        browser = Browser(f"http://127.0.0.1:{match[1]}", binary, profile)
        try:
            yield browser
        except BaseException:
            try:
                browser.screenshot(os.path.join(shots, failed))
            except Exception as error:
                print("no screenshot of the failure:", error)
            raise
        finally:
            browser.quit()
