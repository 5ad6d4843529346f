# SPDX-License-Identifier: MIT
"""The cells of shards: what their snapshots, views, inputs and idle hours cost.

The bench server of shards (shard_server.cpp) counts what its game sees, and says so at its end; a run whose counts are
not as they must be has failed.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

from bench_server import Failure, Server
from bench_table import AGAIN, control_text, lower_quartile, ratio_text, table

KINDS = ("shard-snapshots", "shard-deaf", "shard-inputs", "shard-idle", "shard-interest")
SHARD = "muster-bench-shard"
BARE = "muster-bench-bare"
INTEREST = "muster-bench-interest"

SERVICE = "shard::Service"
LOOP = "bare loop, write"
SEND_LOOP = "bare loop, send"  # what the library calls, and cheaper than what is demanded
SNAPSHOT_DEMAND = 1.15  # of the service to the loop that writes

WITHOUT = "without"
DEAF = "with one that never reads"

NO_SHARDS = "no shards"
IDLE_SHARDS = "1000 event-driven shards"
TICKING = "one shard of 20 Hz"

CELLS = "view key by grid cell"
EACH = "the same cells, encoded for each"
NEAR = "an Interest of each, encoded for each"
ALL = "everything to all"
WAYS = {CELLS: "cells", EACH: "each", NEAR: "interest", ALL: "broadcast"}
SCALES = (1, 2, 4, 8)
ENTITIES, SUBSCRIBERS = 2000, 200


def add_cells(add):
    add("shard-1000-16k", "shard-snapshots", "shard", "--connections", 1000, "--size", 16384)
    add("shard-interest", "shard-interest")
    add("shard-deaf", "shard-deaf", "shard", "--connections", 100, "--size", 65536, "--memory")
    add("shard-idle", "shard-idle")
    for hz in (20, 60):
        add(f"shard-inputs-{hz}hz", "shard-inputs", "inputs", "--connections", 20, "--rate", 500, "--size", 64)


def run(bench, name, kind, arguments, summarise):
    programs = {"shard-snapshots": (SHARD, BARE), "shard-interest": (INTEREST,)}.get(kind, (SHARD,))
    for program in programs:
        if not (Path(bench.options.build) / program).exists():
            return {"skipped": f"{program} is not built"}
    if kind == "shard-idle":
        return idle_cell(bench)
    if kind == "shard-interest":
        return interest_cell(bench)
    warm_up, duration = bench.options.warm_up, bench.options.duration
    if kind == "shard-deaf":
        # The kernel first takes some megabytes for one that never reads. After 10 s without any the shard closes it.
        warm_up, duration = max(warm_up, 4), min(duration, 5)
    arguments = [*arguments, "--warm-up", str(warm_up), "--duration", str(duration)]
    if kind == "shard-inputs":
        return inputs_cell(bench, arguments, int(re.search(r"(\d+)hz$", name)[1]))
    if kind == "shard-deaf":
        return bench.decide([WITHOUT, DEAF], WITHOUT, lambda row: deaf_run(bench, row, arguments), summarise)
    return bench.decide([LOOP, SEND_LOOP, SERVICE], LOOP, lambda row: snapshot_run(bench, row, arguments), summarise)


def command(bench, program, **options):
    words = [str(Path(bench.options.build) / program)]
    for option, value in options.items():
        words += ["--" + option, str(value)]
    return words


def counted(server):
    """What a server said at its end."""
    lines = server.last_words.splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise Failure(f"{server.name}: the last line is no JSON: {server.last_words!r}") from None


def run_once(bench, row, program, hz, arguments, **more):
    """One run of the load generator; what the server counted is in the result as well."""
    size = arguments[arguments.index("--size") + 1]
    server = Server(row, command(bench, program, hz=hz, size=size, **more), bench.server_cpus)
    with server:
        result = bench.run_load(server, arguments)
    result["server"] = counted(server)
    return result


def check_encodings(row, result):
    counts = result["server"]
    if (counts["fewest_encodes"], counts["most_encodes"]) != (1, 1):
        raise Failure(f"{row}: {counts['fewest_encodes']} to {counts['most_encodes']} encodings in a tick, not 1")


def snapshot_run(bench, row, arguments):
    if row != SERVICE:
        return run_once(bench, row, BARE, 20, arguments, call="send" if row == SEND_LOOP else "write")
    result = run_once(bench, row, SHARD, 20, arguments)
    check_encodings(row, result)
    return result


def deaf_run(bench, row, arguments):
    result = run_once(bench, row, SHARD, 20, [*arguments, *(["--bad", "never-reads"] if row == DEAF else [])])
    check_encodings(row, result)
    if row == DEAF and result["deaf_missed"] == 0:
        raise Failure(f"{row}: it was never behind")
    return result


def inputs_cell(bench, arguments, hz):
    runs = []
    for _ in range(bench.options.runs):
        result = run_once(bench, "inputs", SHARD, hz, arguments)
        counts = result["server"]
        if counts["inputs_applied"] != result["sent"] or counts["inputs_refused"] or counts["inputs_out_of_sequence"]:
            raise Failure(f"inputs: {result['sent']} sent, {counts['inputs_applied']} applied, "
                          f"{counts['inputs_refused']} refused, {counts['inputs_out_of_sequence']} out of sequence")
        runs.append(result)
    return {"hz": hz, "summary": runs}


def wake_ups(pid):
    """How often the process has gone to sleep."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.MULTILINE)[1])
    return total


