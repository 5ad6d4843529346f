#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plots of the benchmarks' ratios, as SVG.

    tests/bench/plot.py draw                                  # each docs/plots/NAME.json as NAME.svg
    tests/bench/plot.py take signaling RESULT.json            # what a figure needs of a result of run.py, and draw it
    tests/bench/plot.py measure signaling udp                 # run what they need, take and draw; all without names
    tests/bench/plot.py measure --quick                       # to see that it works: short runs, drawn in build/plots

What is drawn depends on the data in docs/plots alone.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import run
from plot_figures import FIGURES
from plot_svg import draw

HERE = Path(__file__).resolve().parent
PLOTS = HERE.parents[1] / "docs/plots"
QUICK = HERE.parents[1] / "build/plots"  # what short runs draw
RESULTS = QUICK / "results"  # as the benchmarks write them
MACHINE = ("date", "cpu", "kernel", "compiler", "runs", "duration_s", "load", "quick")


def rounded(value):
    """To four digits, which are more than the runs agree on."""
    value = float(f"{value:.4g}")
    return int(value) if value.is_integer() else value


def reduced(figure, result):
    """What of a result a figure needs."""
    cells = {name: {row: [rounded(value) for value in values] for row, values in rows.items()}
             for name, rows in figure.cells_of(result).items()}
    if not cells:
        raise SystemExit(f"plot: nothing of this figure is in the result: {figure.title}")
    machine = {key: result["environment"][key] for key in MACHINE}
    machine["load"] = round(machine["load"][0], 2)
    return {"machine": machine, "cells": cells}


def as_text(data):
    """JSON with a line for each row, so that a difference can be read."""
    cells = [f'  {json.dumps(name)}: {{\n' + ",\n".join(
        f"   {json.dumps(row)}: {json.dumps(values)}" for row, values in rows.items()) + "\n  }"
        for name, rows in data["cells"].items()]
    return f'{{\n "machine": {json.dumps(data["machine"])},\n "cells": {{\n' + ",\n".join(cells) + "\n }\n}\n"


def caption(figure, machine):
    statistic = "lower quartiles" if figure.bench == "websocket" else "medians"
    return [f"Ratios of {statistic} of {machine['runs']} runs of {machine['duration_s']:g} s"
            + (" (quick: not for publication)" if machine["quick"] else "")
            + f", {machine['date']}, load average before {machine['load']:g}",
            f"{machine['cpu']}, Linux {machine['kernel']}, {machine['compiler']}"]


def svg(name, data):
    figure = FIGURES[name]
    return draw(figure.title, figure.series, figure.sections(data), caption(figure, data["machine"]))


def draw_folder(folder):
    for path in sorted(folder.glob("*.json")):
        path.with_suffix(".svg").write_text(svg(path.stem, json.loads(path.read_text())))


def take(name, result, folder):
    data = reduced(FIGURES[name], result)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(as_text(data))
    (folder / f"{name}.svg").write_text(svg(name, data))
    print(f"plot: {folder / name}.svg")


def measure_websocket(figure, name, options):
    command = [sys.executable, str(HERE / "run.py"), "--build", options.build, "--scenario", ",".join(figure.cells),
               "--json", str(RESULTS / f"{name}.json"), "--markdown", str(RESULTS / f"{name}.md")]
    command += ["--quick"] if options.quick else ["--duration", str(figure.duration)]
    command += ["--runs", str(options.runs)] if options.runs else []
    execute(command)
    return json.loads((RESULTS / f"{name}.json").read_text())


def measure_udp(figure, name, options):
    runs = options.runs or (2 if options.quick else 5)
    seconds = 0.1 if options.quick else 0.5
    machine = run.describe_machine(argparse.Namespace(build=options.build, runs=runs, duration=seconds,
                                                      quick=options.quick, seed=0))
    command = [str(Path(options.build) / "udp" / "muster-bench-udp"), "--scenario", ",".join(figure.cells),
               "--only", ",".join(figure.contestants()), "--runs", str(runs), "--seconds", str(seconds),
               "--virtual", "0.1" if options.quick else "1", "--json", str(RESULTS / f"{name}.json")]
    execute(command)
    result = {"environment": machine, **json.loads((RESULTS / f"{name}.json").read_text())}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def execute(command):
    print("+", *command, file=sys.stderr, flush=True)
    if subprocess.run(command).returncode != 0:
        raise SystemExit(f"plot: {Path(command[0]).name} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--folder", type=Path, help="of data and plots (docs/plots; build/plots if quick)")
    verbs.add_parser("draw", parents=[folder])
    taking = verbs.add_parser("take", parents=[folder])
    taking.add_argument("figure", choices=FIGURES)
    taking.add_argument("result", type=Path)
    measuring = verbs.add_parser("measure", parents=[folder])
    measuring.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)}; all of them by default")
    measuring.add_argument("--build", default=str(HERE.parents[1] / "build/release/tests/bench"),
                           help="folder with the programs (%(default)s)")
    measuring.add_argument("--quick", action="store_true", help="short runs, to see that it works")
    measuring.add_argument("--runs", type=int, help="of each row (8; 5 for reliable UDP)")
    options = parser.parse_args()
    options.folder = options.folder or (QUICK if getattr(options, "quick", False) else PLOTS)
    if options.verb == "draw":
        draw_folder(options.folder)
    elif options.verb == "take":
        take(options.figure, json.loads(options.result.read_text()), options.folder)
    else:
        for name in options.figures:
            if name not in FIGURES:
                parser.error(f"there is no figure {name!r}, only {', '.join(FIGURES)}")
        RESULTS.mkdir(parents=True, exist_ok=True)
        for name in options.figures or FIGURES:
            figure = FIGURES[name]
            bench = measure_udp if figure.bench == "udp" else measure_websocket
            take(name, bench(figure, name, options), options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
