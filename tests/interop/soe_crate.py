#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-soe-echo and the published Rust crate soe-protocol, each as the server of the other.

    soe_crate.py VERSION BUILD_DIRECTORY MUSTER_SOE_ECHO

VERSION is a folder beside soe_crate/peer.rs. What cargo builds goes to the build directory.
"""
import pathlib
import random
import select
import socket
import subprocess
import sys
import threading

from cargo import Cargo
from relay_process import Process

KEY = "000102030405060708090a0b0c0d0e0ff0"
LARGE = "1000000"
# Around what fits into one packet, and into one fragment.
SIZES = (1, 2, 3, 64, 502, 505, 506, 507, 508, 1008, 1009, 5000)


def run(*command):
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=90)
    print(" ".join(words[1:]), "->", done.stdout.strip().splitlines()[-1:])
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}"


class LossyPath:
    """A way to a server on which a share of the datagrams gets lost, for one client.

    Not those of the handshake: the crate asks once, and waits for 30 s.
    """

    def __init__(self, server, share, seed):
        host, port = server.split(":")
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.back.connect((host, int(port)))
        for end in (self.front, self.back):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.address = f"127.0.0.1:{self.front.getsockname()[1]}"
        self.share = share
        self.random = random.Random(seed)
        self.lost = 0
        self.ends = False
        self.thread = threading.Thread(target=self._carry)

    def _passes(self, datagram):
        if datagram[:2] in (b"\0\1", b"\0\2") or self.random.random() >= self.share:
            return True
        self.lost += 1
        return False

    def _carry(self):
        client = None
        while not self.ends:
            for end in select.select([self.front, self.back], [], [], 0.1)[0]:
                try:
                    datagram, sender = end.recvfrom(65536)
                    if end is self.front:
                        client = sender
                        if self._passes(datagram):
                            self.back.send(datagram)
                    elif self._passes(datagram):
                        self.front.sendto(datagram, client)
                except ConnectionError:
                    pass  # the server has ended

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends = True
        self.thread.join()
        self.front.close()
        self.back.close()
        assert self.lost > 0


def our_client(echo, server, key, *options):
    run(echo, "--connect", server, "--protocol", "Test", *(["--key", key] if key else []), *options)


def their_client(peer, server, key, *options):
    run(peer, "client", server, "Test", *(["--key", key] if key else []), *options)


def over_a_bad_line(echo, peer):
    """The crate says nothing to what it has, and must not be told what it misunderstands."""
    size = "400000"
    with Process(peer, "server", "Test") as server:
        with LossyPath(server.line().split()[-1], 0.02, 1) as path:
            our_client(echo, path.address, None, "--bulk", "--count", 2, "--size", size)
    with Process(echo, "--listen", "127.0.0.1:0", "--protocol", "Test") as server:
        with LossyPath(server.line().split()[-1], 0.02, 2) as path:
            their_client(peer, path.address, None, "--count", 2, "--sizes", size)


def our_client_their_server(echo, peer, key, has_channels):
    with Process(peer, "server", "Test", *(["--key", key] if key else [])) as server:
        address = server.line().split()[-1]
        for size in SIZES:
            our_client(echo, address, key, "--bulk", "--count", 100, "--size", size)
        our_client(echo, address, key, "--bulk", "--count", 3, "--size", LARGE)
        our_client(echo, address, key, "--sessions", 100, "--count", 20, "--rate", 50)
        if has_channels:
            channels = [word for name in ("reliable0", "reliable1", "reliable2", "reliable3")
                        for word in ("--channel", name)]
            # Not more than fits into its socket's buffer: it says nothing to what is sent again.
            our_client(echo, address, key, "--bulk", "--count", 100, "--size", 700, *channels)
            our_client(echo, address, key, "--count", 100, "--rate", 200, "--size", 64, *channels,
                       "--channel", "unreliable")


def their_client_our_server(echo, peer, key, has_channels):
    with Process(echo, "--listen", "127.0.0.1:0", "--protocol", "Test",
                 *(["--key", key] if key else [])) as server:
        address = server.line().split()[-1]
        sizes = ",".join(map(str, SIZES))
        their_client(peer, address, key, "--count", 600, "--sizes", sizes)
        their_client(peer, address, key, "--count", 3, "--sizes", LARGE)
        their_client(peer, address, key, "--count", 20, "--sizes", sizes, "--sessions", 100)
        if has_channels:
            their_client(peer, address, key, "--count", 400, "--sizes", sizes, "--channels", "0,1,2,3")
            their_client(peer, address, key, "--count", 100, "--sizes", "1,2,64,500",
                         "--channels", "0,1,2,3,unreliable")


def main():
    version, directory, echo = sys.argv[1:]
    folder = pathlib.Path(__file__).parent / "soe_crate" / version
    peer = Cargo(folder, pathlib.Path(directory) / version).build() / "peer"
    for key in (None, KEY):
        our_client_their_server(echo, peer, key, version != "v1")
        their_client_our_server(echo, peer, key, version != "v1")
    over_a_bad_line(echo, peer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