def idle_cell(bench):
    """All at the same time: who sleeps does not disturb the others."""
    seconds = 3 if bench.options.quick else 10
    commands = {NO_SHARDS: command(bench, SHARD, shards=0), NO_SHARDS + AGAIN: command(bench, SHARD, shards=0),
                IDLE_SHARDS: command(bench, SHARD, shards=1000, hz=0), TICKING: command(bench, SHARD, hz=20)}
    servers = {row: Server(row, words, bench.server_cpus) for row, words in commands.items()}
    with contextlib.ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)
        time.sleep(1)
        before = {row: wake_ups(server.process.pid) for row, server in servers.items()}
        time.sleep(seconds)
        rows = {row: wake_ups(server.process.pid) - before[row] for row, server in servers.items()}
    if rows[TICKING] < 10 * seconds:
        raise Failure(f"{TICKING}: {rows[TICKING]} wake-ups in {seconds} s: the count sees nothing")
    running = counted(servers[IDLE_SHARDS])["shards_running"]
    if running != 1000:
        raise Failure(f"{IDLE_SHARDS}: {running} of them ran at the end")
    return {"seconds": seconds, "summary": rows}


def interest_cell(bench):
    ticks = 30 if bench.options.quick else 150
    rows = {f"{CELLS}, x{scale}": (CELLS, scale) for scale in SCALES}
    rows |= {f"{way}, x1": (way, 1) for way in (EACH, ALL)}
    rows |= {f"{NEAR}, x{scale}": (NEAR, scale) for scale in SCALES}

    def run_row(row):
        way, scale = rows[row]
        words = [str(Path(bench.options.build) / INTEREST), WAYS[way], str(ENTITIES * scale),
                 str(SUBSCRIBERS * scale), str(ticks)]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, bench.server_cpus))
        if done.returncode != 0:
            raise Failure(f"{row}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def summarise(results):
        cpu = [result["cpu_ns"] / result["ticks"] for result in results]
        last = results[-1]
        return {"cpu_lower_quartile_ns": lower_quartile(cpu), "cpu_median_ns": statistics.median(cpu),
                "pairs": last["pairs"], "encodings": last["frames_encoded"] / last["ticks"],
                "sent": last["bytes_sent"] / last["ticks"]}

    cell = bench.decide(list(rows), f"{CELLS}, x1", run_row, summarise)
    return {**cell, "rows": rows}


def tables(of_kind):
    return [*snapshot_table(of_kind("shard-snapshots")), *deaf_table(of_kind("shard-deaf")),
            *inputs_table(of_kind("shard-inputs")), *idle_table(of_kind("shard-idle")),
            *interest_table(of_kind("shard-interest"))]


def snapshot_table(cells):
    rows = []
    for name, cell in cells.items():
        base, send = cell["summary"][LOOP], cell["summary"][SEND_LOOP]
        runs = cell["attempts"][-1]["runs"]
        for server, row in cell["summary"].items():
            ratio = row["cpu_lower_quartile_ns"] / base["cpu_lower_quartile_ns"]
            is_judged = server == SERVICE
            encodes = {run["server"]["most_encodes"] for run in runs[server] if "most_encodes" in run["server"]}
            rows.append([name, server, f"{row['cpu_lower_quartile_ns']:.0f}", ratio_text(row, base), ratio_text(row, send),
                         f"at most {SNAPSHOT_DEMAND}" if is_judged else "",
                         ("met" if ratio <= SNAPSHOT_DEMAND else "**not met**") if is_judged else "",
                         ", ".join(map(str, sorted(encodes))), str(sum(run["missed"] for run in runs[server])),
                         f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}",
                         control_text(cell) if server.endswith(AGAIN) else ""])
    return table(["snapshots", "server", "CPU ns/delivery, lower quartile", "to write (median)", "to send (median)",
                  "demanded to write", "",
                  "encodings per tick", "missed", "p50 us", "p99 us", "verdict"], rows)


