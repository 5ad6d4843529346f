#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the plots in docs/plots are what their data give, and that they show what the benchmarks say."""

import collections
import json
import re
import sys
import types
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import plot  # noqa: E402
import run  # noqa: E402
from plot_figures import FIGURES  # noqa: E402

PLOTS = ROOT / "docs" / "plots"
DATA = ROOT / "tests" / "data"
SVG = "{http://www.w3.org/2000/svg}"
ENVIRONMENT = {"date": "2026-01-02", "cpu": "2 x Example", "kernel": "6.1.0", "compiler": "GCC 12.2.0",
               "load": [0.125, 0.2, 0.3], "runs": 4, "duration_s": 0.5, "quick": False, "seed": 1}


def decided(rows, control, factors=(1, 1.2, 1, 1.1), again=1):
    """A cell as run.py makes it, of rows with these nanoseconds of CPU per delivery, times a factor in each run."""
    count = len(factors)
    bench = run.Bench(types.SimpleNamespace(build="", server_cpus={0}, load_cpus={1}, seed=1, quick=False, runs=count),
                      {}, None)
    bench.random.shuffle = lambda order: None  # the second runs of the control come last
    given = collections.Counter()

    def measured(row):
        cpu = rows[row] * factors[given[row] % count]
        if row == control and given[row] // count % 2 == 1:
            cpu *= again
        given[row] += 1
        return {"server_cpu_ns": cpu * 500, "deliveries": 500, "wall_s": 1, "receive_calls": 1,
                "server_user_ticks": 0, "server_system_ticks": 0, "p50_us": 1, "p99_us": 2}

    return {"kind": "cpu", "arguments": [], **bench.decide(list(rows), control, measured, run.summarise)}


def drawn(name, result):
    """The data of a figure, and its SVG as a tree."""
    data = json.loads(plot.as_text(plot.reduced(FIGURES[name], result)))
    return data, xml.fromstring(plot.svg(name, data))


def paths(tree, name):
    """What the paths of a class draw, outside the legend."""
    return [path.get("d") for path in tree.findall(SVG + "path") if name in path.get("class").split()]


class Committed(unittest.TestCase):
    def test_every_plot_is_what_its_data_give(self):
        names = sorted(path.stem for path in PLOTS.glob("*.json"))
        self.assertEqual(sorted(path.stem for path in PLOTS.glob("*.svg")), names)
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                data = json.loads((PLOTS / f"{name}.json").read_text(encoding="utf-8"))
                self.assertEqual((PLOTS / f"{name}.svg").read_text(encoding="utf-8"), plot.svg(name, data),
                                 "run tests/bench/plot.py draw")
                self.assertEqual((PLOTS / f"{name}.json").read_text(encoding="utf-8"), plot.as_text(data))
                self.assertFalse(data["machine"]["quick"], "short runs are not for publication")

    def test_every_plot_is_small_and_has_a_title_and_a_description(self):
        for path in PLOTS.glob("*.svg"):
            with self.subTest(path.name):
                self.assertLess(path.stat().st_size, 15_000)
                tree = xml.parse(path).getroot()
                self.assertEqual(tree.get("width"), "700")
                for tag in ("title", "desc"):
                    self.assertTrue(tree.findtext(SVG + tag))

    def test_the_document_shows_every_plot(self):
        text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
        shown = re.findall(r"^!\[[^\]]+\]\(plots/(\w+)\.svg\)$", text, re.MULTILINE)
        self.assertEqual(sorted(shown), sorted(path.stem for path in PLOTS.glob("*.svg")))


