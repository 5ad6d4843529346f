# SPDX-License-Identifier: MIT
"""libmuster-c by ctypes, with Python's own sockets: reliable UDP, and a relay for real clients.

usage: c_binding.py LIBRARY HEADERS C_SOE C_RELAY
"""

import asyncio
import ctypes
import heapq
import os
import pathlib
import random
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
import traceback

from relay_process import Process, skip

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

import muster_c
import relay_websockets_client as relay_client
from muster_c import Relay, Soe, address, check
from relay_websockets_client import DELTA, FULL, RESET, RESPONSE, RPC, Play, join_request

SEED = bytes(range(32))
KIB = 1024


def now_us():
    return time.monotonic_ns() // 1000


# --- the library ---------------------------------------------------------------------------------


def symbols(library, headers):
    """What the headers declare is what is exported, and what the binding knows."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(headers.glob("*.h")))
    declared = set(re.findall(r"^MUSTER_C_API [\w*\s]+?\b(muster_\w+)\(", text, re.M))
    listed = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    assert exported == declared, f"exported or declared alone: {sorted(exported ^ declared)[:20]}"
    assert declared == muster_c.FUNCTIONS.keys(), declared ^ muster_c.FUNCTIONS.keys()
    needed = subprocess.run(["readelf", "-d", library], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", needed)
    assert not [name for name in needed if re.match("lib(ssl|crypto)", name)], needed


# --- reliable UDP --------------------------------------------------------------------------------


def lossy_run(seed):
    """300 messages each way over a link that loses a fifth, in virtual time."""
    dice = random.Random(seed)
    now, order, flying, trace = 1, 0, [], []
    addresses = {"client": address("192.0.2.1", 1), "server": address("192.0.2.2", 2)}
    wanted = [bytes([i % 256]) * dice.choice([1, 20, 480, 3000]) for i in range(300)]
    heard = {"client": [], "server": []}
    with Soe(SEED, now) as client, Soe(SEED[::-1], now, protocol=b"test") as server:
        ends = {"client": client, "server": server}
        sessions = {"client": client.make_id("connect", addresses["server"], b"test", now)}
        closed = set()

        def hear(name):
            for event, data in ends[name].events():
                if event.kind == muster_c.SOE_OPENED:
                    sessions[name] = event.session
                    for message in wanted:
                        ends[name].do("enqueue", event.session, 0, message, len(message))
                elif event.kind == muster_c.SOE_DATA:
                    heard[name].append(data)
                elif event.kind == muster_c.SOE_CLOSED:
                    closed.add(name)

        while len(closed) < 2:
            for name, other in ("client", "server"), ("server", "client"):
                ends[name].do("advance", now)
                hear(name)
                for to, datagram in ends[name].transmits():
                    assert muster_c.text(to) == muster_c.text(addresses[other])
                    order += 1
                    if dice.random() >= 0.2:
                        delay = dice.randrange(10_000, 40_000)
                        heapq.heappush(flying, (now + delay, order, other, name, datagram))
            if all(len(messages) == len(wanted) for messages in heard.values()) and not closed:
                client.do("close", sessions["client"], 6, now)
            deadline = min(end.next_deadline() for end in ends.values())
            arrival = flying[0][0] if flying else muster_c.NO_DEADLINE
            now = max(now + 1, min(deadline, arrival))
            assert now < 120_000_000, "not within two minutes of its own"
            while flying and flying[0][0] <= now:
                _, _, to, name, datagram = heapq.heappop(flying)
                trace.append((now, to, hash(datagram)))
                ends[to].do("receive", addresses[name], datagram, len(datagram), now)
                hear(to)
        totals = muster_c.SoeTotals()
        server.do("total", totals, ctypes.sizeof(totals))
        assert totals.messages_received == 300 and totals.sessions == 0
    assert heard == {"client": wanted, "server": wanted}
    return trace


def lossy_link():
    first, again = lossy_run(7), lossy_run(7)
    assert first == again, "a run in virtual time is the same each time"
    assert first != lossy_run(8)


def real_udp(program):
    """A client of ours against the C program of docs/c.md, over a socket."""
    with Process(program, "0") as server, socket.socket(type=socket.SOCK_DGRAM) as own:
        port = int(server.line().rsplit(":", 1)[1])
        own.bind(("127.0.0.1", 0))
        messages = [os.urandom(size) for size in (1, 100, 511, 512, 10 * KIB, 200 * KIB)]
        heard = []
        with Soe(os.urandom(32), now_us()) as soe:
            session = soe.make_id("connect", address("127.0.0.1", port), b"echo", now_us())
            is_over = False
            until = time.monotonic() + 20
            while not is_over:
                assert time.monotonic() < until, f"{len(heard)} of {len(messages)} messages"
                soe.do("advance", now_us())
                for to, datagram in soe.transmits():
                    host, at = muster_c.text(to).split(":")
                    own.sendto(datagram, (host, int(at)))
                wait = max(0, min(soe.next_deadline() - now_us(), 1_000_000))
                own.settimeout(wait / 1e6 + 0.001)
                try:
                    datagram, (host, at) = own.recvfrom(65536)
                    soe.do("receive", address(host, at), datagram, len(datagram), now_us())
                except TimeoutError:
                    pass
                for event, data in soe.events():
                    assert event.session == session
                    if event.kind == muster_c.SOE_OPENED:
                        for message in messages:
                            soe.do("enqueue", session, 1, message, len(message))
                    elif event.kind == muster_c.SOE_DATA:
                        assert event.channel == 1
                        heard.append(data)
                        if len(heard) == len(messages):
                            stats = muster_c.SoeStats()
                            soe.do("stats", session, stats, ctypes.sizeof(stats))
                            assert stats.smoothed_rtt_us > 0 and stats.bytes_sent > 200 * KIB
                            soe.do("terminate", session, 6, now_us())
                    elif event.kind == muster_c.SOE_CLOSED:
                        assert (event.reason, event.by_peer) == (6, 0)
                        is_over = True
        assert heard == messages


# --- the relay -----------------------------------------------------------------------------------


class Server(threading.Thread):
    """A relay on Python's sockets, in a thread that owns it. It hosts the game "counter" itself: an
    action is added to a sum, which is the state."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.ws = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/ws"
        self.stopping, self.wake = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.sockets = {}
        self.told = []
        self.total = 0
        self.counts = muster_c.RelayCounts()
        self.fault = None

    def run(self):
        try:
            with Relay(os.urandom(32), now_us(), connections_per_second=0, state_cache=0,
                       host_grace_us=0, player_grace_us=300_000_000) as self.relay:
                self.serve()
        except BaseException:
            self.fault = traceback.format_exc()

    def stop(self):
        """Everybody is told, and then it ends."""
        self.wake.send(b"x")
        self.join(20)
        assert not self.is_alive(), "it does not come to an end"
        assert self.fault is None, self.fault
        for end in (self.listener, self.stopping, self.wake, self.selector):
            end.close()

    def serve(self):
        relay = self.relay
        for game, limit in (b"demo", 0), (b"cursors", 0), (b"tic-tac-toe", 2), (b"counter", 0):
            relay.do("add_game", game, limit)
        self.room = relay.make_id("open_room", b"counter", b"lobby", 5, now_us())
        for end in self.listener, self.stopping:
            end.setblocking(False)
            self.selector.register(end, selectors.EVENT_READ)
        is_draining = False
        while not is_draining or self.sockets:
            relay.do("advance", now_us())
            for event, data in relay.events():
                self.handle(event, data)
            wait = max(0, min(relay.next_deadline() - now_us(), 10_000_000)) / 1e6
            for key, ready in self.selector.select(wait):
                if key.fileobj is self.stopping:
                    self.stopping.recv(1)
                    is_draining = True
                    relay.do("count", self.counts, ctypes.sizeof(self.counts))
                    relay.do("drain", now_us())
                elif key.fileobj is self.listener:
                    self.accept()
                else:
                    self.ready(key.data, key.fileobj, ready)
        relay.do("count", self.counts, ctypes.sizeof(self.counts))

    def accept(self):
        peer, (host, port) = self.listener.accept()
        peer.setblocking(False)
        connection = self.relay.make_id("accept", address(host, port), now_us())
        self.sockets[connection] = peer
        self.selector.register(peer, selectors.EVENT_READ, connection)

    def ready(self, connection, peer, ready):
        if ready & selectors.EVENT_WRITE:
            self.flush(connection, peer)
        if ready & selectors.EVENT_READ:
            try:
                data = peer.recv(64 * KIB)
            except BlockingIOError:
                return
            except OSError:
                self.relay.do("lost", connection)
                return
            if data:
                self.relay.do("receive", connection, data, len(data), now_us())
            else:
                self.relay.call("receive_end", self.relay.handle, connection, now_us())
                self.selector.modify(peer, selectors.EVENT_WRITE, connection)

    def flush(self, connection, peer):
        events = selectors.EVENT_READ
        while data := self.relay.output(connection):
            try:
                self.relay.do("sent", connection, peer.send(data))
            except BlockingIOError:
                events |= selectors.EVENT_WRITE
                break
            except OSError:
                self.relay.do("lost", connection)
                break
        self.selector.modify(peer, events, connection)

    def handle(self, event, data):
        peer = self.sockets.get(event.connection)
        if event.kind == muster_c.OUTPUT:
            self.flush(event.connection, peer)
        elif event.kind == muster_c.HALF_CLOSE:
            try:
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is gone already
        elif event.kind == muster_c.CLOSE:
            self.selector.unregister(peer)
            self.sockets.pop(event.connection).close()
        else:
            self.play(event, data)

    def play(self, event, data):
        assert event.room == self.room
        self.told.append((event.kind, event.player, event.detail, data))
        if event.kind == muster_c.STATE_WANTED:
            state = str(self.total).encode()
            self.relay.do("full_update", self.room, state, len(state))
        elif event.kind == muster_c.RPC and data == b"go":
            self.relay.do("kick", self.room, event.player)
        elif event.kind == muster_c.RPC:
            self.total += int(data)
            self.relay.do("delta", self.room, data, len(data))


