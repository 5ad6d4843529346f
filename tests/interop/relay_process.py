# SPDX-License-Identifier: MIT
"""Starts and stops a server program for a test, and asks it by HTTP."""

import http.client
import queue
import re
import signal
import subprocess
import threading
import time

SKIPPED = 77


def skip(why):
    print("skipped:", why)
    raise SystemExit(SKIPPED)


def wait_until(condition, what, seconds=30.0):
    """Polls until the condition gives something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)  # not more often than an address may connect


class Process:
    """A program whose lines of output can be waited for."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.lines = queue.Queue()
        self.errors = []
        threading.Thread(target=self._read_out, daemon=True).start()
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()

    def _read_out(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))

    def line(self, seconds=10.0):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError("no line of output in time") from None
        if line is None:
            self._error_reader.join(1)
            raise AssertionError("the program ended: " + "\n".join(self.errors))
        return line

    def wait(self, seconds=10.0):
        return self.process.wait(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Server(Process):
    """A program that says where it listens, and answers by HTTP too."""

    def __init__(self, name, program, *options, port=0, **process_options):
        super().__init__(program, "--listen", f"127.0.0.1:{port}", *options, **process_options)
        first = self.line()
        match = re.fullmatch(name + r" listens on http(s?)://127\.0\.0\.1:(\d+)", first)
        assert match, f"unexpected first line: {first!r}"
        self.secure = match[1]
        self.port = int(match[2])
        assert self.line() == f"page: http{self.secure}://127.0.0.1:{self.port}/"

    def request(self, method, path, body=None, headers=None, context=None):
        """Returns status, headers, body. `context` is for TLS: whom to trust."""
        if self.secure:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def metrics(self):
        """All samples by name and labels; every line is checked."""
        status, headers, body = self.request("GET", "/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "Access-Control-Allow-Origin" not in headers
        text = body.decode()
        assert text.endswith("\n")
        samples, kinds, helps = {}, {}, set()
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ")[2]
                assert name not in helps and len(line.split(" ", 3)[3]) > 5, line
                helps.add(name)
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name in helps and name not in kinds, line
                assert kind in ("counter", "gauge", "histogram"), line
                assert name.endswith("_total") == (kind == "counter"), line
                kinds[name] = kind
            else:
                match = re.fullmatch(
                    r'([a-z0-9_]+)(\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})? ([0-9.e+-]+)', line)
                assert match, f"not a sample: {line!r}"
                family = re.sub("_(bucket|sum|count)$", "", match[1])
                is_part = kinds.get(family) == "histogram" and family != match[1]
                assert is_part or kinds.get(match[1], "histogram") != "histogram", f"no TYPE before {line!r}"
                key = match[1] + (match[2] or "")
                assert key not in samples, f"twice: {key}"
                samples[key] = float(match[3])
        return samples

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


class Relay(Server):
    def __init__(self, program, *options, port=0, **process_options):
        super().__init__("muster-relay", program, *options, port=port, **process_options)
        self.ws = f"ws{self.secure}://127.0.0.1:{self.port}/ws"
