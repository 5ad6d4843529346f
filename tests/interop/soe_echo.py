#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-soe-echo with itself: in one process, and over loopback; and muster-soe-poll as its server."""
import re
import signal
import subprocess
import sys
import time

from relay_process import Process


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def succeed(*words):
    status, out, _ = run(*words)
    assert status == 0, f"{words} ended with {status}:\n{out}"
    return out


def check_link(echo):
    """Virtual time: the same for the same seed, and nothing is lost for good."""
    words = (echo, "--loss", "0.1", "--rtt", "80", "--fast", "--seconds", "20", "--rate", "50")
    first = succeed(*words)
    assert first == succeed(*words)
    assert first != succeed(*words, "--seed", "2")
    assert "1000 came back, every one as it was" in first, first
    lines = re.findall(r"^ +(\d+) s +(\d+) messages/s .* rtt +([\d.]+) ms +loss +([\d.]+) %", first,
                       re.MULTILINE)
    assert len(lines) >= 20, first
    assert all(79 < float(rtt) < 120 for _, _, rtt, _ in lines[1:20]), first
    assert re.search(r"(\d+) reliable packets sent, [1-9]\d* of them again", first), first

    own = succeed(*words, "--own-ends")
    assert "1000 came back, every one as it was" in own, own
    bulk = succeed(echo, "--rtt", "20", "--fast", "--seconds", "2", "--bulk", "--size", "100000",
                   "--own-ends", "--loss", "0.01", "--key", "00ff00")
    assert "every one as it was" in bulk
    mixed = succeed(echo, "--rtt", "20", "--loss", "0.1", "--fast", "--count", "600", "--rate", "200",
                    "--sessions", "3", "--channel", "ordered", "--channel", "unreliable",
                    "--channel", "reliable3")
    assert "lost, as they may be" in mixed, mixed


def check_clock(echo):
    """Without --fast it is to be watched: as long as it says."""
    start = time.monotonic()
    succeed(echo, "--rtt", "10", "--seconds", "1")
    assert time.monotonic() - start >= 1


def check_sockets(echo, server_words, address_of):
    with Process(*server_words) as server:
        address = address_of(server.line())
        for options in (("--count", "50", "--rate", "200"),
                        ("--count", "20", "--bulk", "--size", "20000"),
                        ("--count", "10", "--rate", "50", "--sessions", "50"),
                        ("--count", "60", "--rate", "200", "--channel", "reliable1",
                         "--channel", "unreliable", "--channel", "ordered")):
            succeed(echo, "--connect", address, *options)
        status, out, _ = run(echo, "--connect", address, "--count", "1", "--protocol", "other")
        assert status == 1 and "NOTHING came back" in out, out
        return server, address


def check_server(echo):
    server, address = check_sockets(echo, (echo, "--listen", "127.0.0.1:0"),
                                    lambda line: line.split()[-1])
    # A server that ends says so, and a client that was cut off has failed.
    with Process(echo, "--listen", "127.0.0.1:0", "--own-ends") as server:
        address = server.line().split()[-1]
        with Process(echo, "--connect", address, "--own-ends", "--seconds", "0", "--count", "100000",
                     "--rate", "100") as client:
            client.line()
            server.process.send_signal(signal.SIGTERM)
            assert server.wait() == 0
            assert client.wait() == 1
            lines = []
            while (line := client.lines.get(timeout=10)) is not None:
                lines.append(line)
            assert "1 session FAILED: application, said the server" in lines, lines
    # A client that is interrupted waits for what is on the way.
    with Process(echo, "--listen", "127.0.0.1:0") as server:
        address = server.line().split()[-1]
        with Process(echo, "--connect", address, "--seconds", "1000") as client:
            client.line()
            client.process.send_signal(signal.SIGINT)
            assert client.wait() == 0


def check_mistakes(echo):
    for words in ((), ("--loss", "2"), ("--rtt", "5", "--connect", "127.0.0.1:1"),
                  ("--listen", "127.0.0.1:1", "--connect", "127.0.0.1:1"),
                  ("--rtt", "5", "--bulk", "--rate", "5"), ("--rtt", "5", "--key", "0"),
                  ("--rtt", "5", "--key", "xx"), ("--rtt", "5", "--channel", "reliable4"),
                  ("--rtt", "5", "--channel", "ordered", "--size", "5000"),
                  ("--rtt", "5", "--channel", "ordered", "--bulk"), ("--rtt", "5", "--seconds", "0"),
                  ("--rtt", "5", "--protocol", "x" * 33), ("--rtt", "5", "--size", "0")):
        status, out, error = run(echo, *words)
        assert status == 2 and out == "" and error.startswith("muster-soe-echo: "), (words, status)
        assert error.count("\n") == 1, error
    assert run(echo, "--listen", "nonsense")[0] == 1
    assert run(echo, "--help")[0] == 0


def main():
    echo, poll = sys.argv[1:]
    check_link(echo)
    check_clock(echo)
    check_server(echo)
    check_sockets(echo, (poll, "0"), lambda line: line.split()[-1])
    check_mistakes(echo)
    return 0


if __name__ == "__main__":
    sys.exit(main())
