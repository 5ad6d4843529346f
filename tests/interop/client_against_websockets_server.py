# SPDX-License-Identifier: MIT
"""Our WebSocketClient (the program echo_client) against a server of the Python package websockets.

usage: client_against_websockets_server.py ECHO_CLIENT BACKEND
"""

import asyncio
import http
import os
import socket
import sys
import traceback

from relay_process import Process, skip

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

MIB = 1024 * 1024


class Session:
    """One run of the client against `serve(connection)`."""

    def __init__(self, serve, **options):
        self.serve = serve
        self.options = {"ping_interval": None, "max_size": None, "close_timeout": 3, **options}

    async def run(self, path="/echo?x=1", subprotocols=()):
        """Returns the lines that the client printed."""
        failed = asyncio.get_running_loop().create_future()

        async def handler(connection):
            try:
                await asyncio.wait_for(self.serve(connection), 10)
            except Exception as error:
                if not failed.done():
                    failed.set_exception(error)
                raise
        server = await websockets.serve(handler, "127.0.0.1", 0, **self.options)
        port = server.sockets[0].getsockname()[1]
        try:
            lines = await run_client(f"ws://127.0.0.1:{port}{path}", *subprotocols)
            if failed.done():
                await failed
            return lines
        finally:
            if failed.done():
                failed.exception()
            server.close()
            await server.wait_closed()


async def run_client(url, *subprotocols):
    def collect():
        with Process(PROGRAM, url, BACKEND, *subprotocols) as client:
            assert client.wait(10) == 0
            lines = []
            while (line := client.lines.get(timeout=5)) is not None:
                lines.append(line)
            return lines
    return await asyncio.to_thread(collect)


async def echoed(connection, message):
    got = await connection.recv()
    assert type(got) is type(message) and got == message, f"{len(got)} bytes came back"


async def case_echo():
    async def serve(connection):
        assert connection.path == "/echo?x=1"
        assert connection.request_headers["X-Test"] == "yes"
        for size in 0, 1, 124, 125, 126, 127, 65534, 65535, 65536, MIB:
            message = os.urandom(size)
            await connection.send(message)
            await echoed(connection, message)
        for message in "", "Zoë \N{SNOWMAN} \U0001F600", "\0", "x" * 70000:
            await connection.send(message)
            await echoed(connection, message)
        many = [os.urandom(i) for i in range(500)]
        for message in many:
            await connection.send(message)
        for message in many:
            await echoed(connection, message)
        await connection.close(4001, "until then")
        assert connection.close_code == 4001, "the client echoes the code"
    lines = await Session(serve).run()
    assert lines == ["open", "close finished 4001 peer until then"], lines


async def case_fragments_and_pings():
    async def serve(connection):
        async def slowly():
            for part in "Zo\u00eb", "", " and", " others \N{SNOWMAN}":
                await asyncio.wait_for(await connection.ping(b"in between"), 5)
                yield part
        await connection.send(slowly())
        await echoed(connection, "Zoë and others \N{SNOWMAN}")
        await connection.send([b"a", b"", b"b" * 70000])
        await echoed(connection, b"a" + b"b" * 70000)
        # The first bytes of a snowman, and its last, in two fragments.
        raw = "\N{SNOWMAN}".encode()
        connection.transport.write(b"\x01\x02" + raw[:2] + b"\x80\x01" + raw[2:])
        await echoed(connection, "\N{SNOWMAN}")
        for data in b"", os.urandom(125):
            await asyncio.wait_for(await connection.ping(data), 5)
        await connection.close()
    lines = await Session(serve).run()
    assert lines == ["open", "close finished 1000 peer "], lines


async def case_client_closes():
    async def serve(connection):
        await connection.send("bye")
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (4002, "as you wish")
    lines = await Session(serve).run()
    assert lines == ["open", "close finished 4002 us as you wish"], lines


async def case_many_from_the_client():
    async def serve(connection):
        await connection.send("flood")
        for i in range(1000):
            await echoed(connection, str(i))
        await connection.close()
    await Session(serve).run()


async def case_subprotocol():
    async def serve(connection):
        assert connection.subprotocol == "two"
        await connection.close()
    lines = await Session(serve, subprotocols=["two", "three"]).run(subprotocols=["one", "two"])
    assert lines == ["open", "close finished 1000 peer "], lines