def deaf_table(cells):
    """The others beside one that never reads; memory is what the second half of the window added."""
    rows = []
    for name, cell in cells.items():
        runs = cell["attempts"][-1]["runs"]
        without = [*runs[WITHOUT], *runs[WITHOUT + AGAIN]]
        for row, results in ((WITHOUT, without), (DEAF, runs[DEAF])):
            words = [name, row, str(sum(run["deliveries"] for run in results)),
                     str(sum(run["missed"] for run in results))]
            for figure in ("p50_us", "p99_us"):
                values = [run[figure] for run in results]
                words.append(f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})")
            growth = [run["memory"][2][2] - run["memory"][1][2] for run in results]
            words.append(f"{max(growth)} bytes")
            words.append(str(sum(run["deaf_missed"] for run in results)))
            words.append(control_text(cell) if row == DEAF else "")
            rows.append(words)
    return table(["one more subscriber", "", "deliveries to the others", "missed", "p50 us (spread)", "p99 us (spread)",
                  "memory, most growth", "missed by the deaf one", "verdict"], rows)


def inputs_table(cells):
    rows = []
    for name, cell in cells.items():
        runs = cell["summary"]
        by_ticks = [sum(run["server"]["inputs_by_ticks"][i] for run in runs) for i in range(3)]
        total = sum(by_ticks)
        p99 = next((i + 1 for i in range(2) if sum(by_ticks[:i + 1]) >= 0.99 * total), 3)
        counts = [sum(run["server"][count] for run in runs)
                  for count in ("inputs_applied", "inputs_refused", "inputs_out_of_sequence")]
        rows.append([name, str(sum(run["sent"] for run in runs)), *map(str, counts), str(p99) if p99 < 3 else "3 or more",
                     "met" if p99 <= 1 else "**not met**", str(by_ticks[1] + by_ticks[2])])
        for figure in ("arrival_to_apply_p99_ms", "send_to_apply_p99_ms"):
            rows[-1].append(f"{statistics.median(run['server'][figure] for run in runs):.1f}")
    return table(["inputs", "sent", "applied", "refused", "out of sequence", "p99 from arrival to apply, ticks",
                  "at most 1", "later than the next tick", "p99 from arrival, ms", "p99 from send, ms"], rows)


def idle_table(cells):
    rows = []
    for name, cell in cells.items():
        base = max(cell["summary"][NO_SHARDS], cell["summary"][NO_SHARDS + AGAIN])
        for row, count in cell["summary"].items():
            verdict = ("met" if count <= base else "**not met**") if row == IDLE_SHARDS else ""
            rows.append([name, row, str(count), verdict])
    seconds = next((cell["seconds"] for cell in cells.values()), 0)
    return table(["a loop with", "", f"wake-ups in {seconds} s", "none beyond the control"], rows)


def interest_table(cells):
    rows = []
    for name, cell in cells.items():
        summary = cell["summary"]
        for row, figures in summary.items():
            way, scale = cell["rows"][row.removesuffix(AGAIN)]
            first = summary[f"{way}, x1"]

            def per_pair(of):
                return of["cpu_lower_quartile_ns"] / of["pairs"]

            rows.append([name, row, f"{figures['cpu_lower_quartile_ns'] / 1000:.0f}",
                         ratio_text(figures, summary[f"{CELLS}, x1"]) if scale == 1 else "",
                         f"{figures['encodings']:.1f}", f"{figures['sent'] / 1000:.0f}", str(figures["pairs"]),
                         f"{per_pair(figures):.1f}", f"{per_pair(figures) / per_pair(first):.2f}" if scale > 1 else "",
                         control_text(cell) if row.endswith(AGAIN) else ""])
    return table(["views", "", "CPU us/tick, lower quartile", "to grid cells (median)", "encodings per tick", "kB/tick",
                  "visible pairs", "CPU ns/pair", "growth to x1", "verdict"], rows)
