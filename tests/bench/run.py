#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the WebSocket benchmark: several servers, one load generator, ratios of server CPU time per delivered message.

    cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build
    tests/bench/run.py --build build/tests/bench --json bench.json

The figure is the CPU time (user and system) that the server spends per delivered message between two quiet moments;
it survives a busy machine better than throughput or latency do. Each server runs several times in random order on its
own CPU, and one of them is in the list twice: when these two differ by more than 5 %, the cell is repeated, and after
three attempts it is reported as undecided.
"""

import argparse
import datetime
import fnmatch
import json
import os
import platform
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import shard_cells
from bench_server import Failure, Server
from bench_table import AGAIN, control_text, lower_quartile, ratio_text, table

TOLERANCE = 0.05
ATTEMPTS = 3
# Servers looked for in the build folder, in the order of the tables.
KNOWN_SERVERS = {
    "muster": "muster-bench-server",
    "beast": "muster-bench-beast",
    "websocketpp": "muster-bench-websocketpp",
}
# The program, which speaks its own protocol: it is in the cells that have hosts.
RELAY = "muster-relay"
ONE_LOOP = "one loop"
RELAY_PROGRAM = "../../examples/relay/muster-relay"  # seen from the build folder
RELAY_CONFIG = Path(__file__).resolve().parent / "relay.toml"
# The program as a signaling server that limits nobody of this machine.
SIGNAL_ENVIRONMENT = {
    "SECURITY__REQUIRE_WEBSOCKET_AUTH": "false", "SECURITY__REQUIRE_METRICS_AUTH": "false",
    "SECURITY__MAX_CONNECTIONS_PER_IP": "0", "SECURITY__MAX_CONNECTIONS": "100000",
    "RATE_LIMIT__MAX_ROOM_CREATIONS": "0", "RATE_LIMIT__MAX_JOIN_ATTEMPTS": "0",
    "PROTOCOL__MAX_PLAYERS_LIMIT": "255", "SERVER__MAX_ROOMS_PER_GAME": "100000",
}
RELAY_FAN_OUT = "relay protocol"
# Deliveries per CPU second, as a share of what the relay protocol's fan-out reaches.
SIGNAL_DEMANDS = {1: 0.8, 16: 0.5}
# What a flush window may cost, as a share of the same cell at window 0.
WINDOWS = {"window 0": [], "lead 5": ["--lead", "5"], "tick 16": ["--tick", "16"]}
WINDOW_DEMANDS = {"window-50x10hz": {"lead 5": 0.35, "tick 16": 0.25},
                  "window-100x5hz": {"lead 5": 0.45, "tick 16": 0.25}}


class Variant:
    """A row of a table: what is started, and what the load generator is told beside the cell's arguments."""

    def __init__(self, command, load=()):
        self.command = command
        self.load = list(load)


