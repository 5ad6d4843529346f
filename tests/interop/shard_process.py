# SPDX-License-Identifier: MIT
"""Starts and stops a muster-shard for a test."""

from relay_process import Server


class Shard(Server):
    def __init__(self, program, *options, port=0):
        # Tests ask as fast as they can.
        super().__init__("muster-shard", program, "--connections-per-second", "0", *options, port=port)
        self.ws = f"ws://127.0.0.1:{self.port}/"
        self.shards = self.line()
        self.rules = self.line()