# Of those that relay_websockets_client.py plays with muster-relay; the others ask it by HTTP.
CASES = ["handshake", "routing", "sync_filter", "kick", "host_leaves", "refusals", "illegal_messages",
         "large_messages", "fragments", "oversize", "bad_bytes", "close_handshake", "many_players"]


async def own_game(play):
    """The game in Python has two players: one comes back, one is removed."""
    one = await play.enter("lobby", game="counter")
    two = await play.enter("lobby", game="counter")
    assert (one.id, two.id, one.rule) == (1, 2, 5)
    for player in one, two:
        await player.expect(FULL, b"0")
    await one.send(RPC, b"40")
    await two.send(RPC, b"2")
    heard = {player: [await player.get() for _ in range(2)] for player in (one, two)}
    assert heard[one] == heard[two] and sorted(heard[one]) == [b"\x022", b"\x0240"]
    one.socket.transport.abort()
    again = await play.enter("lobby", game="counter", token=one.token)
    assert again.id == 1
    await again.expect(FULL, b"42")
    await two.send(RPC, b"go")
    await two.expect_end("We got rejected by server.", 1008)
    await again.expect_nothing()


async def slow_reader(play):
    """A host tells more than a client takes; another one hears it all."""
    host = await play.host("slow")
    slow = await play.connect(max_queue=1, read_limit=1024)
    await slow.send(join_request("slow"))
    assert (await slow.get())[0] == RESPONSE
    await host.get()
    quick = await play.client(host, "slow")
    block = os.urandom(500 * KIB)
    await host.send(FULL, b"state")
    await quick.expect(FULL, b"state")
    for _ in range(20):
        await host.send(DELTA, block)
        await quick.expect(DELTA, block)
    await host.send(RESET, b"end")
    await quick.expect(RESET, b"end")
    slow.socket.transport.abort()


