# SPDX-License-Identifier: MIT
"""The relay against the Python package websockets, which plays a host and its clients.

usage: relay_websockets_client.py MUSTER_RELAY BACKEND
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

from relay_process import Relay, skip, wait_until

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

KIB = 1024
MIB = 1024 * 1024
NEW_CLIENT, CLIENT_DISCONNECTS, TO_HOST_RPC, ERROR, RESPONSE = 0, 1, 2, 5, 6
SERVER_DISCONNECTS, KICK, DELTA, FULL, RESET = 0, 1, 2, 3, 4
RPC, LEAVE = 2, 3


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def join_request(room, create=False, game="demo", rule=0, token=None):
    text = lambda s: varint(len(s.encode())) + s.encode()
    last = b"\0" if token is None else b"\1" + varint(token)
    return text(game) + text(room) + varint(rule) + bytes([create]) + last


def u16(value):
    return value.to_bytes(2, "big")


class Peer:
    """One connection, and what its relay messages mean."""

    def __init__(self, socket):
        self.socket = socket
        self.id = self.rule = self.token = None

    async def send(self, *parts):
        await self.socket.send(b"".join(p if isinstance(p, bytes) else bytes([p]) for p in parts))

    async def get(self, seconds=5.0):
        got = await asyncio.wait_for(self.socket.recv(), seconds)
        assert isinstance(got, bytes), got
        return got

    async def expect(self, *parts):
        wanted = b"".join(p if isinstance(p, bytes) else bytes([p]) for p in parts)
        got = await self.get()
        assert got == wanted, f"got {got[:60]!r} ({len(got)} bytes), not {wanted[:60]!r}"

    async def expect_end(self, text, code):
        """A SERVER_ERROR, if there is a text, and then the close with its code."""
        if text is not None:
            got = await self.get()
            assert got == bytes([ERROR]) + text.encode(), f"got {got[:99]!r}, not {text!r}"
        await self.expect_close(code)

    async def expect_close(self, code):
        try:
            got = await self.get()
            raise AssertionError(f"a message, not the end: {got[:60]!r}")
        except websockets.ConnectionClosed as end:
            assert end.rcvd is not None, f"no Close came: {end!r}"
            assert end.rcvd.code == code, f"code {end.rcvd.code} ({end.rcvd.reason}), not {code}"

    async def expect_nothing(self):
        """Nothing is on the way: a ping is answered before anything else comes."""
        pong = await self.socket.ping()
        await asyncio.wait_for(pong, 5)
        assert not self.socket.messages, list(self.socket.messages)

    async def close(self):
        await self.socket.close()


class Play:
    """The peers of one test case; all are closed at its end."""

    def __init__(self, relay):
        self.relay = relay
        self.peers = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*(peer.close() for peer in self.peers), return_exceptions=True)

    async def connect(self, **options):
        options = {"max_size": None, "max_queue": None, "ping_interval": None, "close_timeout": 3,
                   **options}
        peer = Peer(await websockets.connect(self.relay.ws, **options))
        self.peers.append(peer)
        return peer

    async def enter(self, room, **request):
        peer = await self.connect()
        await peer.send(join_request(room, **request))
        answer = await peer.get()
        assert len(answer) == 13 and answer[0] == RESPONSE, answer
        peer.id = int.from_bytes(answer[1:3], "big")
        peer.rule = int.from_bytes(answer[3:5], "big")
        peer.token = int.from_bytes(answer[5:13], "big")
        return peer

    async def host(self, room, **request):
        host = await self.enter(room, create=True, **request)
        assert host.id == 0
        return host

    async def client(self, host, room, **request):
        client = await self.enter(room, **request)
        await host.expect(NEW_CLIENT, u16(client.id))
        return client

    async def refused(self, text, code, message):
        peer = await self.connect()
        await peer.send(message)
        await peer.expect_end(text, code)


# --- the relay protocol --------------------------------------------------------------------------


async def case_handshake(play):
    host = await play.host("hands", rule=300)
    one = await play.client(host, "hands", rule=7)
    two = await play.client(host, "hands")
    assert (one.id, two.id) == (1, 2)
    assert host.rule == one.rule == two.rule == 300, "the rule is the room's"
    assert len({host.token, one.token, two.token, 0}) == 4
    # No extension and no subprotocol is selected, whatever the client offers.
    assert one.socket.extensions == [] and one.socket.subprotocol is None
    # The same room id in another game is another room.
    await play.host("hands", game="cursors")


async def case_routing(play):
    host = await play.host("routes")
    one = await play.client(host, "routes")
    two = await play.client(host, "routes")
    for i in range(200):
        await one.send(RPC, u16(i))
    await two.send(RPC)
    from_one = from_two = 0
    for _ in range(201):
        got = await host.get()
        assert got[0] == TO_HOST_RPC
        if got[1:3] == u16(1):
            assert got[3:] == u16(from_one), "the order of one client is kept"
            from_one += 1
        else:
            assert got == bytes([TO_HOST_RPC]) + u16(2)
            from_two += 1
    assert (from_one, from_two) == (200, 1)
    await one.send(LEAVE)
    await one.expect_end("Client disconnected intentionally", 1000)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await two.close()  # without a word
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    await host.send(SERVER_DISCONNECTS)
    await host.expect_end("Server disconnected intentionally", 1000)


async def case_sync_filter(play):
    host = await play.host("sync")
    one = await play.client(host, "sync")
    await host.send(DELTA, b"lost")
    await host.send(FULL, b"state 1")
    await one.expect(FULL, b"state 1")
    two = await play.client(host, "sync")
    await host.send(DELTA, b"a")
    await host.send(FULL, b"state 2")
    await host.send(DELTA, b"b")
    await host.send(RESET, b"again")
    for part in (DELTA, b"a"), (DELTA, b"b"), (RESET, b"again"):
        await one.expect(*part)
    for part in (FULL, b"state 2"), (DELTA, b"b"), (RESET, b"again"):
        await two.expect(*part)
    await one.expect_nothing()
    await two.expect_nothing()


async def case_kick(play):
    host = await play.host("kick")
    one = await play.client(host, "kick")
    two = await play.client(host, "kick")
    await host.send(KICK, u16(one.id))
    await one.expect_end("We got rejected by server.", 1008)
    await host.expect(CLIENT_DISCONNECTS, u16(one.id))
    await host.send(KICK, u16(0))  # itself: ignored
    await host.send(KICK, u16(99))  # nobody: ignored
    await host.send(KICK, 0)  # too short: concerns nobody
    await host.send(RESET, b"on")
    await two.expect(RESET, b"on")
    three = await play.client(host, "kick")
    assert three.id == 3, "a number is not given out twice"


async def case_host_leaves(play):
    host = await play.host("over")
    one = await play.client(host, "over")
    await host.close()
    await one.expect_end("Server has left the game.", 1000)
    again = await play.host("over")  # the name is free
    assert (await play.client(again, "over")).id == 1, "numbers begin anew"


async def case_refusals(play):
    host = await play.host("full", game="tic-tac-toe")
    await play.client(host, "full", game="tic-tac-toe")
    await play.refused("Room full exceeded max amount of players 2.", 1013,
                       join_request("full", game="tic-tac-toe"))
    await play.refused("Room full already exists for game tic-tac-toe.", 1008,
                       join_request("full", True, game="tic-tac-toe"))
    await play.refused("Room none does not exist for game demo.", 1008, join_request("none"))
    await play.refused("Unknown game chess.", 1008, join_request("a", True, game="chess"))
    await play.refused("Failed to parse join request.", 1002, b"\xff")
    await play.refused("Failed to parse join request.", 1002, b"")
    await play.refused("Failed to parse join request.", 1008, join_request("x" * 200, True))
    await play.refused("Room none no longer exists for game demo.", 1008,
                       join_request("none", token=5))
    await play.refused("Invalid reconnect token.", 1008,
                       join_request("full", game="tic-tac-toe", token=2**64 - 1))


async def case_illegal_messages(play):
    for message, text in (b"\x05", "Illegal Server -> Client command."), \
                         (b"", "Illegal empty message received."):
        host = await play.host("illegal")
        client = await play.client(host, "illegal")
        await host.send(message)
        await host.expect_end(text, 1002)
        await client.expect_end("Server has left the game.", 1000)
    host = await play.host("illegal")
    for message, text in (b"\x00", "Illegal Command from client"), \
                         (b"", "Illegal empty message received."):
        client = await play.client(host, "illegal")
        await client.send(message)
        await client.expect_end(text, 1002)
        await host.expect(CLIENT_DISCONNECTS, u16(client.id))


# --- WebSocket -----------------------------------------------------------------------------------


async def case_large_messages(play):
    host = await play.host("large")
    clients = [await play.client(host, "large") for _ in range(3)]
    state = os.urandom(MIB - 1)
    await host.send(RESET, state)
    for client in clients:
        await client.expect(RESET, state)
    rpc = os.urandom(64 * KIB - 1)
    for _ in range(5):
        await clients[0].send(RPC, rpc)
    for _ in range(5):
        await host.expect(TO_HOST_RPC, u16(1), rpc)
    for size in 1, 124, 125, 126, 65534, 65535, 65536:  # around the lengths of a frame's header
        payload = os.urandom(size)
        await host.send(DELTA, payload)
        for client in clients:
            await client.expect(DELTA, payload)


async def case_fragments(play):
    host = await play.connect()
    request = join_request("fragments", True)
    await host.socket.send([request[i:i + 1] for i in range(len(request))])
    assert (await host.get())[0] == RESPONSE
    client = await play.client(host, "fragments")
    await host.socket.send([bytes([RESET]), b"", b"ab", os.urandom(0), b"c"])
    await client.expect(RESET, b"abc")

    async def slowly():
        yield bytes([RPC])
        for part in b"one", b"two":
            pong = await client.socket.ping(b"in between")
            await asyncio.wait_for(pong, 5)
            yield part
    await client.socket.send(slowly())
    await host.expect(TO_HOST_RPC, u16(1), b"onetwo")


async def case_ping_and_text(play):
    peer = await play.connect()
    await peer.socket.send("before the handshake")
    for data in b"", b"x", os.urandom(125):
        await asyncio.wait_for(await peer.socket.ping(data), 5)
    await peer.send(join_request("text", True))
    assert (await peer.get())[0] == RESPONSE
    client = await play.client(peer, "text")
    await peer.socket.send("ignored")
    await client.socket.send("ignored: \N{SNOWMAN}")
    await client.socket.pong(b"unasked")
    await client.expect_nothing()
    await peer.expect_nothing()
    assert play.relay.metrics()["muster_relay_texts_ignored_total"] >= 3


async def case_oversize(play):
    host = await play.host("oversize")
    client = await play.client(host, "oversize")
    await client.send(RPC, bytes(64 * KIB))  # one byte too many
    await client.expect_end("Connection lost.", 1009)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await host.send(RESET, bytes(MIB))
    await host.expect_end("Connection lost.", 1009)
    peer = await play.connect()
    await peer.socket.send([bytes(4000), bytes(4000)])  # before the handshake less is allowed
    await peer.expect_end("Initial error during handshake.", 1009)


async def case_bad_bytes(play):
    host = await play.host("bytes")
    client = await play.client(host, "bytes")
    other = await play.client(host, "bytes")
    client.socket.transport.write(b"\x82\x01x")  # not masked
    await client.expect_end("Connection lost.", 1002)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    other.socket.transport.write(b"\x81\x81\0\0\0\0\xff")  # text that is not UTF-8
    await other.expect_end("Connection lost.", 1007)
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    lost = await play.client(host, "bytes")
    lost.socket.transport.abort()
    await host.expect(CLIENT_DISCONNECTS, u16(3))


async def case_close_handshake(play):
    peer = await play.connect()
    await peer.socket.close(code=4001, reason="bye")
    assert peer.socket.close_code == 4001, "the code is echoed"


async def case_many_players(play):
    host = await play.host("many")
    clients = [await play.client(host, "many") for _ in range(60)]
    await host.send(FULL, b"0")
    for i in range(50):
        await host.send(DELTA, u16(i))

    async def all_of(client):
        await client.expect(FULL, b"0")
        for i in range(50):
            await client.expect(DELTA, u16(i))
    await asyncio.gather(*(all_of(client) for client in clients))


# --- HTTP ----------------------------------------------------------------------------------------


async def case_http(play):
    relay = play.relay
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for method, path, headers, wanted in [
        ("GET", "/healthz", {}, 200), ("HEAD", "/healthz", {}, 200), ("POST", "/healthz", {}, 405),
        ("GET", "/", {}, 200), ("GET", "/?x=1", {}, 200), ("GET", "/metrics", {}, 200),
        ("GET", "/status.json", {}, 200), ("GET", "/nowhere", {}, 404), ("GET", "/enlist", {}, 404),
        ("GET", "/ws", {}, 426), ("PUT", "/healthz", {}, 405), ("DELETE", "/ws", {}, 405),
        ("GET", "/nowhere", upgrade, 404), ("GET", "/metrics", upgrade, 404),
        ("GET", "/ws", {**upgrade, "Sec-WebSocket-Version": "8"}, 426),
        ("GET", "/ws", {**upgrade, "Sec-WebSocket-Key": "short"}, 400),
    ]:
        status, answer, body = await asyncio.to_thread(relay.request, method, path, None, headers)
        assert status == wanted, f"{method} {path} {headers}: {status}, not {wanted}"
        if method == "HEAD":
            assert body == b"" and int(answer["Content-Length"]) == 3, (body, answer.as_string())
        else:
            assert int(answer["Content-Length"]) == len(body) > 0
    status, answer, body = relay.request("GET", "/healthz")
    assert body == b"ok\n"
    status, answer, body = relay.request("GET", "/")
    assert answer["Content-Type"] == "text/html; charset=utf-8" and body.endswith(b"</html>\n")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert not re.search(rb'(src|href)="?https?://', body), "nothing is fetched from elsewhere"

    before = relay.metrics()
    host = await play.host("counted")
    client = await play.client(host, "counted")
    await client.send(RPC, b"x")
    await host.expect(TO_HOST_RPC, u16(1), b"x")
    await host.send(RESET, b"y")
    await client.expect(RESET, b"y")
    status, answer, body = relay.request("GET", "/status.json")
    assert answer["Content-Type"] == "application/json"
    now = json.loads(body)
    assert re.fullmatch(r"\d+\.\d+\.\d+", now["version"]) and now["backend"] == BACKEND
    assert now["uptime_s"] > 0 and now["draining"] is False
    assert now["rooms"] >= 1 and now["members"] >= 2 and now["connections"] >= 3
    await host.send(KICK, u16(1))
    await client.expect_end("We got rejected by server.", 1008)
    after = relay.metrics()
    for name in ('muster_relay_endings_total{ending="kicked"}', "muster_relay_rooms_created_total",
                 "muster_relay_rpcs_total", "muster_relay_updates_total",
                 "muster_relay_clients_joined_total"):
        assert after[name] == before[name] + 1, (name, before[name], after[name])
    assert after["muster_websocket_upgrades_total"] == before["muster_websocket_upgrades_total"] + 2
    assert after["muster_outbox_sent_bytes_total"] > before["muster_outbox_sent_bytes_total"]
    assert len([name for name in after if name.startswith("muster_relay_endings_total{")]) == 35


def read_all(connection):
    """To the end; in a thread, so that the other peers go on answering pings."""
    answer = b""
    while part := connection.recv(4096):
        answer += part
    return answer


# --- the program ---------------------------------------------------------------------------------


async def drain(program):
    with Relay(program, "--backend", BACKEND) as relay:
        async with Play(relay) as play:
            host = await play.host("drain")
            client = await play.client(host, "drain")
            waiting = await play.connect()
            # One that is connected already can still ask, and learns that it should go elsewhere.
            early = socket.create_connection(("127.0.0.1", relay.port), timeout=5)
            relay.request("GET", "/healthz")  # by now the relay has taken the one before it
            relay.process.send_signal(signal.SIGTERM)
            for peer in host, client, waiting:
                await peer.expect_end("Internal channel closed.", 1001)
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await asyncio.to_thread(read_all, early)
            early.close()
            assert answer.startswith(b"HTTP/1.1 503 "), answer
            assert answer.endswith(b"draining\n"), answer
            assert await asyncio.to_thread(relay.wait, 5) == 0
        try:
            relay.request("GET", "/healthz")
            raise AssertionError("it still listens")
        except ConnectionRefusedError:
            pass


async def second_signal(program):
    with Relay(program, "--backend", BACKEND) as relay:
        # Somebody who sends half a request keeps the drain waiting.
        with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as slow:
            slow.sendall(b"GET /healthz HTT")
            relay.request("GET", "/healthz")
            relay.process.send_signal(signal.SIGINT)

            def refuses():
                try:
                    socket.create_connection(("127.0.0.1", relay.port), timeout=1).close()
                    return False
                except ConnectionRefusedError:
                    return True
            await asyncio.to_thread(wait_until, refuses, "it stops listening")
            assert relay.process.poll() is None, "it waits for those who are left"
            relay.process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(relay.wait, 5) == 1


async def drain_deadline(program):
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "relay.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write('drain_timeout_s = 0.2\nclose_timeout_ms = 100\n')
        with Relay(program, "--backend", BACKEND, "--config", config) as relay:
            with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as silent:
                relay.request("GET", "/healthz")
                relay.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(relay.wait, 5) == 0
                silent.close()


async def deadlines(program):
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "relay.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write('join_timeout_ms = 300\nping_interval_s = 0.1\nidle_timeout_s = 0.4\n'
                       'upgrade_timeout_ms = 300\norigins = ["https://game.example"]\n'
                       'max_host_message = 4096\nwindow = "lead"\nwindow_ms = 5\n')
        with Relay(program, "--backend", BACKEND, "--config", config) as relay:
            async with Play(relay) as play:
                silent = await play.connect()
                await silent.expect_end("Initial error during handshake.", 1008)
                # Whoever answers pings stays.
                host = await play.host("alive")
                await asyncio.sleep(0.7)
                await host.expect_nothing()
                client = await play.client(host, "alive")
                for i in range(20):
                    await host.send(RESET, u16(i))
                for i in range(20):
                    await client.expect(RESET, u16(i))
                # A page from elsewhere stays outside, ours comes in.
                await play.connect(origin="https://game.example")
                try:
                    await play.connect(origin="https://other.example")
                    raise AssertionError("a foreign page was let in")
                except websockets.InvalidStatusCode as refusal:
                    assert refusal.status_code == 403, refusal
                # Half a request does not stay for ever.
                with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as half:
                    half.sendall(b"GET / HTTP/1.1\r\nHost")
                    answer = await asyncio.to_thread(read_all, half)
                    assert answer.startswith(b"HTTP/1.1 408 "), answer
                # Whoever answers nothing is taken for dead.
                dead = socket.create_connection(("127.0.0.1", relay.port), timeout=5)
                dead.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                             b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                request = join_request("dead", True)
                dead.sendall(bytes([0x82, 0x80 | len(request), 0, 0, 0, 0]) + request)
                answer = await asyncio.to_thread(read_all, dead)
                dead.close()
                assert answer.endswith(b"\x05Connection lost." + b"\x88\x11\x03\xe9no sign of life"), \
                    answer
                assert b"\x89\x00" in answer, "it was pinged"
            counted = relay.metrics()
            assert counted['muster_websocket_timeouts_total{stage="idle"}'] == 1
            assert counted['muster_websocket_timeouts_total{stage="upgrade"}'] == 1
            assert counted['muster_websocket_refused_total{reason="origin"}'] == 1
            assert counted['muster_relay_endings_total{ending="handshake_failed"}'] >= 1
            assert relay.stop() == 0


async def mistakes(program):
    def one_sentence(*options):
        done = subprocess.run([program, *options], capture_output=True, text=True, timeout=10)
        assert done.returncode == 2, (options, done)
        assert done.stdout == "", done
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("muster-relay: "), done.stderr
        return lines[0]

    with tempfile.TemporaryDirectory() as folder:
        def file(name, text):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
            return path

        for text, wanted in [
            ("max_room = 5", "line 1: there is no key max_room; allowed are "),
            ("\nmax_rooms = 0", "line 2: max_rooms must be a whole number from 1 to 10000000"),
            ("max_rooms = 'many'", "max_rooms must be a whole number from 1 to"),
            ("join_timeout_ms = 5", "join_timeout_ms must be a number of milliseconds from 100 to"),
            ("window = 'sometimes'", 'window must be "end_of_pass", "lead" or "tick"'),
            ("window = 'lead'", "this window needs window_ms"),
            ("origins = 'x'", "origins must be a list of texts"),
            ("listen = 'localhost:1'", "listen must be an IP address and a port"),
            ("max_rooms = ", "line 1: this is not TOML: "),
            ("ping_interval_s = 60", "ping_interval_s must be less than idle_timeout_s"),
            ("games = 'nowhere.json'", "nowhere.json cannot be read: No such file or directory"),
        ]:
            config = file("relay.toml", text + "\n")
            sentence = one_sentence("--config", config)
            assert wanted in sentence, (wanted, sentence)
            assert "relay.toml" in sentence or "nowhere.json" in sentence, sentence
        missing = os.path.join(folder, "none.toml")
        assert "none.toml cannot be read: No such file" in one_sentence("--config", missing)
        assert "it is a directory" in one_sentence("--config", folder)
        games = file("games.json", '[{"name": "x", "max_players": -1}]')
        sentence = one_sentence("--games", games)
        assert "games.json: " in sentence and "max_players" in sentence, sentence

        assert "--listen must be an IP address" in one_sentence("--listen", "8080")
        assert "--backend must be" in one_sentence("--backend", "kqueue")
        assert "--nonsense" in one_sentence("--nonsense")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            sentence = one_sentence("--listen", where)
            assert f"cannot listen on {where} (Address already in use)" in sentence, sentence
            config = file("relay.toml", f'listen = "{where}"\n')
            assert "relay.toml, line 1: listen: cannot" in one_sentence("--config", config)

        # The command line overrides the file, and --games the built-in games.
        games = file("games.json", '[{"name": "go", "max_players": 2}]')
        file("relay.toml", f'listen = "{where}"\ngames = "games.json"\n')
        with Relay(program, "--config", config) as relay:
            async with Play(relay) as play:
                await play.host("a", game="go")
                await play.refused("Unknown game demo.", 1008, join_request("a", True))
            assert relay.stop() == 0
    for option, wanted in ("--help", "--listen ADDR:PORT"), ("--version", "muster-relay 0."):
        done = subprocess.run([program, option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and wanted in done.stdout and done.stderr == "", done


def nobody_waits(folder):
    """A configuration in which who is lost is gone, the state comes from the host, and one address may do anything."""
    config = os.path.join(folder, "relay.toml")
    with open(config, "w", encoding="utf-8") as file:
        for key in ("host_grace_s", "player_grace_s", "state_cache", "rooms_per_address",
                    "failed_tokens_per_minute", "empty_rooms_per_minute", "connections_per_second",
                    "client_messages_per_second", "client_bytes_per_second"):
            file.write(f"{key} = 0\n")
        file.write("max_connections_per_address = 1000\n")
    return config


async def main(program):
    failed = []

    async def run(name, test):
        try:
            await asyncio.wait_for(test, 30)
            print("ok  ", name, flush=True)
        except Exception:
            failed.append(name)
            print("FAIL", name, flush=True)
            traceback.print_exc(file=sys.stdout)

    with tempfile.TemporaryDirectory() as folder, \
            Relay(program, "--backend", BACKEND, "--config", nobody_waits(folder)) as relay:
        for name, case in list(globals().items()):
            if name.startswith("case_"):
                async with Play(relay) as play:
                    await run(name[5:], case(play))

        async def all_gone():
            def none_left():
                now = json.loads(relay.request("GET", "/status.json")[2])
                return now["rooms"] == 0 and now["members"] == 0 and now["connections"] == 1
            await asyncio.to_thread(wait_until, none_left, "all connections are gone")
            assert await asyncio.to_thread(relay.stop) == 0
            assert relay.errors == [], relay.errors
        await run("all_gone", all_gone())
    for test in drain, second_signal, drain_deadline, deadlines, mistakes:
        await run(test.__name__, test(program))
    return 1 if failed else 0


if __name__ == "__main__":
    BACKEND = sys.argv[2]
    raise SystemExit(asyncio.run(main(sys.argv[1])))
