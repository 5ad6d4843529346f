# SPDX-License-Identifier: MIT
"""What the scenarios of a room's life share: their table, their peers, and what all expect."""

import asyncio
import contextlib
import json
import time

from relay_extension import CAN_ALL, CAPABILITIES, ExtendedPeer, trailer
from relay_websockets_client import (
    CLIENT_DISCONNECTS, NEW_CLIENT, SERVER_DISCONNECTS, Play, join_request, u16)

SCENARIOS = []
# Everybody here has one address, and a host's state comes from the host.
PLAIN = {"state_cache": 0, "max_connections_per_address": 1000, "connections_per_second": 0, "rooms_per_address": 0,
         "failed_tokens_per_minute": 0, "empty_rooms_per_minute": 0, "client_messages_per_second": 0,
         "client_bytes_per_second": 0, "host_grace_s": 30, "player_grace_s": 300}

SUPERSEDED = "Superseded by a newer connection."
REJECTED = "We got rejected by server."
HOST_LEFT = "Server has left the game."
BAD_TOKEN = "Invalid reconnect token."
TOO_MANY = "Too many attempts. Try again later."


def scenario(*vectors, **config):
    """Registers a scenario; `vectors` are the scenarios of the vector file that it shows."""
    def register(function):
        SCENARIOS.append((function.__name__, {**PLAIN, **config}, vectors, function))
        return function
    return register


class Life(Play):
    """The peers of one scenario. At its end they go, and the relay has forgotten them."""

    async def __aexit__(self, *what):
        for peer in self.peers:
            if peer.id == 0 and peer.socket.open:  # so that no room waits for its host
                await peer.send(SERVER_DISCONNECTS)
        await super().__aexit__(*what)
        with contextlib.suppress(AssertionError):
            await self.connections(lambda count: count == 1)

    async def connections(self, is_so):
        """Waits until the relay has so many connections; the one that asks is among them."""
        deadline = time.monotonic() + 10
        while True:
            answer = await asyncio.to_thread(self.relay.request, "GET", "/status.json")
            count = json.loads(answer[2])["connections"]
            if is_so(count):
                return count
            assert time.monotonic() < deadline, f"the relay still has {count} connections"
            await asyncio.sleep(0.02)

    async def lose(self, *peers, politely=False):
        """Their connections end, without a word or with a Close, and the relay knows."""
        before = await self.connections(lambda count: True)
        for peer in peers:
            if politely:
                await peer.close()
            else:
                peer.socket.transport.abort()
        await self.connections(lambda count: count <= before - len(peers))

    async def back(self, room, peer, **request):
        """Comes back with the token of a peer; it is the same player with the same rule."""
        again = await self.enter(room, token=peer.token, **request)
        assert (again.id, again.rule) == (peer.id, peer.rule)
        return again

    async def extended(self, room, options=None, **request):
        peer = ExtendedPeer((await self.connect(**(options or {}))).socket)
        self.peers[-1] = peer
        await peer.ask(room, **request)
        return peer

    async def extended_host(self, room, **request):
        host = await self.extended(room, create=True, **request)
        assert host.id == 0
        return host

    async def turned_away(self, text, room, items=None, options=None, code=1008, **request):
        peer = await self.connect(**(options or {}))
        all_of_it = (CAPABILITIES, CAN_ALL.to_bytes(4, "big"))
        offer = b"" if items is None else trailer([all_of_it, *items])
        await peer.send(join_request(room, **request), offer)
        await peer.expect_end(text, code)


async def replay(host, present=(), gone=()):
    """What a host that came back hears first: who is there and who went, in any order."""
    wanted = {bytes([NEW_CLIENT]) + u16(i) for i in present}
    wanted |= {bytes([CLIENT_DISCONNECTS]) + u16(i) for i in gone}
    while wanted:
        got = await host.get()
        assert got in wanted, f"{got[:40]!r} is none of {wanted}"
        wanted.remove(got)


async def superseded(peer):
    await peer.expect_end(SUPERSEDED, 1008)
