#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What it costs to play: one muster-bot with eight bots, beside the published Python SDK with a process for each.

    tests/bench/lobby_bench.py BUILD_DIRECTORY MUSTER_LOBBY MUSTER_BOT

Both play the same round-robin of hold'em (same seed, same cards, both always call) on muster-lobby; one more bot, of
ours, starts it when all are online and is not counted. CPU is that of the bots' processes between this start and the end
of the last match, so what it takes to start Python is not part of it. Every run has all contestants in random order, one
of them twice as a control.
"""

import argparse
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

from lobby_sdk import PORT, install, port_is_free  # noqa: E402
from relay_process import Server, wait_until  # noqa: E402

BOTS = 8
TICK = os.sysconf("SC_CLK_TCK")
CALLER = """
from chipzen import Action, Bot

class Caller(Bot):
    def decide(self, state):
        return Action.check() if "check" in state.valid_actions else Action.call()
"""


def identity(i):
    token = "cz_extbot_" + hashlib.sha256(str(i).encode()).hexdigest()[:32]
    return f"8f3a1c2e-0000-4000-8000-{i:012d}", token


def cpu(processes):
    """Seconds, user and system."""
    total = 0
    for process in processes:
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory(processes):
    """KiB that belong to these processes alone, and their part of what they share."""
    total = 0
    for process in processes:
        for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def lower_quartile(runs):
    return statistics.quantiles([run["cpu_ms"] for run in runs], n=4, method="inclusive")[0]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.chipzen = install(pathlib.Path(options.build).resolve() / "chipzen-bot")
        self.caller = self.folder / "caller.py"
        self.caller.write_text(CALLER)
        accounts = []
        for i in range(1001):
            bot, token = identity(i)
            tag = hmac.new(b"muster", token.encode(), hashlib.sha256).hexdigest()
            accounts.append(f"{tag} {bot} bot{i}\n")
        self.accounts = self.private("accounts", accounts)

    def private(self, name, lines):
        path = self.folder / name
        path.write_text("".join(lines))
        path.chmod(0o600)
        return str(path)

    def muster(self, numbers):
        lines = [" ".join(identity(i)) + "\n" for i in numbers]
        tokens = self.private(f"tokens{numbers[0]}", lines)
        return [subprocess.Popen(
            [self.options.bot, "--url", f"ws://localhost:{PORT}/ws/external/bot/", "--bots", tokens, "--strategy",
             "call", "--json-log"], stdout=open(self.folder / f"log{numbers[0]}", "w", encoding="utf-8"))]

    def sdk(self, numbers):
        processes = []
        for i in numbers:
            bot, token = identity(i)
            processes.append(subprocess.Popen(
                [str(self.chipzen), "run-external", str(self.caller), "--env", "local", "--bot-id", bot, "--token", token],
                cwd=self.folder, env=dict(os.environ, HOME=str(self.folder)), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
        return processes

    def lobby(self, *options):
        return Server("muster-lobby", self.options.lobby, "--accounts", self.accounts, "--connects-per-minute", "0",
                      *options, port=PORT)

    def online(self, lobby):
        metrics = lobby.request("GET", "/metrics")[2]
        return int(re.search(r"^muster_lobby_online ([0-9]+)", metrics.decode(), re.MULTILINE)[1])

    def play(self, contestant):
        with self.lobby("--tournament", "round-robin", "--bots", str(BOTS + 1), "--until-over", "--stack", "200",
                        "--hands-per-level", "4", "--result-delay", "0", "--frames-per-second", "0",
                        "--matches-at-once", "4", "--seed", "7") as lobby:
            bots = contestant(range(BOTS))
            wait_until(lambda: self.online(lobby) == BOTS, "all are online")
            held = memory(bots)
            before = cpu(bots)
            starter = self.muster([BOTS])
            started = time.monotonic()
            spent = before
            while lobby.process.poll() is None:
                try:
                    spent = cpu(bots)
                except (FileNotFoundError, ProcessLookupError):
                    pass
                time.sleep(0.02)
            seconds = time.monotonic() - started
            assert lobby.wait() == 0
            for process in bots + starter:
                process.send_signal(signal.SIGTERM)
            for process in bots + starter:
                process.wait(30)
        matches = BOTS * BOTS + BOTS  # seats of the contestant: each meets each other one, and the starter, twice
        return {"cpu_ms": (spent - before) * 1e3 / matches, "seconds": seconds, "kib": held / BOTS}

    def connections(self):
        """Memory of one more lobby connection of muster-bot, from 100 to 1000 of them."""
        held = []
        for count in (100, 1000):
            with self.lobby("--tournament", "round-robin", "--bots", "10") as lobby:
                bots = self.muster(range(1, count + 1))
                wait_until(lambda: self.online(lobby) >= min(count, 10), "they are online", 60)
                time.sleep(3)
                held.append(memory(bots))
                bots[0].terminate()
                bots[0].wait(30)
        return (held[1] - held[0]) / 900

    def run(self):
        contestants = [("muster-bot", self.muster), ("chipzen-bot (Python SDK)", self.sdk), ("muster-bot (again)", self.muster)]
        runs = {name: [] for name, _ in contestants}
        for _ in range(self.options.runs):
            for name, make in random.sample(contestants, len(contestants)):
                runs[name].append(self.play(make))
        base = lower_quartile(runs["muster-bot"])
        print("| contestant | CPU of a seat in a match | seats per CPU second, to the SDK | memory of a bot |")
        print("|---|---|---|---|")
        sdk = lower_quartile(runs["chipzen-bot (Python SDK)"])
        for name, results in runs.items():
            middle = lower_quartile(results)
            print(f"| {name} | {middle / base:.2f} ({min(r['cpu_ms'] for r in results):.2f} to "
                  f"{max(r['cpu_ms'] for r in results):.2f} ms) | {sdk / middle:.0f} | "
                  f"{statistics.median(r['kib'] for r in results):.0f} KiB |")
        summary = [json.loads(line) for line in (self.folder / "log0").read_text().splitlines()][-1]
        print(f"\none more lobby connection of muster-bot: {self.connections():.1f} KiB")
        if "decisions" in summary:
            decisions = summary["decisions"]
            for what, times in (("a message's arrival to the handler's call", summary["to_handler"]),
                                ("the handler's word to the write", summary["from_handler"]),
                                (f"a turn's arrival to its answer ({decisions['count']} turns)", decisions)):
                print(f"from {what}: p50 {times['p50_us']:.0f}, p99 {times['p99_us']:.0f} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="where the SDK is, or is installed")
    parser.add_argument("lobby")
    parser.add_argument("bot")
    parser.add_argument("--runs", type=int, default=8)
    options = parser.parse_args()
    if not port_is_free():
        sys.exit(f"port {PORT} is taken")
    with tempfile.TemporaryDirectory() as folder:
        Bench(options, folder).run()


if __name__ == "__main__":
    main()
