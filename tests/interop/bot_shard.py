#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-bot in the arena of muster-shard for two seconds: all that comes makes sense, and the
server's counters agree.

usage: bot_shard.py MUSTER_SHARD MUSTER_BOT BACKEND
"""

import json
import subprocess
import sys

from relay_process import wait_until
from shard_process import Shard

RUN_SECONDS = 2
PLAYERS = 30
RATE = 20


def main():
    program, bot, backend = sys.argv[1:]
    with Shard(program, "--backend", backend, "--guests", "--hz", "60") as shard:
        address = f"{shard.ws}?shard=arena"

        def play(*options):
            return subprocess.run([bot, "--shard", *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=40)
        run = play(address, "--players", str(PLAYERS), "--rate", str(RATE),
                   "--duration", str(RUN_SECONDS), "--json")
        print(run.stdout, run.stderr)
        assert run.returncode == 0, run.returncode
        report = json.loads(run.stdout)
        assert report["ok"] is True and report["hz"] == 60
        assert report["connections"] == PLAYERS and report["breaks"] == 0
        for mistake in ("wrong", "refused", "unsent"):
            assert report[mistake] == 0, mistake
        # A slow machine may miss turns and ticks, but something must have been measured.
        assert report["inputs"] >= PLAYERS * RATE * RUN_SECONDS // 2
        assert report["inputs"] - report["applied"] < PLAYERS * 5
        assert report["snapshots"] >= PLAYERS * 60 * RUN_SECONDS // 2
        assert report["snapshots"] + report["skipped"] >= PLAYERS * 60 * (RUN_SECONDS - 1)
        for times in ("age", "reply"):
            assert 0 < report[times]["p50_us"] <= report[times]["p99_us"] <= report[times]["max_us"]

        now = wait_until(lambda: (m := shard.metrics())[
            'muster_shard_subscribers{shard="arena"}'] == 0 and m, "all have left")
        accepted = now['muster_shard_inputs_total{shard="arena",result="accepted"}']
        assert accepted == report["inputs"], (accepted, report["inputs"])
        assert now['muster_shard_joins_total{shard="arena"}'] == PLAYERS
        assert now['muster_shard_frames_refused_total{shard="arena"}'] == 0

        run = play(f"{shard.ws}?shard=nowhere")
        assert run.returncode == 1 and "refused 404" in run.stderr, run.stderr
        for mistake in ("http://127.0.0.1/?shard=x",), ("ws://127.0.0.1/",), (address, "--size", "64"):
            run = play(*mistake)
            assert run.returncode == 2 and run.stderr.startswith("muster-bot: "), run.stderr
        assert shard.stop() == 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