def cells():
    """All cells: name, kind and arguments of the load generator.

    cpu and hosts compare servers, hosts with the program muster-relay among them; windows compares the windows of
    muster, bad the program with and without a member that does not behave, and loops the program with one loop and
    with two; idle is memory, syscalls is strace. Those of shards are in shard_cells.py.
    """
    found = {}

    def add(name, kind, *arguments):
        found[name] = (kind, [str(argument) for argument in arguments])

    for window in (1, 16):
        add(f"echo-w{window}", "cpu", "echo", "--connections", 50, "--window", window)
    for size, suffix in ((64, ""), (1024, "-1k")):
        for members in (10, 100, 1000):
            for window in (1, 16):
                add(f"fan-{members}-w{window}{suffix}", "cpu", "fan", "--connections", max(500, members),
                    "--room", members, "--window", window, "--size", size)
    add("fan-100-w1-16k", "cpu", "fan", "--connections", 500, "--room", 100, "--window", 1, "--size", 16384)
    add("fan-100-w2-16k", "cpu", "fan", "--connections", 500, "--room", 100, "--window", 2, "--size", 16384)
    add("relay-w16", "cpu", "fan", "--connections", 500, "--room", 2, "--window", 16)
    add("all-20-10hz", "cpu", "all", "--connections", 200, "--room", 20, "--rate", 10)
    add("all-50-10hz", "cpu", "all", "--connections", 200, "--room", 50, "--rate", 10)
    add("all-100-5hz", "cpu", "all", "--connections", 200, "--room", 100, "--rate", 5)
    for size, suffix in ((64, ""), (1024, "-1k")):
        for window in (1, 16):
            add(f"down-1000-w{window}{suffix}", "hosts", "down", "--connections", 1001, "--room", 1001,
                "--window", window, "--size", size)
    for window in (1, 16):
        add(f"up-1000-w{window}", "hosts", "up", "--connections", 1001, "--room", 1001, "--window", window)
    for window in (1, 16):
        add(f"rooms-1000x10-w{window}", "hosts", "down", "--connections", 10000, "--room", 10, "--window", window)
    add("join-storm", "hosts", "join", "--connections", 4040, "--room", 101)
    for members, rate in ((50, 10), (100, 5)):
        name = f"window-{members}x{rate}hz"
        arguments = ("all", "--connections", 200, "--room", members, "--rate", rate)
        add(name, "windows", *arguments)
        add(name + "-others", "windows", *arguments, "--except-sender")
        # As members send who answer a tick: within a quarter of the period.
        add(name + "-tick", "windows", *arguments, "--spread", 0.25)
    add("loops-rooms-1000x10-w1", "loops", "down", "--connections", 10000, "--room", 10, "--window", 1)
    add("loops-join-storm", "loops", "join", "--connections", 4040, "--room", 101)
    # It takes some megabytes until the kernel keeps no more for a member that never reads.
    add("bad-never-reads", "bad", "down", "--connections", 105, "--room", 21, "--size", 16384)
    for bad in ("garbage", "floods", "trickles"):
        add("bad-" + bad, "bad", "play", "--connections", 210, "--room", 21, "--rate", 20)
    add("accept-64", "cpu", "accept", "--parallel", 64, "--messages", 4000)
    add("accept-1", "cpu", "accept", "--parallel", 1, "--messages", 600)
    add("idle", "idle", "idle", "--connections", 10000, "--echo-each")
    add("idle-fan", "idle", "fan", "--connections", 10000, "--room", 100, "--window", 16, "--size", 1024, "--memory")
    # One message per room and pass, so a call per delivery is a call per pass and member.
    add("syscalls-echo-w1", "syscalls", "echo", "--connections", 50, "--window", 1)
    add("syscalls-echo-200-w1", "syscalls", "echo", "--connections", 200, "--window", 1)
    add("syscalls-echo-w16", "syscalls", "echo", "--connections", 50, "--window", 16)
    add("syscalls-fan-100-w1", "syscalls", "fan", "--connections", 500, "--room", 100, "--window", 1)
    add("syscalls-fan-100-w16", "syscalls", "fan", "--connections", 500, "--room", 100, "--window", 16)
    for size, suffix in ((64, ""), (1024, "-1k")):
        for members in (8, 64):
            for window in (1, 16):
                add(f"signal-{members}-w{window}{suffix}", "signal", "down", "--connections", 8 * members,
                    "--room", members, "--window", window, "--size", size)
    # 80 players who send 25 messages a second to seven others each: 14,000 deliveries a second.
    add("signal-14000", "signal-latency", "play", "--connections", 80, "--room", 8, "--rate", 25)
    # 10,000 hosts with their rooms, and 9,000 players: what a limit of 20,000 descriptors allows.
    add("signal-join-10000-rooms", "signal-latency", "join", "--connections", 20000, "--room", 2, "--messages", 9000)
    add("signal-bad-never-reads", "bad", "down", "--connections", 105, "--room", 21, "--size", 16384)
    shard_cells.add_cells(add)
    return found


