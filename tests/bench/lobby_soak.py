#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soak of lobbies: one muster-bot with many bots plays tournaments on muster-lobby while things go wrong.

    tests/bench/lobby_soak.py build/release/examples/lobby/muster-lobby build/release/examples/bot/muster-bot

The bots live through all tournaments. In each, connections of some matches are cut or closed, frames are held back,
repeated, broken or swallowed, seats go silent, and lobbies are dropped; and in the middle of some tournaments the
server is killed with SIGKILL and started again. At the end

- every match that the server finished and stored was played by both of its bots, once: each has one result of it,
- no bot has two results of a match, or has begun one twice,
- every match that a bot began has come to an end for it, and
- neither program's memory grows from the earlier tournaments to the later ones.

The seed decides which match meets what; when, depends on the machine as well.
"""

import argparse
import collections
import hashlib
import hmac
import json
import math
import os
import pathlib
import random
import signal
import socket
import sqlite3
import string
import subprocess
import sys
import tempfile
import threading
import time

ALPHABET = string.ascii_letters + string.digits
# What may happen to a match, and how often of a hundred.
FAULTS = [("cut", 5), ("close=1011", 3), ("close=1000", 1), ("delay=400", 4), ("duplicate", 3), ("repeat-seq", 3),
          ("unknown", 3), ("bad-json", 3), ("binary", 2), ("half-open", 1), ("short-end", 2), ("http=503", 2)]
GROWTH_SHARE, GROWTH_BYTES = 0.15, 8 << 20


def rss(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


class Bots:
    """The bot program, and what it says."""

    def __init__(self, program, url, list_file, seed):
        self.process = subprocess.Popen(
            [program, "--url", url, "--bots", list_file, "--strategy", "random", "--seed", str(seed), "--json-log",
             "--concurrency", "8", "--game", "tic_tac_toe"], stdout=subprocess.PIPE, text=True)
        self.begun = collections.Counter()    # (bot, match)
        self.results = collections.defaultdict(list)
        self.events = collections.Counter()
        self.resumed = 0
        self.stopped = []
        self.summary = None
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for text in self.process.stdout:
            line = json.loads(text)
            kind = line["event"]
            self.events[kind] += 1
            key = (line.get("bot"), line.get("match_id"))
            if kind == "match_started":
                self.begun[key] += 1
            elif kind == "match_result":
                self.results[key].append(line)
            elif kind == "stopped":
                self.stopped.append(line)
            elif kind == "summary":
                self.summary = line

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.thread.join()
        return status


class Soak:
    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.random = random.Random(options.seed)
        self.failures = []
        self.memory = []  # (server, bots) near the end of each tournament
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        accounts, tokens = [], []
        for i in range(options.bots):
            token = "cz_extbot_" + "".join(self.random.choices(ALPHABET, k=32))
            bot = f"8f3a1c2e-0000-4000-8000-{i:012d}"
            tag = hmac.new(b"muster", token.encode(), hashlib.sha256).hexdigest()
            accounts.append(f"{tag} {bot} bot{i}\n")
            tokens.append(f"{bot} {token}\n")
        self.accounts = self.write("accounts", accounts)
        self.tokens = self.write("tokens", tokens)
        self.results = self.folder / "results.db"

    def write(self, name, lines):
        path = self.folder / name
        path.write_text("".join(lines))
        path.chmod(0o600)
        return str(path)

    def fail(self, sentence):
        self.failures.append(sentence)
        print("FAILED:", sentence, flush=True)

    def faults(self, matches):
        lines = []
        for match in range(1, matches + 1):
            for kind, share in FAULTS:
                if self.random.random() * 100 < share:
                    frame = "" if kind.startswith(("short", "http")) else f":{self.random.randint(1, 9)}"
                    lines.append(f"{kind}@{match}{frame}\n")
        for kind in ("cut", "close=1011", "duplicate", "bad-json"):  # once a bot has got so many frames in its lobby
            lines.append(f"{kind}@lobby:{self.random.randint(3, 8)}\n")
        return self.write("faults", lines)

    def server(self, faults):
        options = self.options
        return subprocess.Popen(
            [options.lobby, "--listen", f"127.0.0.1:{self.port}", "--accounts", self.accounts, "--results",
             str(self.results), "--game", "tic_tac_toe", "--tournament", "swiss", "--bots", str(options.bots),
             "--matches-at-once", "4", "--turn", "1000", "--presence", "10", "--grace", "10", "--result-delay", "0",
             "--frames-per-second", "0", "--connects-per-minute", "0", "--patience", "20", "--until-over", "--seed",
             str(self.random.randrange(1 << 32)), "--faults", faults], stdout=subprocess.PIPE, text=True)

    def stored(self):
        if not self.results.exists():
            return 0
        with sqlite3.connect(self.results) as database:
            return database.execute("SELECT count(*) FROM matches").fetchone()[0]

    def play(self, bots, is_killed):
        """One tournament; one that is killed is given up in the middle."""
        rounds = math.ceil(math.log2(self.options.bots))
        expected = rounds * (self.options.bots // 2)
        before = self.stored()
        process = self.server(self.faults(expected))
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        deadline = time.monotonic() + self.options.patience
        sample = None
        while process.poll() is None:
            time.sleep(0.2)
            done = self.stored() - before
            if done > 0:
                try:
                    sample = (rss(process.pid), rss(bots.process.pid))
                except (FileNotFoundError, RuntimeError):
                    pass
            if is_killed and done >= expected // 2:
                process.kill()
            if time.monotonic() > deadline:
                self.fail(f"a tournament was not over after {self.options.patience} s: {done} of {expected} matches")
                process.kill()
                break
        process.wait()
        reader.join()
        if not is_killed and sample:
            self.memory.append(sample)
        print(f"{'killed' if is_killed else 'played'}: {self.stored() - before} matches stored, "
              f"{bots.events['match_dropped']} drops and {bots.events['match_resumed']} resumptions so far", flush=True)

    def check(self, bots):
        with sqlite3.connect(self.results) as database:
            rows = database.execute("SELECT id, status, players FROM matches").fetchall()
        stored = {}
        for match, status, players in rows:
            if match in stored:
                self.fail(f"match {match} is stored twice")
            stored[match] = (status, players)
        seats = collections.defaultdict(set)
        for (bot, match), results in bots.results.items():
            seats[match].add(bot)
            if len(results) != 1:
                self.fail(f"{bot} has {len(results)} results of {match}: {[r['outcome'] for r in results]}")
        for (bot, match), times in bots.begun.items():
            if times != 1:
                self.fail(f"{bot} began {match} {times} times")
            if (bot, match) not in bots.results:
                self.fail(f"{bot} began {match}, and it never ended")
        missing = [match for match, (status, _) in stored.items() if status == "completed" and len(seats[match]) != 2]
        for match in missing:
            self.fail(f"match {match} was completed, and {len(seats[match])} of its bots know")
        outcomes = collections.Counter(r["outcome"] for results in bots.results.values() for r in results)
        for outcome, count in sorted(outcomes.items()):
            print(f"  {count:6d} seats {outcome}")
        statuses = collections.Counter(status for status, _ in stored.values())
        print(f"  {len(stored)} matches stored: {dict(statuses)}; {len(seats) - len(set(seats) & set(stored))} lost "
              "with a server that was killed")
        return len(stored)

    def check_memory(self):
        half = len(self.memory) // 2
        for name, which in (("the server", 0), ("the bots", 1)):
            earlier = max(sample[which] for sample in self.memory[:half])
            later = min(sample[which] for sample in self.memory[half:])
            print(f"  memory of {name}: {earlier >> 10} KiB at most before, {later >> 10} KiB at least after")
            if later > earlier * (1 + GROWTH_SHARE) + GROWTH_BYTES:
                self.fail(f"the memory of {name} grows: {self.memory}")

    def run(self):
        bots = Bots(self.options.bot, f"ws://127.0.0.1:{self.port}/ws/external/bot/", self.tokens, self.options.seed)
        started = time.monotonic()
        kills = 0
        while self.stored() < self.options.matches and not self.failures:
            is_killed = len(self.memory) > kills and kills < self.options.kills
            kills += is_killed
            self.play(bots, is_killed)
        if kills < self.options.kills:
            self.fail(f"the server was killed {kills} times, and not {self.options.kills}")
        time.sleep(1)
        status = bots.stop()
        if status != 0:
            self.fail(f"muster-bot ended with status {status}")
        for line in bots.stopped:
            if line["reason"] != "stopped":
                self.fail(f"{line['bot']} had stopped: {line['reason']}")
        count = self.check(bots)
        if len(self.memory) >= 2:
            self.check_memory()
        turns = sum(r["turns"] for results in bots.results.values() for r in results)
        fallbacks = sum(r["fallbacks"] for results in bots.results.values() for r in results)
        print(f"  {turns} turns answered, {fallbacks} by the fallback; {time.monotonic() - started:.0f} s")
        print(f"lobby soak: {self.options.bots} bots, {count} matches, {kills} kills, seed {self.options.seed}: "
              + ("FAILED" if self.failures else "ok"))
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lobby")
    parser.add_argument("bot")
    parser.add_argument("--bots", type=int, default=200)
    parser.add_argument("--matches", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--patience", type=float, default=300, help="for one tournament, in s")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return Soak(options, folder).run()


if __name__ == "__main__":
    sys.exit(main())