def real_clients():
    server = Server()
    server.start()

    async def play_all():
        cases = [getattr(relay_client, f"case_{name}") for name in CASES] + [own_game, slow_reader]
        for case in cases:
            async with Play(server) as play:
                try:
                    await asyncio.wait_for(case(play), 30)
                except BaseException:
                    print(f"in {case.__name__}; the server says: {server.fault}")
                    raise
        async with Play(server) as play:
            host = await play.host("drain")
            client = await play.client(host, "drain")
            await asyncio.to_thread(server.wake.send, b"x")
            for peer in host, client:
                await peer.expect_end("Internal channel closed.", 1001)

    asyncio.run(play_all())
    server.stop()
    kinds = [told[:3] for told in server.told if told[0] != muster_c.STATE_WANTED]
    assert kinds[:2] == [(muster_c.JOINED, 1, 0), (muster_c.JOINED, 2, 0)], kinds
    assert (muster_c.BACK, 1, 0) in kinds and (muster_c.DEPARTED, 2, 2) in kinds, kinds
    assert kinds[-1][0] == muster_c.ROOM_CLOSED, kinds
    assert server.counts.connections == 0 and server.counts.connections_begun > 100


def c_program(program):
    """The game of docs/c.md."""
    with Process(program, "0") as server:
        server.ws = server.line().removeprefix("listening on ")

        async def play_it():
            async with Play(server) as play:
                one = await play.enter("lobby", game="counter")
                await one.expect(FULL, 0)
                two = await play.enter("lobby", game="counter")
                await two.expect(FULL, 0)
                for i in 1, 2, 3:
                    await one.send(RPC)
                    for peer in one, two:
                        await peer.expect(DELTA, i)
                await one.close()
                again = await play.enter("lobby", game="counter", token=one.token)
                assert again.id == one.id
                await again.expect(FULL, 3)

        asyncio.run(asyncio.wait_for(play_it(), 20))