class Bench:
    def __init__(self, options, servers, relay):
        self.options = options
        self.servers = servers
        self.relay = relay  # the program, or None
        self.load = str(Path(options.build) / "muster-bench-load")
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpus = options.server_cpus or {cpus[0]}
        self.load_cpus = options.load_cpus or {cpus[-1]}
        if self.server_cpus & self.load_cpus:
            print("warning: server and load share a CPU", file=sys.stderr)
        self.random = random.Random(options.seed)

    def run_load(self, server, arguments):
        command = [self.load, *arguments, "--port", str(server.port), "--server-pid", str(server.process.pid)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, self.load_cpus))
        if done.returncode != 0:
            raise Failure(f"{server.name}: {' '.join(arguments)}: exit code {done.returncode}\n"
                          f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def run_once(self, name, variant, arguments):
        with Server(name, variant.command, self.server_cpus) as server:
            return self.run_load(server, [*arguments, *variant.load])

    def signaling(self, form):
        """The program, spoken to in the signaling protocol."""
        environment = [f"SIGNAL_FISH__{name}={value}" for name, value in SIGNAL_ENVIRONMENT.items()]
        return Variant(["env", *environment, *self.relay.command], ["--signal", form])

    def variants(self, name, kind):
        """The rows of a cell, and which of them runs twice."""
        if kind == "windows":
            if "muster" not in self.servers:
                return {}, None
            command = self.servers["muster"].command
            return {window: Variant([*command, *more]) for window, more in WINDOWS.items()}, "window 0"
        if kind == "bad":
            if self.relay is None:
                return {}, None
            without = self.relay if name.startswith("bad-") else self.signaling("binary")
            bad = name.removeprefix("signal-").removeprefix("bad-")
            return {"without": without,
                    f"with one that {bad}" if bad != "garbage" else "with one that sends garbage":
                        Variant(without.command, [*without.load, "--bad", bad])}, "without"
        if kind in ("signal", "signal-latency"):
            if self.relay is None:
                return {}, None
            rows = {"signaling, binary": self.signaling("binary"), "signaling, JSON": self.signaling("json")}
            if kind == "signal":
                return {RELAY_FAN_OUT: Variant(self.signaling("json").command, self.relay.load), **rows}, RELAY_FAN_OUT
            return rows, "signaling, binary"
        if kind == "loops":
            if self.relay is None:
                return {}, None
            return {ONE_LOOP: self.relay,
                    "two loops": Variant([*self.relay.command, "--loops", "2"], self.relay.load)}, ONE_LOOP
        rows = dict(self.servers)
        if kind == "hosts" and self.relay is not None:
            rows[RELAY] = self.relay
        return rows, self.options.control

    def cpu_cell(self, name, kind, arguments):
        """The runs of all rows in random order, repeated while the control says that they decide nothing."""
        options = self.options
        variants, control = self.variants(name, kind)
        if not variants:
            return {"skipped": "a program that it needs is not built, or not among --only"}
        arguments = [*arguments, "--warm-up", str(options.warm_up), "--duration", str(options.duration)]
        if arguments[0] == "accept" and options.quick:
            arguments[arguments.index("--messages") + 1] = "500"
        return self.decide(list(variants), control,
                           lambda row: self.run_once(row, variants[row], arguments), summarise)

    def decide(self, rows, control, run, summarise_runs):
        """Runs the rows and the control once more; run gives one result, a summary has cpu_lower_quartile_ns."""
        options = self.options
        names = [*rows, control + AGAIN]
        attempts = []
        for _ in range(1 if options.quick else ATTEMPTS):
            order = [row for row in names for _ in range(options.runs)]
            self.random.shuffle(order)
            runs = {row: [] for row in names}
            for row in order:
                runs[row].append(run(row.removesuffix(AGAIN)))
            summary = {row: summarise_runs(results) for row, results in runs.items()}
            ratio = summary[control + AGAIN]["cpu_lower_quartile_ns"] / summary[control]["cpu_lower_quartile_ns"]
            attempts.append({"runs": runs, "summary": summary, "control_ratio": ratio})
            if abs(ratio - 1) <= TOLERANCE:
                break
        last = attempts[-1]
        if abs(last["control_ratio"] - 1) <= TOLERANCE:
            verdict = "quick" if options.quick else "decided"
        else:
            verdict = "undecided"
        return {"attempts": attempts, "summary": last["summary"], "control": control,
                "control_ratio": last["control_ratio"], "verdict": verdict}

    def idle_cell(self, arguments):
        """Growth of memory per connection in a fresh process."""
        if self.options.quick:
            arguments = [argument if argument != "10000" else "2000" for argument in arguments]
        rows = {}
        for name, variant in self.servers.items():
            results = [self.run_once(name, variant, arguments) for _ in range(1 if self.options.quick else 3)]
            count = results[0]["memory"][-1][0] - results[0]["memory"][0][0]

            def slope(value):
                return statistics.median(value(result) for result in results) / count

            rows[name] = {
                "connections": count,
                "rss": slope(lambda result: result["memory"][-1][1] - result["memory"][0][1]),
                "anonymous": slope(lambda result: result["memory"][-1][2] - result["memory"][0][2]),
                "rss_after_traffic": slope(
                    lambda result: result["memory_after_traffic"][0] - result["memory"][0][1]),
                "runs": results,
            }
        return {"summary": rows}

    def syscalls_cell(self, arguments):
        """System calls per delivery: the difference of a long and a short run, so that start-up drops out.

        strace slows the server so much that the client would answer between two of its calls, and reads that find
        nothing in reality would find something; in lockstep the client answers only after a whole round.
        """
        if shutil.which("strace") is None:
            return {"skipped": "strace is not installed"}
        members = int(arguments[arguments.index("--room") + 1]) if "--room" in arguments else 1
        step = 4000 if members == 1 else 400
        rows = {}
        for name, variant in self.servers.items():
            counts, deliveries = [], []
            for messages in (step, 2 * step if self.options.quick else 4 * step):
                with tempfile.TemporaryDirectory() as folder:
                    report = Path(folder) / "calls"
                    # -D keeps the server, not strace, as the child that is signalled and sampled.
                    traced = ["strace", "-D", "-f", "-c", "-o", str(report), *variant.command]
                    with Server(name, traced, self.server_cpus) as server:
                        result = self.run_load(server, [*arguments, "--lockstep", "--warm-up", "0",
                                                        "--messages", str(messages)])
                    counts.append(read_strace(report))
                    deliveries.append(result["deliveries"])
            difference = deliveries[1] - deliveries[0]
            calls = {call: (counts[1].get(call, 0) - counts[0].get(call, 0)) / difference for call in counts[1]}
            rows[name] = {"per_delivery": sum(calls.values()),
                          "calls": {call: value for call, value in calls.items() if abs(value) >= 0.001}}
        return {"summary": rows}

    def run(self, chosen):
        results = {}
        for name, (kind, arguments) in chosen.items():
            started = time.monotonic()
            try:
                if kind == "idle":
                    cell = self.idle_cell(arguments)
                elif kind == "syscalls":
                    cell = self.syscalls_cell(arguments)
                elif kind in shard_cells.KINDS:
                    cell = shard_cells.run(self, name, kind, arguments, summarise)
                else:
                    cell = self.cpu_cell(name, kind, arguments)
                results[name] = {"kind": kind, "arguments": arguments, **cell}
            except Failure as failure:
                results[name] = {"kind": kind, "arguments": arguments, "failure": str(failure)}
                print(f"{name}: FAILED\n{failure}", file=sys.stderr)
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        return results


def read_strace(report):
    """Calls per name; strace writes the table only after the server has gone."""
    deadline = time.monotonic() + 10
    while True:
        text = report.read_text() if report.exists() else ""
        if text.rstrip().endswith("total"):
            break
        if time.monotonic() > deadline:
            raise Failure("strace wrote no table within 10 s")
        time.sleep(0.05)
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


def summarise(results):
    cpu = [result["server_cpu_ns"] / result["deliveries"] for result in results]
    user = sum(result["server_user_ticks"] for result in results)
    system = sum(result["server_system_ticks"] for result in results)
    return {
        "cpu_lower_quartile_ns": lower_quartile(cpu),
        "cpu_median_ns": statistics.median(cpu),
        # The kernel attributes whole ticks; below 50 of them the split is a guess.
        "user_share": user / (user + system) if user + system >= 50 else None,
        "deliveries_per_s": statistics.median(result["deliveries"] / result["wall_s"] for result in results),
        "deliveries_per_client_read": statistics.median(
            result["deliveries"] / max(1, result["receive_calls"]) for result in results),
        "p50_us": statistics.median(result["p50_us"] for result in results),
        "p99_us": statistics.median(result["p99_us"] for result in results),
    }


def server_table(cells_of_kind, bases):
    rows = []
    for name, cell in cells_of_kind.items():
        for server, row in cell["summary"].items():
            words = [name, server, f"{row['cpu_lower_quartile_ns']:.0f}", f"{row['cpu_median_ns']:.0f}"]
            words += [ratio_text(row, cell["summary"][base]) if base in cell["summary"] else "-" for base in bases]
            share = row["user_share"]
            words += ["-" if share is None else f"{share:.0%}", f"{row['deliveries_per_s']:.0f}",
                      f"{row['deliveries_per_client_read']:.1f}", f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}"]
            words.append(control_text(cell) if server.endswith(AGAIN) else "")
            rows.append(words)
    return table(["scenario", "server", "CPU ns/delivery, lower quartile", "median",
                  *(f"to {base} (median)" for base in bases),
                  "user share", "deliveries/s", "per client read", "p50 us", "p99 us", "verdict"], rows)


def window_table(cells_of_kind):
    """What a window saves, whether that is what was demanded, and the latency that it costs."""
    rows = []
    for name, cell in cells_of_kind.items():
        base = cell["summary"][cell["control"]]
        demands = WINDOW_DEMANDS[name.removesuffix("-others").removesuffix("-tick")]
        for window, row in cell["summary"].items():
            ratio = row["cpu_lower_quartile_ns"] / base["cpu_lower_quartile_ns"]
            demand = demands.get(window)
            rows.append([name, window, f"{row['cpu_lower_quartile_ns']:.0f}", ratio_text(row, base),
                         "" if demand is None else f"at most {demand}",
                         "" if demand is None else "met" if ratio <= demand else "**not met**",
                         f"{row['deliveries_per_client_read']:.1f}", f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}",
                         control_text(cell) if window.endswith(AGAIN) else ""])
    return table(["scenario", "window", "CPU ns/delivery, lower quartile", "to window 0 (median)", "demanded", "",
                  "per client read", "p50 us", "p99 us", "verdict"], rows)


