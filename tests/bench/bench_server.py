# SPDX-License-Identifier: MIT
"""A server under test."""

import os
import re
import signal
import subprocess


class Failure(Exception):
    """A server or the load generator did not do its part; the text says which and how."""


class Server:
    """A server process on its own CPU, from the moment it announced its port until it is gone."""

    def __init__(self, name, command, cpus):
        self.name = name
        self.last_words = ""  # what it printed until it was gone
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        line = self.process.stdout.readline()
        match = re.search(r"listen\S* on (?:http://)?127\.0\.0\.1:(\d+)$", line.rstrip())
        if not match:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{name}: first line of output is {line!r} instead of 'listening on 127.0.0.1:PORT'")
        self.port = int(match[1])

    def stop(self):
        ended = self.process.poll()
        if ended is not None:
            raise Failure(f"{self.name}: ended by itself with {ended}")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
            if code not in (0, -signal.SIGTERM):
                raise Failure(f"{self.name}: ended with {code} after SIGTERM")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name}: still there 10 s after SIGTERM") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.last_words = self.process.stdout.read()
        self.process.stdout.close()
