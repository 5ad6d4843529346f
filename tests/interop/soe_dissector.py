#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Wireshark dissector, by tshark: of packets made here byte by byte, and of what muster sends."""
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

SKIPPED = 77
SEED = 0xDEADBEEF
SESSION = 0x01020304
CLIENT, SERVER = 47001, 20260

FIELDS = (
    "op", "channel", "sequence", "acknowledged", "data", "message_length", "completes",
    "bundle.item", "bundle.length", "multi.length", "crc", "crc.status", "compressed", "reason",
    "stamp", "session_id", "version", "udp_length", "application_protocol", "crc_seed",
    "crc_length", "compression", "unknown", "net_status.client_tick", "net_status.server_tick",
    "net_status.master_ping", "net_status.average_ping", "net_status.low_ping",
    "net_status.high_ping", "net_status.last_ping", "net_status.client_sent",
    "net_status.client_received", "net_status.server_sent", "net_status.server_received")
EXPERT = "_ws.expert.message"


def skip(why):
    print("skipped:", why)
    raise SystemExit(SKIPPED)


def dissect(script, path, options=()):
    """A dictionary for each packet of a capture: what is seen of it, with commas between several."""
    fields = [*(f"soe.{name}" for name in FIELDS), EXPERT]
    run = subprocess.run(
        ["tshark", "-n", "-X", f"lua_script:{script}", *options, "-r", path, "-T", "fields",
         "-E", "separator=|", "-E", "aggregator=,", *(word for name in fields for word in ("-e", name))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert run.returncode == 0 and "Lua" not in run.stderr, run.stderr
    assert "Lua Error" not in run.stdout, run.stdout
    return [{name: cell for name, cell in zip((*FIELDS, "expert"), line.split("|")) if cell}
            for line in run.stdout.splitlines()]


def op(*numbers):
    return ",".join(f"0x{number:04x}" for number in numbers)


def hexadecimal(*parts):
    return ",".join(part.hex() for part in parts)


def checksum(data, length):
    """The last bytes of the CRC-32 of the seed, least significant byte first, and the data."""
    return struct.pack(">I", zlib.crc32(struct.pack("<I", SEED) + data))[4 - length:]


class Capture:
    """A pcap file of IPv4 packets with a UDP datagram each, and what has to be seen of them."""

    def __init__(self, crc_length=2, compression=False):
        self.crc_length = crc_length
        self.compression = compression
        self.bytes = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 228))
        self.wanted = []

    def datagram(self, bytes_, *, from_server=False, **wanted):
        ports = (SERVER, CLIENT) if from_server else (CLIENT, SERVER)
        udp = struct.pack(">HHHH", *ports, 8 + len(bytes_), 0) + bytes_
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                         b"\x0a\0\0\1", b"\x0a\0\0\1")
        size = len(ip + udp)
        self.bytes += struct.pack("<IIII", 0, len(self.wanted), size, size) + ip + udp
        self.wanted.append({name.replace("__", "."): value for name, value in wanted.items()})

    def framed(self, bytes_, *, damage=0, **wanted):
        crc = bytes(byte ^ damage for byte in checksum(bytes_, self.crc_length))
        if self.crc_length:
            wanted["crc"] = f"0x{crc.hex():0>8}"
            wanted["crc__status"] = "0" if damage else "1"
        self.datagram(bytes_ + crc, **wanted)

    def packet(self, number, body, *, packed=False, **wanted):
        front = struct.pack(">H", number)
        if self.compression:
            front += b"\1" if packed else b"\0"
            wanted.setdefault("compressed", str(int(packed)))
            if packed:
                body = zlib.compress(body)
        wanted.setdefault("op", op(number))
        self.framed(front + body, **wanted)

    def handshake(self):
        self.datagram(struct.pack(">HIII", 1, 3, SESSION, 512) + b"Game_1\0", op=op(1), version="3",
                      session_id="0x01020304", udp_length="512", application_protocol="Game_1")
        self.response()

    def response(self):
        self.datagram(
            struct.pack(">HIIBBBII", 2, SESSION, SEED, self.crc_length, self.compression, 0, 512, 3),
            from_server=True, op=op(2), session_id="0x01020304", crc_seed="0xdeadbeef",
            crc_length=str(self.crc_length), compression=str(int(self.compression)), unknown="0x00",
            udp_length="512", version="3")

    def check(self, script, options=()):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            file.write(self.bytes)
            file.flush()
            rows = dissect(script, file.name, options)
        assert len(rows) == len(self.wanted), f"{len(rows)} packets, not {len(self.wanted)}"
        for number, (row, want) in enumerate(zip(rows, self.wanted), 1):
            assert row == want, f"packet {number}:\n{row}\nis not\n{want}"


