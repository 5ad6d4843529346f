#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-bot against muster-relay for two seconds: nothing lost, and both end with status 0."""
import argparse
import json
import signal
import subprocess
import sys

RUN_SECONDS = 2
PLAYERS = 20
RATE = 20
RPC_RATE = 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", default="auto")
    parser.add_argument("relay")
    parser.add_argument("bot")
    arguments = parser.parse_args()

    relay = subprocess.Popen(
        [arguments.relay, "--listen", "127.0.0.1:0", "--backend", arguments.backend],
        stdout=subprocess.PIPE, text=True)
    try:
        # "... http://127.0.0.1:PORT"
        address = relay.stdout.readline().split()[-1].replace("http://", "ws://") + "/ws"
        bot = subprocess.run(
            [arguments.bot, "--relay", address, "--players", str(PLAYERS), "--rate", str(RATE),
             "--rpc-rate", str(RPC_RATE), "--rooms", "2", "--duration", str(RUN_SECONDS), "--json"],
            stdout=subprocess.PIPE, text=True, timeout=40)
        relay.send_signal(signal.SIGTERM)
        relay_status = relay.wait(timeout=15)
    finally:
        relay.kill()
        relay.wait()

    print(bot.stdout, end="")
    assert bot.returncode == 0, f"the bot ended with status {bot.returncode}"
    assert relay_status == 0, f"the relay ended with status {relay_status}"
    report = json.loads(bot.stdout)
    assert report["ok"] is True
    assert report["lost"] == 0
    assert report["breaks"] == 0
    assert report["connections"] == 2 * (PLAYERS + 1)
    for flow, least in (("to_players", 2 * PLAYERS * RATE), ("to_host", 2 * PLAYERS * RPC_RATE)):
        counts = report[flow]
        assert counts["delivered"] == counts["expected"], flow
        # A slow machine may miss turns, but something must have been measured.
        assert counts["delivered"] >= least // 2, flow
        assert 0 < counts["p50_us"] <= counts["p99_us"] <= counts["max_us"], flow
        for mistake in ("lost", "repeated", "reordered", "wrong", "refused"):
            assert counts[mistake] == 0, (flow, mistake)
    return 0


if __name__ == "__main__":
    sys.exit(main())
