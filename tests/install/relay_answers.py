#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starts the README's relay, opens a room on it over a WebSocket, and stops it.

    relay_answers.py PROGRAM

Where it listens is read from the system, so that it may listen on port 0.
"""
import base64
import hashlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

LISTENS = "0A"


def listening_port(pid):
    """The port of the process's listening socket, or None (proc(5))."""
    sockets = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
        if match:
            sockets.add(match[1])
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTENS and fields[9] in sockets:
            return int(fields[1].split(":")[1], 16)
    return None


def wait_until_it_listens(process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the program ended with {process.returncode}"
        port = listening_port(process.pid)
        if port:
            return port
        time.sleep(0.02)  # nothing tells when a process listens
    raise AssertionError("the program does not listen")


def open_room(port):
    """What the relay answers to who makes a room of the game "chess" (docs/protocol/relay.md)."""
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        stream = peer.makefile("rb")
        peer.sendall(f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        status = stream.readline().decode()
        assert " 101 " in status, status
        headers = dict(line.decode().strip().lower().split(": ", 1)
                       for line in iter(stream.readline, b"\r\n"))
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert headers["sec-websocket-accept"] == base64.b64encode(accept).decode().lower(), headers
        request = b"\x05chess\x05table\x00\x01\x00"
        peer.sendall(bytes([0x82, 0x80 | len(request), 0, 0, 0, 0]) + request)
        opcode, length = stream.read(2)
        assert opcode == 0x82, opcode
        return stream.read(length)


with subprocess.Popen([sys.argv[1]]) as server:
    try:
        answer = open_room(wait_until_it_listens(server))
    finally:
        server.terminate()
# HAND_SHAKE_RESPONSE: the host is player 0; rule variation 0; a token.
assert len(answer) == 13 and answer[:5] == b"\x06\x00\x00\x00\x00", answer.hex()
print("the relay answers")