def check_packets(script, crc_length, compression):
    """Every kind of packet, in every frame."""
    capture = Capture(crc_length, compression)
    packet = capture.packet
    capture.handshake()
    packet(0x09, b"\0\0hello", channel="0", sequence="0", data=hexadecimal(b"hello"))
    packet(0x0C, b"\xff\xfehello", channel="3", sequence="65534", data=hexadecimal(b"hello"))
    many = bytes(range(1, 255))
    packet(0x09, b"\0\1\0\x19\5hello\0\3two\xff\0\xfe" + many, packed=True, channel="0", sequence="1",
           bundle__item=hexadecimal(b"hello", b"two", many), bundle__length="5,3,254")
    packet(0x15, b"\0\1", from_server=True, channel="0", acknowledged="1")

    # Fragments on another channel: the second before the first, one twice, a compressed one, and a
    # message of one fragment.
    packet(0x0E, b"\0\1efgh", channel="1", sequence="1", data=hexadecimal(b"efgh"))
    packet(0x0E, b"\0\0\0\0\0\x0aabcd", packed=True, channel="1", sequence="0", message_length="10",
           data=hexadecimal(b"abcd"))
    packet(0x0E, b"\0\1efgh", channel="1", sequence="1", data=hexadecimal(b"efgh"))
    packet(0x0E, b"\0\2ij", channel="1", sequence="2", completes="10", data=hexadecimal(b"ij"))
    packet(0x0E, b"\0\3\0\0\0\2kl", channel="1", sequence="3", message_length="2", completes="2",
           data=hexadecimal(b"kl"))

    # A length of 255 is one byte, and more has three.
    packet(0x03,
           b"\4\0\x15\0\4" + b"\4\0\x11\0\7" + b"\2\0\6" + b"\5xhell" +
           b"\xff\1\0" + b"\0\x09\0\2" + b"z" * 252 + b"\xff" + b"\0\x09\0\3" + b"q" * 251,
           packed=True, op=op(3, 0x15, 0x11, 6, 9, 9), multi__length="4,4,2,5,256,255",
           channel="0,0,0,0", acknowledged="4,7", sequence="2,3",
           data=hexadecimal(b"xhell", b"z" * 252, b"q" * 251))

    capture.framed(b"raw", data=hexadecimal(b"raw"))
    capture.framed(b"\0\0zero", op=op(0), data=hexadecimal(b"\0zero"))
    packet(0x1A, b"\0\7in order", stamp="7", data=hexadecimal(b"in order"))
    packet(0x1B, b"\xff\xffin order", stamp="65535", data=hexadecimal(b"in order"))
    packet(0x07, struct.pack(">HIIIIIQQ", 1, 2, 3, 4, 5, 6, 7, 8), net_status__client_tick="1",
           net_status__master_ping="2", net_status__average_ping="3", net_status__low_ping="4",
           net_status__high_ping="5", net_status__last_ping="6", net_status__client_sent="7",
           net_status__client_received="8")
    packet(0x08, struct.pack(">HIQQQQ", 1, 2, 3, 4, 5, 6), from_server=True,
           net_status__client_tick="1", net_status__server_tick="2", net_status__client_sent="3",
           net_status__client_received="4", net_status__server_sent="5",
           net_status__server_received="6")
    packet(0x06, b"")
    packet(0x05, struct.pack(">IH", SESSION, 16), session_id="0x01020304", reason="16")
    capture.datagram(b"\0\x1d", from_server=True, op=op(0x1D))
    capture.datagram(b"\0\x1c", op=op(0x1C))
    capture.datagram(struct.pack(">HII", 0x1E, SESSION, SEED), op=op(0x1E), session_id="0x01020304",
                     crc_seed="0xdeadbeef")
    capture.check(script)


def check_mistakes(script):
    capture = Capture()
    packet = capture.packet
    capture.handshake()
    packet(0x06, b"", damage=1, expert="Wrong checksum")
    packet(0x04, b"", expert="Unknown op code")
    packet(0x03, b"\7\0\6", expert="A length beyond the end, or too small")
    packet(0x03, b"\1\0", expert="A length beyond the end, or too small")
    packet(0x03, b"\xff\2", expert="A length beyond the end, or too small")
    packet(0x09, b"\0\0\0\x19\3ok!\4no", channel="0", sequence="0", bundle__item=hexadecimal(b"ok!"),
           bundle__length="3", expert="A length beyond the end")
    packet(0x09, b"\0", channel="0", expert="Cut off")
    packet(0x05, b"\1\2\3", expert="Cut off")
    # MultiPackets in each other are not followed for ever.
    nested = b"\2\0\6"
    lengths = [2]
    for _ in range(20):
        nested = bytes([len(nested) + 2]) + b"\0\3" + nested
        lengths.insert(0, len(nested) - 1)
    packet(0x03, nested, op=op(*[3] * 9), multi__length=",".join(map(str, lengths[:9])))
    capture.datagram(b"\0\6\0", expert="Too short")
    capture.check(script)


