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
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOLERANCE = 0.05
ATTEMPTS = 3
AGAIN = " (again)"
# Servers looked for in the build folder, in the order of the tables.
KNOWN_SERVERS = {
    "muster": "muster-bench-server",
    "beast": "muster-bench-beast",
    "websocketpp": "muster-bench-websocketpp",
}


def cells():
    """All cells: name, kind and arguments of the load generator (kinds: cpu, idle, syscalls)."""
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
    add("fan-100-w2-16k", "cpu", "fan", "--connections", 500, "--room", 100, "--window", 2, "--size", 16384)
    add("relay-w16", "cpu", "fan", "--connections", 500, "--room", 2, "--window", 16)
    add("all-20-10hz", "cpu", "all", "--connections", 200, "--room", 20, "--rate", 10)
    add("all-50-10hz", "cpu", "all", "--connections", 200, "--room", 50, "--rate", 10)
    add("all-100-5hz", "cpu", "all", "--connections", 200, "--room", 100, "--rate", 5)
    add("accept-64", "cpu", "accept", "--parallel", 64, "--messages", 4000)
    add("accept-1", "cpu", "accept", "--parallel", 1, "--messages", 600)
    add("idle", "idle", "idle", "--connections", 10000, "--echo-each")
    # One message per room and pass, so a call per delivery is a call per pass and member.
    add("syscalls-echo-w1", "syscalls", "echo", "--connections", 50, "--window", 1)
    add("syscalls-echo-200-w1", "syscalls", "echo", "--connections", 200, "--window", 1)
    add("syscalls-echo-w16", "syscalls", "echo", "--connections", 50, "--window", 16)
    add("syscalls-fan-100-w1", "syscalls", "fan", "--connections", 500, "--room", 100, "--window", 1)
    add("syscalls-fan-100-w16", "syscalls", "fan", "--connections", 500, "--room", 100, "--window", 16)
    return found


class Failure(Exception):
    """A server or the load generator did not do its part; the text says which and how."""


class Server:
    """A server process on its own CPU, from the moment it announced its port until it is gone."""

    def __init__(self, name, command, cpu):
        self.name = name
        self.process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        line = self.process.stdout.readline()
        if not line.startswith("listening on 127.0.0.1:"):
            self.process.kill()
            self.process.wait()
            raise Failure(f"{name}: first line of output is {line!r} instead of 'listening on 127.0.0.1:PORT'")
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        ended = self.process.poll()
        if ended is not None:
            raise Failure(f"{self.name}: ended by itself with {ended}")
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
            if code not in (0, -signal.SIGTERM):
                raise Failure(f"{self.name}: ended with {code} after SIGTERM")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name}: still there 10 s after SIGTERM") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.process.stdout.close()