def signal_table(cells_of_kind):
    """What game data of the signaling protocol costs beside the relay protocol's, in the same rooms."""
    rows = []
    for name, cell in cells_of_kind.items():
        base = cell["summary"].get(RELAY_FAN_OUT)
        demand = SIGNAL_DEMANDS[int(cell["arguments"][cell["arguments"].index("--window") + 1])] if base else None
        for form, row in cell["summary"].items():
            is_measured = base is not None and not form.startswith(RELAY_FAN_OUT)
            ratio = base["cpu_lower_quartile_ns"] / row["cpu_lower_quartile_ns"] if base else None
            rows.append([name, form, f"{row['cpu_lower_quartile_ns']:.0f}",
                         f"{1e9 / row['cpu_lower_quartile_ns']:,.0f}", f"**{ratio:.2f}**" if is_measured else "",
                         f"at least {demand}: " + ("met" if ratio >= demand else "**not met**") if is_measured else "",
                         f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}",
                         control_text(cell) if form.endswith(AGAIN) else ""])
    return table(["scenario", "protocol", "CPU ns/delivery, lower quartile", "deliveries per CPU second",
                  "to the relay protocol", "demanded", "p50 us", "p99 us", "verdict"], rows)


def bad_table(cells_of_kind):
    """The others beside a bad peer; the spread is that of all runs without one.

    A run in which one of the others missed a message, or got it out of order or twice, has failed and is not here.
    """
    figures = {"CPU ns/delivery": lambda run: run["server_cpu_ns"] / run["deliveries"],
               "p50 us": lambda run: run["p50_us"], "p99 us": lambda run: run["p99_us"]}
    rows = []
    for name, cell in cells_of_kind.items():
        runs = cell["attempts"][-1]["runs"]
        control = cell["control"]
        without = [*runs[control], *runs[control + AGAIN]]
        (with_bad,) = [runs[row] for row in runs if row not in (control, control + AGAIN)]
        rows.append([name, str(sum(run["deliveries"] for run in with_bad)), "0"])
        for value in figures.values():
            median = statistics.median(map(value, with_bad))
            low, high = min(map(value, without)), max(map(value, without))
            rows[-1].append(f"{median:.0f} ({low:.0f} to {high:.0f}){'' if median <= high else ' **above**'}")
        rows[-1] += [str(sum(run["bad_connections"] for run in with_bad)),
                     str(sum(run["bad_ended"] for run in with_bad)), control_text(cell)]
    return table(["one more member", "deliveries to the others", "lost",
                  *(f"{figure}: with it (spread without)" for figure in figures),
                  "its connections", "ended by the relay", "verdict"], rows)