class Drawn(unittest.TestCase):
    def test_a_bar_ends_at_its_ratio(self):
        cell = decided({"muster": 400, "beast": 1000, "websocketpp": 500}, "beast")
        _, tree = drawn("peers", {"environment": ENVIRONMENT, "cells": {"echo-w1": cell}})
        ticks = {text.text: float(text.get("x")) for text in tree.findall(SVG + "text")
                 if text.get("class") == "middle"}
        for series, mark in (("a", "0.4"), ("b", "0.8")):
            (path,) = paths(tree, series)
            self.assertEqual(float(re.search(r"H([\d.]+)v", path)[1]), ticks[mark])
        # From the lowest run, which is the lower quartile, to the highest, which took 1.2 times as much.
        whiskers = [(float(low), float(high)) for low, high in
                    re.findall(r"M([\d.]+) [^H]+H([\d.]+)", " ".join(paths(tree, "runs")))]
        origin = ticks["0"]
        for (low, high), ratio in zip(whiskers, (0.4, 0.8), strict=True):
            self.assertAlmostEqual(low, origin + ratio * (ticks["1"] - origin), delta=0.1)
            self.assertAlmostEqual(high, origin + 1.2 * ratio * (ticks["1"] - origin), delta=0.1)

    def test_the_ratio_is_that_of_the_table(self):
        cell = decided({"muster": 321, "beast": 1000, "websocketpp": 456}, "beast", factors=(1.3, 1, 1.1, 2, 1.02))
        data, _ = drawn("peers", {"environment": ENVIRONMENT, "cells": {"fan-10-w16": cell}})
        summary = cell["summary"]
        (bars,) = [group.bars for section in FIGURES["peers"].sections(data) for group in section.groups]
        for bar, peer in zip(bars, ("beast", "websocketpp"), strict=True):
            ratio = summary["muster"]["cpu_lower_quartile_ns"] / summary[peer]["cpu_lower_quartile_ns"]
            self.assertAlmostEqual(bar.value, ratio, delta=0.001)
            self.assertEqual(bar.demand, 0.35)

    def test_a_cell_whose_control_differed_is_undecided_and_says_so(self):
        for again, is_decided in ((1.04, True), (1.06, False)):
            cell = decided({"muster": 400, "beast": 1000, "websocketpp": 500}, "beast", again=again)
            self.assertEqual(cell["verdict"] == "decided", is_decided)
            _, tree = drawn("peers", {"environment": ENVIRONMENT, "cells": {"echo-w1": cell}})
            self.assertEqual(len(paths(tree, "undecided")), 0 if is_decided else 2)
            self.assertEqual("(undecided)" in tree.findtext(SVG + "desc"), not is_decided)
            legend = [text.text for text in tree.iterfind(f"{SVG}g/{SVG}text")]
            self.assertEqual(any(text.startswith("undecided") for text in legend), not is_decided)

    def test_signaling_is_deliveries_per_cpu_second(self):
        cell = decided({"relay protocol": 1000, "signaling, binary": 1250, "signaling, JSON": 2000}, "relay protocol")
        data, _ = drawn("signaling", {"environment": ENVIRONMENT, "cells": {"signal-8-w16-1k": cell}})
        (bars,) = [group.bars for section in FIGURES["signaling"].sections(data) for group in section.groups]
        self.assertEqual([round(bar.value, 3) for bar in bars], [0.8, 0.5])
        self.assertEqual([round(bar.low, 3) for bar in bars], [round(0.8 / 1.2, 3), round(0.5 / 1.2, 3)])
        self.assertEqual([bar.demand for bar in bars], [0.5, 0.5])

    def test_reliable_udp_is_relative_to_enet(self):
        result = json.loads((DATA / "udp_bench.json").read_text(encoding="utf-8"))
        data, tree = drawn("udp", {"environment": ENVIRONMENT, **result})
        sections = {section.title: section for section in FIGURES["udp"].sections(data)}
        found = {(group.label, bar.series): bar for section in sections.values()
                 for group in section.groups for bar in group.bars}
        for name, label, index in (("bulk", "64 KiB messages", 0), ("bulk", "64 KiB messages, per byte", 1)):
            rows = {row["name"]: sorted(one[index] for one in row["runs"])
                    for scenario in result["scenarios"] if scenario["name"] == name for row in scenario["rows"]}
            for series, row in enumerate(("muster-1400", "muster-512")):
                bar, base = found[label, series], rows["enet"][1]
                for value, index_of in ((bar.low, 0), (bar.value, 1), (bar.high, 2)):
                    self.assertAlmostEqual(value, rows[row][index_of] / base, delta=0.001 * value)
        self.assertIn("Reliable UDP", tree.findtext(SVG + "title"))

    def test_the_caption_says_where_and_how(self):
        cell = decided({"muster": 400, "beast": 1000}, "beast")
        for is_quick in (False, True):
            _, tree = drawn("peers", {"environment": {**ENVIRONMENT, "quick": is_quick}, "cells": {"echo-w1": cell}})
            lines = [text.text for text in tree.findall(SVG + "text")][-2:]
            for word in ("2026-01-02", "2 x Example", "6.1.0", "GCC 12.2.0", "4 runs of 0.5 s", "0.12"):
                self.assertIn(word, " ".join(lines))
            self.assertEqual("quick" in lines[0], is_quick)

    def test_a_result_without_the_cells_of_a_figure_is_refused(self):
        cell = decided({"muster": 400, "beast": 1000}, "beast")
        with self.assertRaises(SystemExit):
            plot.reduced(FIGURES["windows"], {"environment": ENVIRONMENT, "cells": {"echo-w1": cell}})


if __name__ == "__main__":
    unittest.main()
