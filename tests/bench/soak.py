#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soak with faults: rooms of muster-relay in which connections are lost, stall and misbehave, and the relay is killed.

    tests/bench/soak.py build/release/examples/relay/muster-relay --minutes 10

Half of the rooms are left alone; in the others members drop (with a reset, a FIN, a Close, or silently), come back by
token, take over from themselves, leave, are kicked and stall, and visitors send garbage, floods, and a byte at a time.
Strangers do the same before they are members. The run is made of rounds. In the middle of some of them the relay is
killed with SIGKILL and started again. At the end of each round

- every member is in its room and gets what is sent to it, or was ended with a text and a close code that
  docs/protocol/relay.md names,
- each host knows exactly who is there, and /status.json counts the rooms, members and connections that there are,
- no message was lost, repeated or reordered (see soak_member.py), and
- after everybody has left nothing is left, and the relay's memory does not grow.

The seed decides what happens to which room; when, depends on the machine as well.
"""

import argparse
import asyncio
import collections
import json
import random
import re
import resource
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))

from relay_process import Relay  # noqa: E402
from soak_room import Room  # noqa: E402
from soak_wire import HEAD, PATIENCE, Lost, Wire, frame, until  # noqa: E402

DOCUMENT = HERE.parents[1] / "docs" / "protocol" / "relay.md"
# Close codes, as the document names them.
CODES = {1000, 1001, 1002, 1007, 1008, 1009, 1013}
TICKS_PER_SECOND = 10
MAX_FAILURES = 20
# How much more memory a relay may hold after one of its later rounds than after any of its earlier ones. What the C
# library keeps is what the worst moment took, when the most members stalled at once, and rounds differ in that; what is
# lost in every round grows on.
GROWTH_SHARE, GROWTH_BYTES = 0.1, 4 << 20


def named_texts():
    """The error texts of the document, as expressions: R, G and N stand for what varies."""
    section = DOCUMENT.read_text().split("\n## Error texts\n")[1].split("\n## ")[0]
    texts = re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)
    assert len(texts) > 20, f"{DOCUMENT}: {len(texts)} error texts"
    return {text: re.compile(re.sub(r"\b[RGN]\b", ".*", re.escape(text)), re.DOTALL) for text in texts}


class Soak:
    def __init__(self, options):
        self.options = options
        self.reconnects = not options.no_reconnect
        self.grace = options.grace
        self.pause = options.pause
        self.texts = named_texts()
        self.life = 0  # of the relay process
        self.killed_at = -1e9
        self.is_up = None
        self.relay = None
        self.wires = set()
        self.rooms = []
        self.counts = collections.Counter()
        self.updates = self.rpcs = 0
        self.failures = []
        self.is_over = False
        self.memory = []  # (life, bytes) after each round

    # --- what rooms ask for ------------------------------------------------------------------------

    def random_of(self, what):
        return random.Random(f"{self.options.seed}, round {len(self.memory)}, {what}")

    def count(self, what):
        self.counts[what] += 1

    def fail(self, what):
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(what)

    def is_text(self, text, name):
        return self.texts[name].fullmatch(text) is not None

    def check_excuse(self, what):
        """A loss is right only around the moment in which the relay was killed."""
        if time.monotonic() - self.killed_at > PATIENCE:
            raise AssertionError(what)

    async def open(self, name, **options):
        wire = await Wire.open(self.relay.port, name, self.life, self.on_end, **options)
        if not wire.ended.done():
            self.wires.add(wire)
        return wire

    def on_end(self, wire):
        self.wires.discard(wire)
        if wire.error is not None:
            self.fail(f"{wire.name}: {wire.error}")
        if wire.is_mine or wire.life != self.life or self.is_over:
            return
        how = f"{wire.name}: was ended with {wire.text!r} and code {wire.code}"
        if wire.code is not None and wire.code not in CODES:
            self.fail(how + ", which the document does not name")
        elif wire.text is not None and not any(self.is_text(wire.text, name) for name in self.texts):
            self.fail(how + ", which the document does not name")
        elif wire.allowed is not None:
            if wire.text is None and None in wire.allowed:
                return
            is_allowed = wire.text is not None and any(
                self.is_text(wire.text, name) for name in wire.allowed if name is not None)
            if not is_allowed or wire.code is None:
                self.fail(f"{how}, not with {wire.allowed or 'nothing'}")

    # --- the relay ---------------------------------------------------------------------------------

    def start(self, port=0):
        # Another program may have been given the port for a moment.
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.relay = Relay(self.options.relay, "--config", str(self.options.config), port=port)
                return
            except AssertionError:
                if port == 0 or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    async def kill(self):
        """SIGKILL, and the same port again."""
        self.count("relay killed")
        self.is_up.clear()
        self.killed_at = time.monotonic()
        # In one step: what was opened before belongs to the old life, and nothing can be opened after it.
        self.relay.process.kill()
        self.relay.wait()
        self.life += 1
        for wire in list(self.wires):
            # Who reads nothing would not hear of it.
            wire.resume()
        await until(lambda: not self.wires, "all connections end with the relay")
        await asyncio.to_thread(self.start, self.relay.port)
        self.killed_at = time.monotonic()
        self.is_up.set()

    async def status(self):
        code, _, body = await asyncio.to_thread(self.relay.request, "GET", "/status.json")
        assert code == 200, f"/status.json: {code}"
        return json.loads(body)

    async def until_status(self, what, is_right):
        deadline = time.monotonic() + PATIENCE
        while True:
            status = await self.status()
            seen = {name: status[name] for name in ("rooms", "members", "connections")}
            if is_right(**seen):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: /status.json says {seen}")
            await asyncio.sleep(0.2)

    def resident_bytes(self):
        for line in Path(f"/proc/{self.relay.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the relay has no VmRSS")

    # --- a round -----------------------------------------------------------------------------------

    async def tick(self):
        """Every room twice a second, the rooms spread over it."""
        turn = 0
        while True:
            for room in self.rooms[turn::TICKS_PER_SECOND // 2]:
                for player in room.players:
                    if player.is_live:
                        player.call()
                if room.host.is_live:
                    room.host.update()
            turn = (turn + 1) % (TICKS_PER_SECOND // 2)
            await asyncio.sleep(1 / TICKS_PER_SECOND)

    async def send_strangers(self):
        """Connections that never become members; the relay must get rid of them by itself."""
        rng = self.random_of("strangers")
        while True:
            await asyncio.sleep(rng.expovariate(self.options.strangers))
            manner = rng.choice(("silent", "garbage head", "half a head", "garbage", "garbage request", "no request"))
            head = {"silent": b"", "garbage head": rng.randbytes(200), "half a head": HEAD[:rng.randrange(len(HEAD))]}
            try:
                wire = await self.open("stranger", head=head.get(manner, HEAD))
                self.count("stranger: " + manner)
                if manner in ("garbage", "garbage request") and await wire.upgraded:
                    bytes_ = rng.randbytes(300)
                    wire.write(bytes_ if manner == "garbage" else frame(bytes_))
            except Lost:
                self.check_excuse("a stranger could not connect")

    async def round(self, seconds, has_kill):
        options = self.options
        self.rooms = [Room(self, number, options.players, is_quiet=number % 2 == 0)
                      for number in range(options.rooms)]
        end = asyncio.get_running_loop().time() + seconds
        helpers = [asyncio.create_task(self.tick()), asyncio.create_task(self.send_strangers())]
        lives = [asyncio.create_task(room.live(end)) for room in self.rooms]
        killing = asyncio.create_task(self.kill_later(seconds / 2)) if has_kill else None
        try:
            await self.all_of([*lives, *([killing] if killing else [])], helpers)
        finally:
            for task in (*helpers, *lives, *([killing] if killing else [])):
                task.cancel()
        await self.check_round()
        for room in self.rooms:
            await room.end()
        await self.until_status("after everybody left", lambda rooms, members, connections:
                                rooms == 0 and members == 0 and connections <= self.idle_connections)
        self.rooms = []
        self.memory.append((self.life, self.resident_bytes()))

    async def kill_later(self, seconds):
        await asyncio.sleep(seconds)
        await self.kill()

    async def all_of(self, tasks, helpers):
        """Until all tasks are done, or anything has failed."""
        pending = {*tasks, *helpers}
        while pending - {*helpers}:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def check_round(self):
        for room in self.rooms:
            for wire in room.half_open:
                wire.resume()
        # What relies on nothing but deadlines of the relay: half-open members, and strangers.
        members = {member.wire for room in self.rooms for member in room.members}
        try:
            await until(lambda: self.wires <= members, "")
        except AssertionError:
            left = ", ".join(f"{wire.name} ({wire.state()})" for wire in self.wires - members)
            raise AssertionError(f"not ended by the relay within {PATIENCE} s: {left}") from None
        for room in self.rooms:
            if not all(member.is_live for member in room.members):
                raise AssertionError(f"{room.name}: not everybody is there")
            for player in room.players:
                player.call()
            ids = {player.id for player in room.players}
            await until(lambda: room.host.present == ids,
                        f"{room.name}: the host knows of {room.host.present}, there are {ids}")
        for room in self.rooms:
            room.host.update()
        for room in self.rooms:
            for player in room.players:
                await until(lambda: player.seen == room.host.sequence, f"{player.name} has the last update")
                await until(lambda: room.host.heard.get(player.number) == (player.connections, player.sequence - 1),
                            f"{room.host.name} has the last message of player {player.number}")
        count = len(self.rooms)
        present = count * (1 + self.options.players)
        # A visitor that was lost may keep its seat until its room ends.
        most = present + self.counts_of_visitors()
        await self.until_status("with everybody there", lambda rooms, members, connections:
                                rooms == count and present <= members <= most and
                                present <= connections <= present + self.idle_connections)

    def counts_of_visitors(self):
        return sum(number for name, number in self.counts.items() if name.startswith("visitor: "))

    # --- the run -----------------------------------------------------------------------------------

    async def run(self):
        options = self.options
        self.is_up = asyncio.Event()
        self.is_up.set()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.is_over or self.fail(f"{context.get('exception')!r}: {context['message']}"))
        self.start()
        try:
            self.idle_connections = (await self.status())["connections"]
            rounds = options.rounds or max(4, round(options.seconds / 50))
            # Early, so that one process lives through most of the rounds: its memory is compared.
            kills = {rounds // 4, *({rounds - 1} if rounds >= 8 else ())}
            started = time.monotonic()
            for number in range(rounds):
                await self.round(options.seconds / rounds, number in kills)
                print(f"round {number + 1} of {rounds}: {self.memory[-1][1] >> 10} KiB resident, "
                      f"{self.updates} updates and {self.rpcs} messages to hosts so far, "
                      f"{time.monotonic() - started:.0f} s", flush=True)
                if self.failures:
                    return
            assert await asyncio.to_thread(self.relay.stop) == 0, "the relay ended with another status than 0"
        finally:
            self.is_over = True
            if self.relay.process.poll() is None:
                self.relay.process.kill()
                self.relay.wait()
        self.check_memory()

    def check_memory(self):
        for life in {life for life, _ in self.memory}:
            sizes = [size for of, size in self.memory if of == life]
            half = len(sizes) // 2
            if half and max(sizes[half:]) > max(sizes[:half]) * (1 + GROWTH_SHARE) + GROWTH_BYTES:
                self.fail(f"memory grows: {[size >> 10 for size in sizes]} KiB after the rounds")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("relay", help="the program muster-relay")
    parser.add_argument("--minutes", type=float, default=10, help="length of all rounds together (%(default)s)")
    parser.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument("--rooms", type=int, default=500, help="of each round (%(default)s)")
    parser.add_argument("--players", type=int, default=3, help="of each room (%(default)s)")
    parser.add_argument("--rounds", type=int, help="how many (one per 50 s, at least 4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=4, help="mean seconds between two acts of a room (%(default)s)")
    parser.add_argument("--strangers", type=float, default=5, help="per second (%(default)s)")
    parser.add_argument("--config", type=Path, default=HERE / "soak.toml", help="of the relay (%(default)s)")
    parser.add_argument("--grace", type=float, default=30, help="seconds that it waits for a host (%(default)s)")
    parser.add_argument("--no-reconnect", action="store_true", help="the relay refuses every token")
    options = parser.parse_args()
    options.seconds = options.seconds or options.minutes * 60
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    soak = Soak(options)
    try:
        asyncio.run(soak.run())
    except AssertionError as error:
        soak.failures.append(str(error))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(", ".join(f"{name} {count}" for name, count in sorted(soak.counts.items())))
    print(f"seed {options.seed}: {soak.updates} updates and {soak.rpcs} messages to hosts, "
          f"{used.ru_utime + used.ru_stime:.0f} s of CPU time here")
    for failure in soak.failures:
        print("FAILED:", failure)
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