def markdown(environment, results, bases):
    lines = [
        f"{environment['date']}, {environment['cpu']}, Linux {environment['kernel']}, {environment['compiler']}, "
        f"{environment['runs']} runs of {environment['duration_s']} s, load average before {environment['load'][0]:.1f}"
        + (", **quick: not for publication**" if environment["quick"] else ""),
        "",
    ]
    def of_kind(kind):
        return {name: cell for name, cell in results.items() if cell["kind"] == kind and "summary" in cell}

    lines += server_table(of_kind("cpu"), bases)
    # The program beside the bench server on the same library: what rooms, ids and tokens cost.
    lines += server_table(of_kind("hosts"), [*bases, *(["muster"] if "muster" not in bases else [])])
    lines += server_table(of_kind("loops"), [ONE_LOOP])
    lines += window_table(of_kind("windows"))
    lines += signal_table(of_kind("signal"))
    lines += signal_table(of_kind("signal-latency"))
    lines += bad_table(of_kind("bad"))
    lines += shard_cells.tables(of_kind)
    for name, cell in results.items():
        if cell["kind"] == "idle" and "summary" in cell:
            lines += ["| memory | server | connections | anonymous bytes/connection | RSS bytes/connection "
                      "| RSS after traffic |", "|---|---|---|---|---|---|"]
            lines += [f"| {name} | {server} | {row['connections']} | {row['anonymous']:.0f} | {row['rss']:.0f} "
                      f"| {row['rss_after_traffic']:.0f} |" for server, row in cell["summary"].items()]
            lines.append("")
    calls = of_kind("syscalls")
    if calls:
        lines += ["| system calls | server | per delivery | of these |", "|---|---|---|---|"]
        for name, cell in calls.items():
            for server, row in cell["summary"].items():
                split = ", ".join(f"{call} {value:.3f}" for call, value in
                                  sorted(row["calls"].items(), key=lambda item: -item[1]))
                lines.append(f"| {name} | {server} | {row['per_delivery']:.3f} | {split} |")
        lines.append("")
    for name, cell in results.items():
        if "failure" in cell:
            lines.append(f"**{name} failed**: {cell['failure'].splitlines()[0]}")
        if "skipped" in cell:
            lines.append(f"{name} skipped: {cell['skipped']}")
    return "\n".join(lines).rstrip() + "\n"