async def case_compression_is_not_offered():
    async def serve(connection):
        assert "Sec-WebSocket-Extensions" not in connection.request_headers
        assert connection.extensions == []
        await connection.close()
    await Session(serve, compression="deflate").run()


async def fails_with(write, reason, code):
    """What the server writes makes the client close with a code."""
    async def serve(connection):
        write(connection)
        await connection.wait_closed()
        assert connection.close_code == code, (connection.close_code, connection.close_reason)
    lines = await Session(serve).run()
    assert lines[0] == "open" and lines[1].startswith(f"close {reason} {code} "), lines


async def case_oversize():
    async def serve(connection):
        await connection.send(bytes(MIB + 1))
        await connection.wait_closed()
        assert connection.close_code == 1009, connection.close_code
    lines = await Session(serve).run()
    assert lines[0] == "open" and lines[1].startswith("close too_large 1009 "), lines


async def case_protocol_errors():
    for raw in (b"\x81\x81\0\0\0\0x",        # a server does not mask
                b"\x83\x00",                  # a reserved opcode
                b"\xc1\x01x",                 # a reserved bit
                b"\x80\x01x",                 # a continuation of nothing
                b"\x09\x00",                  # a ping in fragments
                b"\x88\x02\x03\xed"):         # 1005 in a Close
        await fails_with(lambda c, raw=raw: c.transport.write(raw), "protocol_error", 1002)
    await fails_with(lambda c: c.transport.write(b"\x81\x02\xc3\x28"), "protocol_error", 1007)


async def case_connection_lost():
    async def serve(connection):
        connection.transport.abort()
    lines = await Session(serve).run()
    assert lines[-1].startswith("close connection_lost 0 peer"), lines


async def case_silence():
    async def serve(connection):
        connection.transport.pause_reading()  # so it answers no ping
        await asyncio.sleep(1.5)
        connection.transport.abort()
    lines = await Session(serve).run()
    assert lines[0] == "open" and lines[1].startswith("close timed_out 1001 "), lines


async def case_pinged_peer_stays():
    async def serve(connection):
        await asyncio.sleep(1.0)  # longer than the client's idle deadline
        assert connection.open
        await connection.close()
    lines = await Session(serve).run()
    assert lines == ["open", "close finished 1000 peer "], lines


async def case_refused():
    async def answer(path, headers):
        return http.HTTPStatus.FORBIDDEN, [], b"not you\n"

    async def serve(connection):
        raise AssertionError("it was let in")
    lines = await Session(serve, process_request=answer).run()
    assert len(lines) == 1 and lines[0].startswith("close refused 403 "), lines


async def raw_server(talk):
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        return await run_client(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()


async def case_bad_answers():
    for answer, reason in [
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
         b"Connection: Upgrade\r\nSec-WebSocket-Accept: d3Jvbmc=\r\n\r\n", "protocol_error 0"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "refused 200"),
        (b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\nlater", "refused 503"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol_error 0"),
        (b"HTTP/1.1 101 X\r\nA: " + b"a" * 9000, "protocol_error 0"),
    ]:
        async def talk(reader, writer, answer=answer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await reader.read()
            writer.close()
        lines = await raw_server(talk)
        assert len(lines) == 1 and lines[0].startswith(f"close {reason} peer "), (answer, lines)


async def case_no_answer():
    async def talk(reader, writer):
        await reader.read()
        writer.close()
    lines = await raw_server(talk)
    assert len(lines) == 1 and lines[0].startswith("close timed_out 0 "), lines


async def case_cannot_connect():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        lines = await run_client(f"ws://127.0.0.1:{closed.getsockname()[1]}/")
    assert len(lines) == 1 and lines[0].startswith("close connect_failed 0 "), lines
    for url in "ftp://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/", "":
        lines = await run_client(url)
        assert len(lines) == 1 and lines[0].startswith("close connect_failed 0 "), (url, lines)


async def main():
    failed = []
    for name, case in list(globals().items()):
        if not name.startswith("case_"):
            continue
        try:
            await asyncio.wait_for(case(), 30)
            print("ok  ", name[5:], flush=True)
        except Exception:
            failed.append(name)
            print("FAIL", name[5:], flush=True)
            traceback.print_exc(file=sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    PROGRAM, BACKEND = sys.argv[1:3]
    raise SystemExit(asyncio.run(main()))
