# SPDX-License-Identifier: MIT
"""The soak's WebSocket connection: enough of a client to behave, and to break every rule."""

import asyncio
import os
import socket
import struct

HEAD = (b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
SERVER_ERROR, HAND_SHAKE_RESPONSE = 5, 6
PATIENCE = 60  # seconds until what must happen is taken for not happening


class Lost(Exception):
    """The connection is gone before what was waited for came."""


async def until(condition, what, seconds=PATIENCE):
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def join_request(room, create=False, token=None, game="demo"):
    def text(value):
        return varint(len(value.encode())) + value.encode()
    last = b"\0" if token is None else b"\1" + varint(token)
    return text(game) + text(room) + varint(0) + bytes([create]) + last


def frame(payload, opcode=BINARY):
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
    key = os.urandom(4)
    pad = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(payload, "big") ^ pad).to_bytes(size, "big")


class Wire(asyncio.Protocol):
    """One connection. The first message, or None if the end comes instead, is in `first`; later ones go to
    `on_message`.

    `text`, `code` and `status` say how the relay ended it: the last SERVER_ERROR, the code of its Close, and the status
    of an HTTP answer other than 101.
    """

    def __init__(self, name, life, on_end, head=HEAD):
        self.name = name
        self.life = life  # of the relay process
        self.on_end = on_end
        self.on_message = None
        self.early = []  # what came while nobody was there for it
        self.first = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.upgraded = asyncio.get_running_loop().create_future()
        # Texts with which the relay may end it, among them None for no text. None: any that the document names.
        self.allowed = None
        self.is_mine = False  # ended by ourselves, so however it ends is right
        self.is_mute = False  # answers no Ping, also when it reads again
        self.text = self.code = self.status = None
        self.error = None
        self.transport = None
        self._head = head
        self._kept = b""

    @classmethod
    async def open(cls, port, *arguments, **options):
        wire = cls(*arguments, **options)
        try:
            await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", port)
        except OSError as error:
            raise Lost(str(error)) from None
        return wire

    @property
    def is_open(self):
        return self.transport is not None and not self.is_mine and self.code is None and not self.ended.done()

    def state(self):
        """For a message about a connection that should not be there."""
        return f"upgraded: {self.upgraded.done()}, text: {self.text}, code: {self.code}, status: {self.status}, " \
               f"ours: {self.is_mine}, reading: {self.transport.is_reading()}"

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(self._head)

    def data_received(self, data):
        if self._kept:
            data = self._kept + data
            self._kept = b""
        if not self.upgraded.done():
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._kept = data
                return
            self.status = int(data.split(b" ", 2)[1])
            if self.status != 101:
                return  # the end follows
            self.upgraded.set_result(True)
            data = data[end + 4:]
        at, size = 0, len(data)
        while size - at >= 2:
            length = data[at + 1]
            header = 2
            if length == 126:
                if size - at < 4:
                    break
                length = int.from_bytes(data[at + 2:at + 4], "big")
                header = 4
            elif length == 127:
                if size - at < 10:
                    break
                length = int.from_bytes(data[at + 2:at + 10], "big")
                header = 10
            if size - at < header + length:
                break
            payload = data[at + header:at + header + length]
            self._on_frame(data[at], payload)
            at += header + length
        self._kept = data[at:]

    def _on_frame(self, first, payload):
        if self.is_mine or self.code is not None:
            return
        if first == 0x80 | BINARY:
            if payload[:1] == bytes([SERVER_ERROR]):
                self.text = payload[1:].decode()
            elif not self.first.done():
                self.first.set_result(payload)
            elif self.on_message is not None:
                self.on_message(payload)
            else:
                self.early.append(payload)
        elif first == 0x80 | PING:
            if not self.is_mute:
                self.transport.write(frame(payload, PONG))
        elif first == 0x80 | CLOSE:
            self.code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self.transport.write(frame(payload[:2], CLOSE))
        elif first != 0x80 | PONG:
            self.error = f"a frame that begins with {first:#x}"

    def connection_lost(self, error):
        if not self.first.done():
            self.first.set_result(None)
        if not self.upgraded.done():
            self.upgraded.set_result(False)
        self.ended.set_result(None)
        self.on_end(self)

    def send(self, payload):
        if self.is_open:
            self.transport.write(frame(payload))

    def write(self, raw):
        """Bytes that need not be a frame."""
        if self.is_open:
            self.transport.write(raw)

    def stall(self):
        self.transport.pause_reading()

    def resume(self):
        if not self.ended.done():
            self.transport.resume_reading()

    def reset(self):
        """Ends it with a TCP reset."""
        self.is_mine = True
        if not self.ended.done():
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def finish(self):
        """Ends it with a FIN and no Close."""
        self.is_mine = True
        if not self.ended.done():
            self.transport.close()

    def close(self, code=1000):
        """A Close, as a browser sends it; the relay answers it and ends the connection."""
        self.write(frame(struct.pack(">H", code), CLOSE))
        self.is_mine = True

    async def until_ended(self, seconds):
        await asyncio.wait_for(asyncio.shield(self.ended), seconds)