def describe_machine(options):
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"date": datetime.date.today().isoformat(), "cpu": f"{os.cpu_count()} x {model}",
            "kernel": platform.release(), "compiler": compiler(options.build), "load": os.getloadavg(), "runs": options.runs,
            "duration_s": options.duration, "quick": options.quick, "seed": options.seed}


def compiler(build):
    """The compiler of the load generator, and so of all programs of the build."""
    return subprocess.run([str(Path(build) / "muster-bench-load"), "--compiler"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def cpu_set(text):
    return {int(cpu) for cpu in text.split(",")}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/tests/bench", help="folder with the programs (%(default)s)")
    parser.add_argument("--servers", action="append", default=[], metavar="NAME=COMMAND",
                        help="a further server of the bench protocol, or another command for a known name")
    parser.add_argument("--relay", metavar="COMMAND",
                        help="the program muster-relay with its options (that of the build, with relay.toml)")
    parser.add_argument("--server-cpus", type=cpu_set, metavar="LIST", help="such as 0,1 (the first one)")
    parser.add_argument("--load-cpus", type=cpu_set, metavar="LIST", help="of the load generator (the last one)")
    parser.add_argument("--only", metavar="NAMES", help="run only these servers (comma list)")
    parser.add_argument("--base", metavar="NAMES", help="servers that ratios are given to (comma list; all but muster)")
    parser.add_argument("--control", metavar="NAME", help="the server that runs twice (the first base)")
    parser.add_argument("--scenario", action="append", metavar="PATTERN", help="cells by name, such as 'fan-100-*'")
    parser.add_argument("--list", action="store_true", help="print the names of all cells")
    parser.add_argument("--quick", action="store_true", help="3 short runs, one attempt: to see that it works")
    parser.add_argument("--runs", type=int, help="runs per server and cell (8)")
    parser.add_argument("--duration", type=float, help="measured seconds per run (2)")
    parser.add_argument("--warm-up", type=float, help="seconds before that (0.3)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random order (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="all results, every run included")
    parser.add_argument("--markdown", metavar="FILE", help="the tables (standard output)")
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 8)
    options.duration = options.duration or (0.5 if options.quick else 2)
    options.warm_up = options.warm_up if options.warm_up is not None else (0.1 if options.quick else 0.3)
    return parser, options


def find_servers(parser, options):
    servers = {}
    for name, program in KNOWN_SERVERS.items():
        path = Path(options.build) / program
        if path.exists():
            servers[name] = Variant([str(path), "--port", "0"])
    for entry in options.servers:
        name, equals, command = entry.partition("=")
        if not equals or not command:
            parser.error(f"--servers wants NAME=COMMAND, not {entry!r}")
        servers[name] = Variant([*shlex.split(command), "--port", "0"])
    if options.only:
        wanted = [name for name in options.only.split(",") if name != RELAY]
        missing = [name for name in wanted if name not in servers]
        if missing:
            parser.error(f"--only names {missing[0]!r}, there are: {', '.join(servers)}")
        servers = {name: servers[name] for name in wanted}
    if not servers:
        parser.error(f"no server in {options.build}; build the bench targets or give --servers")
    return servers


def find_relay(options):
    """The program with a port of its own choice, or None."""
    program = Path(options.build) / RELAY_PROGRAM
    if options.relay:
        command = shlex.split(options.relay)
    elif program.exists():
        command = [str(program), "--config", str(RELAY_CONFIG)]
    else:
        return None
    return Variant([*command, "--listen", "127.0.0.1:0"], ["--relay"])


def main():
    parser, options = parse_options()
    patterns = [part for entry in options.scenario or ["*"] for part in entry.split(",")]
    chosen = {name: cell for name, cell in cells().items()
              if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
    if options.list:
        print("\n".join(chosen))
        return 0
    if not chosen:
        parser.error("no cell matches; --list shows the names")
    servers = find_servers(parser, options)
    bases = options.base.split(",") if options.base else [name for name in servers if name != "muster"] or list(servers)
    options.control = options.control or bases[0]
    for name in [*bases, options.control]:
        if name not in servers:
            parser.error(f"{name!r} is not among the servers: {', '.join(servers)}")
    # 10,000 idle connections need as many descriptors on each side.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    environment = describe_machine(options)
    relay = find_relay(options) if not options.only or RELAY in options.only.split(",") else None
    results = Bench(options, servers, relay).run(chosen)
    text = markdown(environment, results, bases)
    if options.markdown:
        Path(options.markdown).write_text(text)
    else:
        print(text, end="")
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"environment": environment, "servers": {name: variant.command for name, variant in servers.items()},
             "relay": relay.command if relay else None, "bases": bases, "control": options.control,
             "cells": results}, indent=1) + "\n")
    return 1 if any("failure" in cell for cell in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