class Bench:
    def __init__(self, options, servers):
        self.options = options
        self.servers = servers
        self.load = str(Path(options.build) / "muster-bench-load")
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.load_cpu = cpus[0], cpus[-1]
        if len(cpus) < 2:
            print("warning: one CPU only, server and load share it", file=sys.stderr)
        self.random = random.Random(options.seed)

    def run_load(self, server, arguments):
        command = [self.load, *arguments, "--port", str(server.port), "--server-pid", str(server.process.pid)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.load_cpu}))
        if done.returncode != 0:
            raise Failure(f"{server.name}: {' '.join(arguments)}: exit code {done.returncode}\n"
                          f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def run_once(self, name, arguments):
        with Server(name, self.servers[name.removesuffix(AGAIN)], self.server_cpu) as server:
            return self.run_load(server, arguments)

    def cpu_cell(self, arguments):
        """The runs of all servers in random order, repeated while the control says that they decide nothing."""
        options = self.options
        arguments = [*arguments, "--warm-up", str(options.warm_up), "--duration", str(options.duration)]
        if arguments[0] == "accept" and options.quick:
            arguments[arguments.index("--messages") + 1] = "500"
        control = options.control
        attempts = []
        for _ in range(1 if options.quick else ATTEMPTS):
            order = [name for name in [*self.servers, control + AGAIN] for _ in range(options.runs)]
            self.random.shuffle(order)
            runs = {name: [] for name in [*self.servers, control + AGAIN]}
            for name in order:
                runs[name].append(self.run_once(name, arguments))
            summary = {name: summarise(results) for name, results in runs.items()}
            ratio = summary[control + AGAIN]["cpu_lower_quartile_ns"] / summary[control]["cpu_lower_quartile_ns"]
            attempts.append({"runs": runs, "summary": summary, "control_ratio": ratio})
            if abs(ratio - 1) <= TOLERANCE:
                break
        last = attempts[-1]
        if abs(last["control_ratio"] - 1) <= TOLERANCE:
            verdict = "quick" if options.quick else "decided"
        else:
            verdict = "undecided"
        return {"attempts": attempts, "summary": last["summary"], "control_ratio": last["control_ratio"],
                "verdict": verdict}

    def idle_cell(self, arguments):
        """Growth of memory per connection in a fresh process."""
        if self.options.quick:
            arguments = [argument if argument != "10000" else "2000" for argument in arguments]
        rows = {}
        for name in self.servers:
            results = [self.run_once(name, arguments) for _ in range(1 if self.options.quick else 3)]
            count = results[0]["memory"][-1][0]

            def slope(value):
                return statistics.median(value(result) for result in results) / count

            rows[name] = {
                "connections": count,
                "rss": slope(lambda result: result["memory"][-1][1] - result["memory"][0][1]),
                "anonymous": slope(lambda result: result["memory"][-1][2] - result["memory"][0][2]),
                "rss_after_echo": slope(lambda result: result["memory_after_echo"][0] - result["memory"][0][1]),
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
        for name, command in self.servers.items():
            counts, deliveries = [], []
            for messages in (step, 2 * step if self.options.quick else 4 * step):
                with tempfile.TemporaryDirectory() as folder:
                    report = Path(folder) / "calls"
                    # -D keeps the server, not strace, as the child that is signalled and sampled.
                    traced = ["strace", "-D", "-f", "-c", "-o", str(report), *command]
                    with Server(name, traced, self.server_cpu) as server:
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
            run_cell = {"cpu": self.cpu_cell, "idle": self.idle_cell, "syscalls": self.syscalls_cell}[kind]
            try:
                results[name] = {"kind": kind, "arguments": arguments, **run_cell(arguments)}
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


def lower_quartile(values):
    return statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]


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


def markdown(environment, results, bases):
    lines = [
        f"{environment['date']}, {environment['cpu']}, Linux {environment['kernel']}, "
        f"{environment['runs']} runs of {environment['duration_s']} s, load average before {environment['load'][0]:.1f}"
        + (", **quick: not for publication**" if environment["quick"] else ""),
        "",
    ]
    cpu = {name: cell for name, cell in results.items() if cell["kind"] == "cpu" and "summary" in cell}
    if cpu:
        heads = ["scenario", "server", "CPU ns/delivery, lower quartile", "median"]
        heads += [f"to {base} (median)" for base in bases]
        heads += ["user share", "deliveries/s", "per client read", "p50 us", "p99 us", "verdict"]
        lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for name, cell in cpu.items():
            for server, row in cell["summary"].items():
                words = [name, server, f"{row['cpu_lower_quartile_ns']:.0f}", f"{row['cpu_median_ns']:.0f}"]
                for base in bases:
                    other = cell["summary"][base]
                    words.append(f"**{row['cpu_lower_quartile_ns'] / other['cpu_lower_quartile_ns']:.2f}** "
                                 f"({row['cpu_median_ns'] / other['cpu_median_ns']:.2f})")
                share = row["user_share"]
                words += ["-" if share is None else f"{share:.0%}", f"{row['deliveries_per_s']:.0f}",
                          f"{row['deliveries_per_client_read']:.1f}", f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}"]
                words.append(f"A/A {cell['control_ratio']:.2f}, {cell['verdict']} (attempt {len(cell['attempts'])})"
                             if server.endswith(AGAIN) else "")
                lines.append("| " + " | ".join(words) + " |")
        lines.append("")
    for name, cell in results.items():
        if cell["kind"] == "idle" and "summary" in cell:
            lines += ["| memory | server | connections | anonymous bytes/connection | RSS bytes/connection "
                      "| RSS after one echo each |", "|---|---|---|---|---|---|"]
            lines += [f"| {name} | {server} | {row['connections']} | {row['anonymous']:.0f} | {row['rss']:.0f} "
                      f"| {row['rss_after_echo']:.0f} |" for server, row in cell["summary"].items()]
            lines.append("")
    calls = {name: cell for name, cell in results.items() if cell["kind"] == "syscalls" and "summary" in cell}
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
            "kernel": platform.release(), "load": os.getloadavg(), "runs": options.runs,
            "duration_s": options.duration, "quick": options.quick, "seed": options.seed}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/tests/bench", help="folder with the programs (%(default)s)")
    parser.add_argument("--servers", action="append", default=[], metavar="NAME=COMMAND",
                        help="a further server of the bench protocol, or another command for a known name")
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
            servers[name] = [str(path)]
    for entry in options.servers:
        name, equals, command = entry.partition("=")
        if not equals or not command:
            parser.error(f"--servers wants NAME=COMMAND, not {entry!r}")
        servers[name] = shlex.split(command)
    if options.only:
        wanted = options.only.split(",")
        missing = [name for name in wanted if name not in servers]
        if missing:
            parser.error(f"--only names {missing[0]!r}, there are: {', '.join(servers)}")
        servers = {name: servers[name] for name in wanted}
    if not servers:
        parser.error(f"no server in {options.build}; build the bench targets or give --servers")
    return servers


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
    results = Bench(options, servers).run(chosen)
    text = markdown(environment, results, bases)
    if options.markdown:
        Path(options.markdown).write_text(text)
    else:
        print(text, end="")
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"environment": environment, "servers": servers, "bases": bases, "control": options.control,
             "cells": results}, indent=1) + "\n")
    return 1 if any("failure" in cell for cell in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
