# SPDX-License-Identifier: MIT
"""Our event streams, read by Python's http.client and by a browser's EventSource.

usage: event_stream.py EVENT_STREAM_SERVER BACKEND
"""

import http.client
import re
import shutil
import subprocess
import sys
import tempfile

from browser import Browser
from relay_process import Process, wait_until


class Server(Process):
    def __init__(self):
        super().__init__(sys.argv[1], sys.argv[2], stdin=subprocess.PIPE)
        self.port = int(self.line())

    def ask(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=headers or {})
        return connection, connection.getresponse()


def events(response):
    """(id, data) of each event, by the rules of WHATWG HTML, section 9.2.6."""
    identity, data = "", []
    while True:
        line = response.readline().decode()
        if not line:
            return
        line = line.rstrip("\n")
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if not line:
            if data:
                yield identity, "\n".join(data)
            data = []
        elif field == "id":
            identity = value
        elif field == "data":
            data.append(value)


def expected(identity):
    data = f"tick {identity}"
    return str(identity), data + "\né" if identity % 10 == 0 else data


def case_http_client():
    with Server() as server:
        connection, response = server.ask("/events", headers={"Accept": "text/event-stream"})
        assert response.status == 200 and response.version == 11
        assert response.getheader("Content-Type") == "text/event-stream"
        assert response.getheader("Cache-Control") == "no-cache"
        assert response.getheader("Content-Length") is None
        assert response.getheader("Transfer-Encoding") is None
        assert response.will_close
        # It is read while it is written, and it ends.
        got = list(events(response))
        assert got == [expected(i) for i in range(1, 6)], got
        connection.close()
        assert server.line() == "closed finished"

        connection, response = server.ask("/events", headers={"Last-Event-ID": "7"})
        reader = events(response)
        assert next(reader) == expected(8)
        response.close()
        connection.close()
        assert server.line() in ("closed connection_lost", "closed finished")

        connection, response = server.ask("/events", "HEAD")
        assert response.status == 200 and response.read() == b""
        assert response.getheader("Content-Type") == "text/event-stream"
        connection.close()


def case_event_source(binary, driver):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, \
            Server() as server, Process(driver, "--port=0") as driving:
        while True:
            match = re.search(r"started successfully on port (\d+)", driving.line(30))
            if match:
                break
        browser = Browser(f"http://127.0.0.1:{match[1]}", binary, profile)
        try:
            browser.open(f"http://127.0.0.1:{server.port}/page")
            # It comes back after each fifth event, and misses none.
            wait_until(lambda: browser.run("return window.seen.length") >= 23, "23 events", 30)
            assert browser.run("return window.opened") >= 5
            seen = [tuple(event) for event in browser.run("return window.seen")]
            assert seen == [expected(i) for i in range(1, len(seen) + 1)], seen
            browser.run("source.close()")
            count = browser.run("return window.seen.length")
        finally:
            browser.quit()
        assert count >= 23


def main():
    case_http_client()
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        print("ok, but without a browser: the package chromium or chromium-driver is not installed")
        return
    case_event_source(binary, driver)
    print("ok")


if __name__ == "__main__":
    main()
