# SPDX-License-Identifier: MIT
"""A room of the soak: a host and players, and what may befall them."""

import asyncio

from soak_member import HOST_LEFT, SERVER_RPC, SUPERSEDED, Host, Player
from soak_wire import PATIENCE, Lost, frame, join_request, until

SERVER_DISCONNECTS, KICK, LEAVE = 0, 1, 3

KICKED = "We got rejected by server."
LAGGING = "Lagging on internal channel - Computer too slow."
NO_ROOM = "Room R no longer exists for game G."
BAD_TOKEN = "Invalid reconnect token."
EXISTS = "Room R already exists for game G."
HOST_AWAY = "Host is no longer available."


class Room:
    """`is_quiet`: nothing happens in it, and whatever happens elsewhere must not be felt."""

    def __init__(self, soak, number, players, is_quiet):
        self.soak = soak
        self.random = soak.random_of(number)
        self.number = number
        self.name = f"soak-{number}"
        self.is_quiet = is_quiet
        self.life = 0
        self.host = Host(soak, self)
        self.players = [Player(soak, self, i) for i in range(players)]
        self.half_open = []

    @property
    def members(self):
        return [self.host, *self.players]

    # --- coming and leaving ------------------------------------------------------------------------

    async def fill(self):
        """Until everybody is in, by token where there is one; also after the relay was killed."""
        while True:
            await self.soak.is_up.wait()
            try:
                if not self.host.is_live:
                    await self.bring_host()
                for player in self.players:
                    if not player.is_live:
                        await self.bring_player(player)
                if all(member.is_live for member in self.members):
                    return
            except Lost:
                self.soak.check_excuse(f"{self.name}: a connection was lost on its way in")
            await asyncio.sleep(0.05)

    async def bring_host(self):
        host = self.host
        if host.token is not None:
            is_good = host.has_good_token()
            host.is_first_connection = False
            is_doubtful = host.is_token_doubtful
            refusal = await host.ask(host.token)
            self.check_answer(host, refusal, is_good, is_doubtful)
            if refusal is None:
                return
            host.token = None
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            # The number of the life is in the first message that the new host sends.
            self.life += 1
            host.sequence = 0
            host.is_first_connection = True
            refusal = await host.ask(create=True)
            if refusal is None:
                return
            # A half-open or departed host may hold the name for a while.
            if not self.soak.is_text(refusal, EXISTS) or asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{host.name}: could not create its room: {refusal}")
            await asyncio.sleep(0.2)

    async def bring_player(self, player):
        if player.token is not None:
            is_good = player.has_good_token()
            is_doubtful = player.is_token_doubtful
            refusal = await player.ask(player.token)
            self.check_answer(player, refusal, is_good, is_doubtful)
            if refusal is None:
                return
            player.token = None
        refusal = await player.ask()
        if refusal is not None and self.host.is_live:
            raise AssertionError(f"{player.name}: could not join: {refusal}")

    def check_answer(self, member, refusal, is_good, is_doubtful):
        """What a token was answered with, against what it was worth when it was shown."""
        if refusal is None:
            self.soak.count("token taken")
            if not is_good and not is_doubtful:
                raise AssertionError(f"{member.name}: got in with a token that was revoked")
            return
        self.soak.count("token refused")
        if is_good and member.has_good_token():
            raise AssertionError(f"{member.name}: was refused with its token: {refusal}")
        if not any(self.soak.is_text(refusal, text) for text in (NO_ROOM, BAD_TOKEN)):
            raise AssertionError(f"{member.name}: was refused with {refusal!r}")

    def revoke(self):
        """The room ends: nobody's token is worth anything."""
        for member in self.members:
            member.token_life = None

    async def end(self):
        """Everybody leaves, the players first or the host alone."""
        if self.random.random() < 0.5:
            for player in self.players:
                await self.leave(player)
        for player in self.players:
            if player.is_live:
                player.wire.allowed = {HOST_LEFT}
        await self.leave_as_host()

    async def leave(self, player):
        wire = player.wire
        wire.allowed = {"Client disconnected intentionally"}
        wire.send(bytes([LEAVE]))
        await wire.until_ended(PATIENCE)
        player.token_life = None
        player.wire = None

    async def leave_as_host(self):
        wires = [member.wire for member in self.members if member.wire is not None]
        self.host.wire.allowed = {"Server disconnected intentionally"}
        self.revoke()
        self.host.wire.send(bytes([SERVER_DISCONNECTS]))
        for wire in wires:
            await wire.until_ended(PATIENCE)
        for member in self.members:
            member.wire = None

    # --- what befalls it ---------------------------------------------------------------------------

    async def live(self, end):
        """Acts, and the room is whole again after each of them."""
        now = asyncio.get_running_loop().time
        await self.fill()
        while now() < end:
            await asyncio.sleep(min(self.random.expovariate(1 / self.soak.pause), max(0, end - now())))
            if now() >= end:
                break
            # Without an act the room has only to survive a killed relay.
            if not self.is_quiet and all(member.is_live for member in self.members):
                act = self.choose(end - now())
                self.soak.count(act.__name__)
                try:
                    await act()
                except (Lost, asyncio.TimeoutError):
                    self.soak.check_excuse(f"{self.name}: a connection was lost in {act.__name__}")
            await self.fill()
        await self.fill()

    def choose(self, seconds_left):
        acts = [(self.player_drops, 5), (self.player_leaves, 2), (self.player_is_kicked, 1), (self.player_stalls, 1),
                (self.host_drops, 3), (self.host_leaves, 1), (self.visitor_comes, 4)]
        if self.soak.reconnects:
            acts += [(self.player_takes_over, 2), (self.host_takes_over, 1), (self.both_drop, 1)]
            if seconds_left > self.soak.grace:
                acts.append((self.host_stays_away, 1))
        return self.random.choices([act for act, _ in acts], [weight for _, weight in acts])[0]

    def how(self):
        return self.random.choice(("reset", "finish", "close", "half-open"))

    def drop(self, member):
        wire = member.drop(self.how())
        if wire is not None:
            self.half_open.append(wire)

    async def away(self, longest=2.0):
        await asyncio.sleep(self.random.uniform(0, longest))

    async def player_drops(self):
        player = self.random.choice(self.players)
        self.drop(player)
        await self.away()

    async def player_leaves(self):
        await self.leave(self.random.choice(self.players))
        await self.away()

    async def player_is_kicked(self):
        player = self.random.choice(self.players)
        wire = player.wire
        wire.allowed = {KICKED}
        self.host.wire.send(bytes([KICK]) + player.id.to_bytes(2, "big"))
        await wire.until_ended(PATIENCE)
        player.token_life = None
        player.wire = None

    async def player_stalls(self):
        """It reads nothing until the kernel's buffers and its budget are full; then it goes on reading."""
        stalled = self.random.choice(self.players)
        # All of them may be behind such a burst, on a slow machine.
        for player in self.players:
            player.wire.allowed = {LAGGING, None}
        stalled.wire.stall()
        for _ in range(120):
            if self.host.is_live:
                self.host.update(padding=60_000)
            await asyncio.sleep(0.005)
        await self.away()
        if stalled.wire is not None:
            stalled.wire.resume()
        sent = self.host.sequence
        for player in self.players:
            await until(lambda: not player.is_live or not self.host.is_live or
                        (player.seen is not None and player.seen >= sent), f"{player.name} has caught up")
            if player.is_live:
                player.wire.allowed = set()
            else:
                # Whether a player who was closed for its slowness keeps its seat is the relay's policy.
                player.is_token_doubtful = True
                self.soak.count("closed for its slowness")

    async def player_takes_over(self):
        player = self.random.choice(self.players)
        await self.take_over(player)

    async def host_takes_over(self):
        self.host.is_first_connection = False
        await self.take_over(self.host)

    async def take_over(self, member):
        old = member.wire
        old.allowed = {SUPERSEDED}
        # Two sockets have no order among them, so from now on only the new one counts.
        old.on_message = lambda message: None
        await self.come_back(member)
        await old.until_ended(PATIENCE)
        if self.soak.life == old.life and not self.soak.is_text(old.text or "", SUPERSEDED):
            raise AssertionError(f"{member.name}: taken over, but heard {old.text!r}")

    async def come_back(self, member, *excuses):
        refusal = await member.ask(member.token)
        if refusal is None or any(self.soak.is_text(refusal, excuse) for excuse in excuses):
            return
        if member.has_good_token():
            raise AssertionError(f"{member.name}: was refused with its token: {refusal}")
        raise Lost(member.name)  # the relay was killed meanwhile

    async def host_drops(self):
        if not self.soak.reconnects:
            self.revoke()
            for player in self.players:
                player.wire.allowed = {HOST_LEFT}
            wires = [player.wire for player in self.players]
            self.drop(self.host)
            for wire in wires:
                await wire.until_ended(PATIENCE)
            return
        self.drop(self.host)
        await self.away()

    async def both_drop(self):
        """The player comes back before the host does."""
        player = self.random.choice(self.players)
        self.drop(self.host)
        self.drop(player)
        await self.come_back(player, HOST_AWAY)
        await self.away()

    async def host_leaves(self):
        for player in self.players:
            player.wire.allowed = {HOST_LEFT}
        await self.leave_as_host()

    async def host_stays_away(self):
        for player in self.players:
            player.wire.allowed = {HOST_LEFT}
        wires = [player.wire for player in self.players]
        self.drop(self.host)
        for wire in wires:
            await wire.until_ended(self.soak.grace + PATIENCE)
        self.revoke()

    async def visitor_comes(self):
        """One more player, who misbehaves and goes."""
        visitor = await self.soak.open(f"{self.name} visitor")
        await visitor.upgraded
        visitor.write(frame(join_request(self.name)))
        if await asyncio.wait_for(asyncio.shield(visitor.first), PATIENCE) is None:
            raise Lost(visitor.name)
        visitor.on_message = lambda message: None
        visitor.early = []
        manner = self.random.choice(("illegal", "empty", "garbage", "flood", "trickle", "half-open"))
        self.soak.count("visitor: " + manner)
        if manner == "illegal":
            visitor.send(bytes([self.random.randrange(4, 256)]))
        elif manner == "empty":
            visitor.send(b"")
        elif manner == "garbage":
            visitor.write(self.random.randbytes(300))
        elif manner == "flood":
            visitor.write(frame(bytes([SERVER_RPC]) + b"flood" * 12) * 2000)
        elif manner == "trickle":
            for byte in frame(bytes([SERVER_RPC]) + b"trickle")[:self.random.randrange(1, 8)]:
                visitor.write(bytes([byte]))
                await asyncio.sleep(0.2)
        else:
            visitor.is_mute = True
            visitor.stall()
            self.half_open.append(visitor)
            return
        if manner in ("illegal", "empty"):
            await visitor.until_ended(PATIENCE)
        else:
            await self.away(1.0)
        visitor.reset()
