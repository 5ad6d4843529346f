# SPDX-License-Identifier: MIT
"""The relay protocol's extension, written from docs/protocol/relay.md and from nothing else."""

import asyncio
import hashlib
import hmac

from relay_websockets_client import RESPONSE, Peer, join_request, u16

(CAPABILITIES, NAME, SPECTATOR, PROOF, SEAT, SEQUENCE, PASSWORD_KEY, METADATA, LISTED,
 MAX_PLAYERS) = range(1, 11)
SIZES = {CAPABILITIES: [4], NAME: range(1, 65), SPECTATOR: [0], PROOF: [32], SEAT: [2],
         SEQUENCE: [8], PASSWORD_KEY: [32], METADATA: range(1025), LISTED: [0], MAX_PLAYERS: [2]}
IN_RESPONSE = {CAPABILITIES, SPECTATOR, SEAT, SEQUENCE}

CAN_TARGETED, CAN_EVENTS, CAN_HOST_STATE, CAN_ROOM_INFO, CAN_SEQUENCE, CAN_HOST = \
    (1 << bit for bit in range(6))
CAN_ALL = 0x3F

TARGETED, MEMBER_EVENT, HOST_STATE, ROOM_INFO, STATE_SEQUENCE, CHALLENGE, HOST_OFFER, BAN = \
    range(16, 24)
HOST_ACCEPT = 22
JOINED, AWAY, BACK, LEFT, KICKED, EXPIRED = range(6)
HOST_AWAY, HOST_BACK, HOST_CHANGED = range(3)
IS_SPECTATOR, IS_EXTENDED = 1, 2
NO_SEAT = 65535
BAN_ADDRESS = 2


def trailer(items, version=1):
    out = b"RX" + bytes([version])
    for kind, value in items:
        out += bytes([kind]) + u16(len(value)) + value
    return out


def read_trailer(data):
    """The items of a response's trailer, by type; every one is checked."""
    assert data[:3] == b"RX\1", data
    items, at = {}, 3
    while at < len(data):
        assert at + 3 <= len(data), "an item's head is cut off"
        kind, size = data[at], int.from_bytes(data[at + 1:at + 3], "big")
        value = data[at + 3:at + 3 + size]
        assert len(value) == size and kind in IN_RESPONSE and size in SIZES[kind], data
        assert kind not in items, "an item comes twice"
        items[kind] = value
        at += 3 + size
    assert CAPABILITIES in items, "a response says what may be used"
    return items


def password_key(password, game, room):
    about = "\0".join(["muster room password", game, room])
    return hmac.new(password.encode(), about.encode(), hashlib.sha256).digest()


class ExtendedPeer(Peer):
    """A peer that offers the extension, and takes apart what comes of it."""

    def __init__(self, socket):
        super().__init__(socket)
        self.items = {}
        self.events = []

    @property
    def seat(self):
        return int.from_bytes(self.items[SEAT], "big")

    async def request(self, room, can=CAN_ALL, password=None, items=(), **request):
        """Sends a JoinRequest, answers a challenge, and returns the answer."""
        wishes = [(CAPABILITIES, can.to_bytes(4, "big")), *items]
        plain = join_request(room, **request)
        await self.send(plain, trailer(wishes))
        answer = await self.get()
        if password is not None:
            assert answer[0] == CHALLENGE and len(answer) == 17, answer
            key = password_key(password, request.get("game", "demo"), room)
            proof = hmac.new(key, answer[1:], hashlib.sha256).digest()
            await self.send(plain, trailer([*wishes, (PROOF, proof)]))
            answer = await self.get()
        return answer

    async def ask(self, room, can=CAN_ALL, **request):
        self.take_response(await self.request(room, can, **request), can)

    def take_response(self, answer, can=CAN_ALL):
        assert answer[0] == RESPONSE and len(answer) > 13, answer
        self.id = int.from_bytes(answer[1:3], "big")
        self.rule = int.from_bytes(answer[3:5], "big")
        self.token = int.from_bytes(answer[5:13], "big")
        self.items = read_trailer(answer[13:])
        granted = int.from_bytes(self.items[CAPABILITIES], "big")
        assert granted & ~can == 0, f"granted {granted:#x}, asked for {can:#x}"

    async def event(self, event, player, seat=None, flags=None, name=None, after=()):
        """Reads until a member event; only others and kinds of `after` may come first."""
        while True:
            for i, (got, who, *details) in enumerate(self.events):
                if (got, who) != (event, player):
                    continue
                del self.events[:i + 1]
                for wanted, is_so in zip((seat, flags, name), details):
                    assert wanted is None or wanted == is_so, f"{details}, not {wanted!r}"
                return details
            message = await self.get()
            if message[0] in after:
                continue
            assert message[0] == MEMBER_EVENT, f"{message[:40]!r}, not event {event} of {player}"
            self.take_events(message)

    def take_events(self, message):
        at = 1
        assert at < len(message), "no event in it"
        while at < len(message):
            assert at + 7 <= len(message), message
            event, size = message[at], message[at + 6]
            who = int.from_bytes(message[at + 1:at + 3], "big")
            seat = int.from_bytes(message[at + 3:at + 5], "big")
            name = message[at + 7:at + 7 + size]
            assert event <= EXPIRED and message[at + 5] < 4 and len(name) == size, message
            self.events.append((event, who, seat, message[at + 5], name.decode()))
            at += 7 + size

    async def next_but(self, *kinds):
        """The next message that is not of these kinds."""
        while (message := await self.get())[0] in kinds:
            if message[0] == MEMBER_EVENT:
                self.take_events(message)
        return message

    async def quiet(self, *kinds):
        """Nothing but these kinds is on the way."""
        pong = await self.socket.ping()
        await asyncio.wait_for(pong, 5)
        while self.socket.messages:
            message = await self.get()
            assert message[0] in kinds, message
            if message[0] == MEMBER_EVENT:
                self.take_events(message)