# --- misuse --------------------------------------------------------------------------------------


def expect_error(code, call, *arguments):
    try:
        call(*arguments)
    except muster_c.Error as error:
        assert error.code == code, f"{error.code} ({error}), not {code}"
        return
    raise AssertionError(f"no error, but {code} was expected")


def misuse():
    lib = muster_c.lib
    here = address("127.0.0.1", 1)
    for verb, arguments in {
        "muster_soe_advance": (1,), "muster_soe_receive": (here, b"", 0, 1),
        "muster_relay_advance": (1,), "muster_relay_receive": (1, b"", 0, 1),
        "muster_relay_delta": (1, b"", 0),
    }.items():
        assert getattr(lib, verb)(None, *arguments) == muster_c.NULL, verb
    lib.muster_soe_destroy(None)
    lib.muster_relay_destroy(None)
    expect_error(muster_c.BAD_VALUE, Soe, bytes(32), 1)
    for make, fields, word in ((Soe, {"udp_length": 5}, "udp_length"),
                               (Soe, {"max_sessions": 0}, "max_sessions"),
                               (Relay, {"max_host_message": 1}, "max_host_message"),
                               (Relay, {"host_grace_us": 2**63}, "host_grace")):
        try:
            make(SEED, 1, **fields)
            raise AssertionError(f"{fields} is accepted")
        except ValueError as problem:
            assert word in str(problem), problem
    with Soe(SEED, 1, own_ends=1200, max_message=1000) as soe:
        expect_error(muster_c.CLOSED, soe.do, "enqueue", 2**63 + 1, 0, b"x", 1)
        expect_error(muster_c.NOT_FOUND, soe.do, "terminate", 1, 6, 1)
        expect_error(muster_c.TOO_LARGE, soe.do, "receive", here, bytes(65536), 65536, 1)
        expect_error(muster_c.BAD_VALUE, soe.do, "advance", 2**64 - 1)
        session = soe.make_id("connect", here, b"x", 1)
        expect_error(muster_c.CLOSED, soe.do, "enqueue", session, 0, b"x", 1)
        soe.do("advance", 60_000_000)
        assert [event.kind for event, _ in soe.events()] == [muster_c.SOE_CLOSED]
        expect_error(muster_c.CLOSED, soe.do, "enqueue", session, 0, b"x", 1)
    with Relay(SEED, 1, max_connections=1) as relay:
        connection = relay.make_id("accept", here, 1)
        expect_error(muster_c.LIMIT_REACHED, relay.make_id, "accept", here, 1)
        expect_error(muster_c.BAD_VALUE, relay.do, "sent", connection, 1)
        relay.do("lost", connection)
        relay.do("advance", 2)
        assert [event.kind for event, _ in relay.events()] == [muster_c.CLOSE]
        expect_error(muster_c.CLOSED, relay.output, connection)
        expect_error(muster_c.CLOSED, relay.do, "kick", 9, 1)
        relay.make_id("accept", here, 3)  # there is room again
    check(muster_c.OK)


def main():
    library, headers, c_soe, c_relay = sys.argv[1:]
    lib = muster_c.load(library)
    header = (pathlib.Path(headers) / "abi.h").read_text(encoding="utf-8")
    assert lib.muster_c_version() == int(re.search(r"MUSTER_C_VERSION (\d+)", header)[1])
    assert re.fullmatch(rb"\d+\.\d+\.\d+", lib.muster_release())
    for name, test in {
        "symbols": lambda: symbols(library, pathlib.Path(headers)), "lossy link": lossy_link,
        "UDP": lambda: real_udp(c_soe), "clients": real_clients,
        "program": lambda: c_program(c_relay), "misuse": misuse,
    }.items():
        test()
        print("ok  ", name, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
