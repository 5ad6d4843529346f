#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-embed with clients that others wrote: chat, a peer that does not read, and Ctrl-C."""
import asyncio
import signal
import socket
import subprocess
import sys

import websockets

DEADLINE = 20


async def hear(client, *wanted):
    for text in wanted:
        got = await client.recv()
        assert got == text, f"expected {text!r}, got {got!r}"


async def chat(url):
    async with websockets.connect(url) as first:
        await hear(first, "1 is here")
        async with websockets.connect(url) as second:
            await hear(first, "2 is here")
            await hear(second, "2 is here")

            await first.send("hello")
            await hear(first, "1: hello")
            await hear(second, "1: hello")

            # Fragments, a ping in between, a long text, and what is no text and so not for the room.
            async def pieces():
                yield "gr\u00fc"
                await (await second.ping())
                yield "\u00dfe"

            await second.send(pieces())
            await second.send(b"\x00\x01")
            long_text = "x" * 300_000
            await second.send(long_text)
            for client in (first, second):
                await hear(client, "2: gr\u00fc\u00dfe", "2: " + long_text)
        await hear(first, "2 has left")


async def misbehave(url, port):
    """None of these may disturb the one who is in the room."""
    async with websockets.connect(url) as witness:
        joined = await witness.recv()
        assert joined.endswith(" is here"), joined

        # A plain request is answered, and what is no request too.
        for request, status in ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
                                (b"nonsense\r\n\r\n", b"400")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read()
            assert answer.split(b" ")[1] == status, answer
            writer.close()

        # A reset.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.close()

        # A frame without a mask is a protocol error, also for whoever sits in the room.
        other = await websockets.connect(url)
        number = (await other.recv()).split()[0]
        await hear(witness, f"{number} is here")
        other.transport.write(b"\x81\x01x")
        try:
            while True:
                await other.recv()
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == 1002, closed
        await hear(witness, f"{number} has left")

        # Somebody who never reads is closed as too slow, and is gone when the close deadline has passed
        # too. The others hear everything meanwhile.
        lazy = await websockets.connect(url, max_queue=1, read_limit=1024)
        number = (await witness.recv()).split()[0]
        block = "y" * 250_000
        while True:
            await witness.send(block)
            got = await witness.recv()
            if got == f"{number} has left":
                break
            assert got.endswith(block), got[:80]
            await asyncio.sleep(0.01)
        lazy.transport.abort()


async def interrupt(url, server):
    client = await websockets.connect(url)
    await client.recv()
    server.send_signal(signal.SIGINT)
    try:
        while True:
            await client.recv()
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd is not None and closed.rcvd.code == 1001, closed


async def run(server):
    first_line = await asyncio.get_running_loop().run_in_executor(None, server.stdout.readline)
    url = first_line.split()[-1]
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    await chat(url)
    await misbehave(url, port)
    await interrupt(url, server)


def main():
    server = subprocess.Popen([sys.argv[1], "0"], stdout=subprocess.PIPE, text=True)
    try:
        asyncio.run(asyncio.wait_for(run(server), DEADLINE))
        status = server.wait(timeout=10)
    finally:
        server.kill()
        server.wait()
    assert status == 0, f"muster-embed ended with status {status}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