def check_compression_mistakes(script):
    capture = Capture(2, True)
    capture.handshake()
    capture.framed(b"\0\6\1no zlib stream", compressed="1", expert="Not a zlib stream")
    capture.datagram(b"\0\6\1\2", expert="Too short")
    capture.check(script)
    flagged = Capture(2, True)
    flagged.handshake()
    flagged.framed(b"r\0aw", compressed="0", data=hexadecimal(b"raw"))
    flagged.framed(b"\0\0\0zero", op=op(0), compressed="0", data=hexadecimal(b"\0zero"))
    flagged.check(script, ["-o", "soe.unreliable_flag:TRUE"])


def check_sessions(script):
    """A later session of the same ends has its own frame, and its own fragments."""
    capture = Capture(0)
    capture.handshake()
    capture.packet(0x0D, b"\0\0\0\0\0\3a", channel="0", sequence="0", message_length="3",
                   data=hexadecimal(b"a"))
    capture.crc_length = 4
    capture.handshake()
    capture.packet(0x0D, b"\0\0\0\0\0\1b", channel="0", sequence="0", message_length="1",
                   completes="1", data=hexadecimal(b"b"))
    capture.check(script)


def check_without_handshake(script):
    """What can be said of a session whose beginning is not there, and only when told to."""
    unseen = Capture(3, True)
    unseen.packet(0x09, b"\0\0hello")
    unseen.wanted = [{}]
    unseen.check(script)
    told = Capture(3, True)
    told.packet(0x09, b"\0\0hello", channel="0", sequence="0", data=hexadecimal(b"hello"))
    told.packet(0x0D, b"\0\1\0\0\0\3abc", channel="0", sequence="1",
                data=hexadecimal(b"\0\0\0\3abc"))
    for wanted in told.wanted:
        wanted["crc.status"] = "2"
    told.check(script, ["-d", f"udp.port=={SERVER},soe", "-o", "soe.crc_length:3",
                        "-o", "soe.compression:TRUE"])


def check_own_traffic(script, program):
    """What two multiplexers say to each other over a bad network: all of it is understood."""
    for mode in ("plain", "encrypted", "packed"):
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            said = subprocess.run([program, file.name, mode], stdout=subprocess.PIPE, text=True,
                                  timeout=60)
            assert said.returncode == 0, (mode, said.returncode)
            rows = dissect(script, file.name)
        messages = [line.split() for line in said.stdout.splitlines()]
        assert not [row for row in rows if "expert" in row], mode
        framed = [row for row in rows if "crc" in row]
        assert len(framed) >= len(messages) / 2 and len(rows) - len(framed) >= 2, mode
        assert {row["crc.status"] for row in framed} == {"1"}, mode
        assert rows[0]["application_protocol"] == "Game_1"
        assert rows[-1]["op"] == op(5) and rows[-1]["reason"] == "6", rows[-1]
        assert rows[-1]["session_id"] == rows[0]["session_id"]

        # Every message, by its bytes.
        seen = {name: {part for row in rows for part in row.get(name, "").split(",")}
                for name in ("op", "data", "bundle.item", "completes", "compressed")}
        bytes_seen = seen["data"] | seen["bundle.item"]
        for channel, message in messages:
            is_reliable = int(channel) < 4
            if len(message) == 10000:
                assert {"5000"} < seen["completes"] or mode == "packed", seen["completes"]
            elif mode == "encrypted" and is_reliable:
                assert message not in bytes_seen, (mode, channel, message)
            else:
                assert message in bytes_seen, (mode, channel, message)
        wanted = {0, 1, 2, 5, 9, 10, 11, 12, 0x0E, 0x15, 0x16, 0x17, 0x18, 0x1A}
        if mode == "packed":
            # Compressed, the 5000 bytes are one packet each; two of a moment share a datagram.
            wanted = wanted | {3, 7, 8}
            assert seen["compressed"] >= {"0", "1"}
            assert any("bundle.item" in row and "multi.length" in row for row in rows)
        assert {op(number) for number in wanted} <= seen["op"], (mode, seen["op"])


def main():
    script, program = sys.argv[1:]
    if shutil.which("tshark") is None:
        skip("tshark is not installed")
    version = subprocess.run(["tshark", "--version"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, timeout=60).stdout
    if "with Lua" not in " ".join(version.split()):
        skip("this tshark was built without Lua")
    for crc_length in range(5):
        for compression in (False, True):
            check_packets(script, crc_length, compression)
    check_mistakes(script)
    check_compression_mistakes(script)
    check_sessions(script)
    check_without_handshake(script)
    check_own_traffic(script, program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
