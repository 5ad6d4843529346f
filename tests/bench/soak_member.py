# SPDX-License-Identifier: MIT
"""The members of the soak's rooms, who check every message that they get.

The host's updates carry the room's number and life, the number of the host's connection, and a sequence number; a
player's messages carry its own number, that of its connection, and a sequence number. Whatever happens, nobody may see
a gap, a repetition or another room's message:

- A player's updates follow each other without a gap from the last FULL_UPDATE on, and come from the connection of the
  host that this state came from: a host that comes back may have another state.
- The host's messages from one connection of a player follow each other without a gap, while the host's own connection
  is the same, and come only from players that it was told of.
"""

import asyncio
import struct

from soak_wire import HAND_SHAKE_RESPONSE, PATIENCE, Lost, frame, join_request

NEW_CLIENT, CLIENT_DISCONNECTS, SERVER_RPC = 0, 1, 2
DELTA, FULL = 2, 3

SUPERSEDED = "Superseded by a newer connection."
HOST_LEFT = "Server has left the game."
LOST = "Connection lost."

UPDATE = struct.Struct(">BIIII")  # id, room, its life, the host's connection, sequence
RPC = struct.Struct(">BIII")  # id, player's number, its connection, sequence


class Member:
    """A host or a player, over all its connections."""

    def __init__(self, soak, room, name):
        self.soak = soak
        self.room = room
        self.name = f"{room.name} {name}"
        self.wire = None
        self.id = self.token = None
        self.token_life = None  # of the relay process that gave the token; None: it is revoked
        self.is_token_doubtful = False  # the relay may take it or not
        self.connections = 0

    @property
    def is_live(self):
        return self.wire is not None and self.wire.is_open

    def has_good_token(self):
        """Whether the relay must take the token."""
        return (self.soak.reconnects and self.token is not None and self.token_life == self.soak.life
                and not self.is_token_doubtful)

    async def ask(self, token=None, create=False):
        """A new connection with its JoinRequest: None when it is in, or the text of the refusal."""
        soak = self.soak
        wire = await soak.open(self.name)
        await wire.upgraded
        wire.write(frame(join_request(self.room.name, create, token)))
        answer = await asyncio.wait_for(asyncio.shield(wire.first), PATIENCE)
        if answer is None:
            if wire.text is None or soak.life != wire.life:
                raise Lost(self.name)
            return wire.text
        if len(answer) != 13 or answer[0] != HAND_SHAKE_RESPONSE:
            raise AssertionError(f"{self.name}: not a handshake response: {answer[:40]!r}")
        member = int.from_bytes(answer[1:3], "big")
        if token is not None and member != self.id:
            raise AssertionError(f"{self.name}: came back as {member}, was {self.id}")
        self.id = member
        self.token = int.from_bytes(answer[5:13], "big")
        self.token_life = wire.life
        self.is_token_doubtful = False
        if (self.id == 0) != (self is self.room.host):
            raise AssertionError(f"{self.name}: has the id {self.id}")
        self.begin(wire)
        return None

    def begin(self, wire):
        """The new connection is the member from now on."""
        wire.allowed = set()
        self.wire = wire
        self.connections += 1
        self.on_begin()
        wire.on_message = self.on_message
        early, wire.early = wire.early, []
        for message in early:
            self.on_message(message)

    def drop(self, how):
        """The connection goes, without a word to the relay. Returns it if it is half-open."""
        wire, self.wire = self.wire, None
        if wire is None:
            return None
        if how == "reset":
            wire.reset()
        elif how == "finish":
            wire.finish()
        elif how == "close":
            wire.close(1001)
        else:
            wire.allowed = {SUPERSEDED, LOST, HOST_LEFT, None}
            wire.on_message = lambda message: None
            wire.is_mute = True
            wire.stall()
            return wire
        return None


class Host(Member):
    def __init__(self, soak, room):
        super().__init__(soak, room, "host")
        self.sequence = 0
        self.present = set()  # ids that the relay told of
        self.heard = {}  # by player's number: connection and sequence of its last message
        self.is_first_connection = True

    def on_begin(self):
        self.present = set()
        self.heard = {}

    def update(self, kind=DELTA, padding=0):
        if kind == DELTA:
            self.sequence += 1
        self.wire.send(UPDATE.pack(kind, self.room.number, self.room.life, self.connections, self.sequence)
                       + bytes(padding))

    def on_message(self, message):
        kind, player = message[0], int.from_bytes(message[1:3], "big")
        if kind == NEW_CLIENT:
            self.present.add(player)
            if self.is_live:
                self.update(FULL)
        elif kind == CLIENT_DISCONNECTS:
            self.present.discard(player)
        elif kind == SERVER_RPC:
            if player not in self.present:
                self.soak.fail(f"{self.name}: a message of {player}, who is not there")
            if len(message) == RPC.size + 2:
                self.hear(player, *RPC.unpack(message[:1] + message[3:])[1:])
        else:
            self.soak.fail(f"{self.name}: a message with id {kind}")

    def hear(self, player, number, connection, sequence):
        self.soak.rpcs += 1
        if self.room.players[number].id != player:
            return  # of a connection that has ended since
        last = self.heard.get(number)
        self.heard[number] = (connection, sequence)
        if last is None:
            is_right = sequence == 0 or not self.is_first_connection
        elif connection == last[0]:
            is_right = sequence == last[1] + 1
        else:
            is_right = connection > last[0] and sequence == 0
        if not is_right:
            self.soak.fail(f"{self.name}: message {connection}.{sequence} of player {number} after {last}")


class Player(Member):
    def __init__(self, soak, room, number):
        super().__init__(soak, room, f"player {number}")
        self.number = number
        self.sequence = 0  # of the next message to the host
        self.seen = None  # sequence of the last update; None: not yet synced
        self.source = None  # the host's connection that the last full state came from

    def on_begin(self):
        self.sequence = 0
        self.seen = self.source = None

    def call(self):
        self.wire.send(RPC.pack(SERVER_RPC, self.number, self.connections, self.sequence))
        self.sequence += 1

    def on_message(self, message):
        kind, room, life, source, sequence = UPDATE.unpack_from(message)
        self.soak.updates += 1
        if (room, life) != (self.room.number, self.room.life):
            self.soak.fail(f"{self.name}: an update of room {room}, life {life}, in life {self.room.life}")
        elif kind == FULL:
            # A full state may repeat what is known, but not go back.
            if self.seen is not None and (source, sequence) < (self.source, self.seen):
                self.soak.fail(f"{self.name}: full state {source}.{sequence} after {self.source}.{self.seen}")
            self.source, self.seen = source, sequence
        elif kind != DELTA or self.seen is None or (source, sequence) != (self.source, self.seen + 1):
            self.soak.fail(f"{self.name}: update {source}.{sequence} with id {kind} after {self.source}.{self.seen}")
        else:
            self.seen = sequence
