# SPDX-License-Identifier: MIT
"""The figures of docs/performance.md: what each needs from the benchmarks, keeps of it, and shows.

The data of a figure is the machine and its cells; a cell has the values of each run by row, as
{"machine": {...}, "cells": {"echo-w1": {"muster": [4100, 4230], "beast": [...], "beast (again)": [...]}}}.
Figures are ratios, by the rules of the benchmarks: of lower quartiles, for reliable UDP of medians.
"""

import statistics

import run
import shard_cells
from bench_table import AGAIN, lower_quartile
from plot_svg import Bar, Group, Section

CPU_DEMANDS = {"w1": 0.85, "w16": 0.35}  # by messages under way


class Figure:
    """What a figure has in common with others: which bench it takes, and how.

    A subclass has a title, series (the legend), cells (patterns of names), sections(data) and duration, in seconds.
    """

    bench = "websocket"
    statistic = staticmethod(lower_quartile)

    def cells_of(self, result):
        """What is kept of a result of run.py: CPU per delivered message, in nanoseconds."""
        cells = {}
        for name, cell in result["cells"].items():
            if name in self.cells and "attempts" in cell:
                runs = cell["attempts"][-1]["runs"]
                cells[name] = {row: [self.value(one) for one in results] for row, results in runs.items()}
        return cells

    @staticmethod
    def value(one):
        return one["server_cpu_ns"] / one["deliveries"]

    def bar(self, cell, row, base, series, demand=None, is_inverse=False):
        """A row's ratio to another; the inverse is what a rate is if a cost is given."""
        if row not in cell or base not in cell:
            return []
        of = self.statistic(cell[base])
        figures = (self.statistic(cell[row]), min(cell[row]), max(cell[row]))
        value, *ends = [of / figure if is_inverse else figure / of for figure in figures]
        return [Bar(series, value, min(ends), max(ends), demand, is_decided(cell, self.statistic))]

    def groups(self, data, names, bars):
        """A group for each cell that was measured; bars(name, cell) are its bars."""
        return filled(Group(name, bars(name, data["cells"][name])) for name in names if name in data["cells"])


def filled(groups):
    return [group for group in groups if group.bars]


def is_decided(cell, statistic):
    """Whether the row that ran twice gave the same, within what run.py tolerates. In virtual time none needs to."""
    return all(abs(statistic(values) / statistic(cell[row.removesuffix(AGAIN)]) - 1) <= run.TOLERANCE
               for row, values in cell.items() if row.endswith(AGAIN))


class Peers(Figure):
    title = "Server CPU per delivered message, relative to two peers"
    series = ("muster to Boost.Beast", "muster to websocketpp")
    duration = 0.8
    window_1 = ("echo-w1", *(f"fan-{members}-w1{size}" for size in ("", "-1k") for members in (10, 100, 1000)))
    window_16 = tuple(name.replace("-w1", "-w16") for name in window_1)
    cells = window_1 + window_16

    def sections(self, data):
        def section(title, names, demand):
            groups = self.groups(data, names, lambda name, cell: [
                *self.bar(cell, "muster", "beast", 0, demand), *self.bar(cell, "muster", "websocketpp", 1, demand)])
            return Section(title, "CPU time per delivered message, ratio (1 = the peer)", True, groups)

        return [section("One message under way", self.window_1, CPU_DEMANDS["w1"]),
                section("Sixteen messages under way", self.window_16, CPU_DEMANDS["w16"])]


class Hosts(Figure):
    title = "Hosts, players and the relay: server CPU relative to two peers"
    series = ("muster to Boost.Beast", "muster to websocketpp", "muster-relay to Boost.Beast",
              "muster-relay to websocketpp")
    duration = 0.5
    cells = ("down-1000-w1", "down-1000-w1-1k", "up-1000-w1", "rooms-1000x10-w1", "join-storm", "accept-64")

    def sections(self, data):
        def bars(name, cell):
            pairs = [(row, base) for row in ("muster", run.RELAY) for base in ("beast", "websocketpp")]
            return [bar for series, (row, base) in enumerate(pairs) for bar in self.bar(cell, row, base, series)]

        return [Section("Rooms of a host and players, joins and connections",
                        "CPU time per delivered message, per join or per connection, ratio (1 = the peer)", True,
                        self.groups(data, self.cells, bars))]


class Windows(Figure):
    title = "Flush windows: server CPU relative to no window"
    series = ("lead 5", "tick 16")
    duration = 0.5
    cells = tuple(f"window-{room}{who}" for room in ("50x10hz", "100x5hz") for who in ("-tick", "", "-others"))

    def sections(self, data):
        def bars(name, cell):
            demands = run.WINDOW_DEMANDS[name.removesuffix("-others").removesuffix("-tick")]
            return [bar for series, window in enumerate(self.series)
                    for bar in self.bar(cell, window, "window 0", series, demands[window])]

        return [Section("Rooms in which everybody sends",
                        "CPU time per delivered message, ratio (1 = window 0)", True,
                        self.groups(data, self.cells, bars))]


class Signaling(Figure):
    title = "Signaling rooms relative to the relay protocol's fan-out"
    series = ("signaling, MessagePack", "signaling, JSON")
    duration = 2
    cells = tuple(f"signal-{members}-w{window}{size}"
                  for window in (1, 16) for size in ("", "-1k") for members in (8, 64))

    def sections(self, data):
        def section(title, window):
            demand = run.SIGNAL_DEMANDS[window]
            names = [name for name in self.cells if name.removesuffix("-1k").endswith(f"-w{window}")]
            groups = self.groups(data, names, lambda name, cell: [
                *self.bar(cell, "signaling, binary", run.RELAY_FAN_OUT, 0, demand, is_inverse=True),
                *self.bar(cell, "signaling, JSON", run.RELAY_FAN_OUT, 1, demand, is_inverse=True)])
            return Section(title, "deliveries per CPU second, ratio (1 = the relay protocol)", False, groups)

        return [section("One message under way", 1), section("Sixteen messages under way", 16)]


class Shards(Figure):
    title = "Shards: what snapshots and views cost"
    series = ("shard", "an Interest of each", "without the library")
    duration = 2
    cells = ("shard-1000-16k", "shard-interest")
    interest, pair = "shard-interest", "shard-interest, pair"

    def cells_of(self, result):
        cells = super().cells_of({"cells": {name: cell for name, cell in result["cells"].items()
                                            if name != self.interest}})
        views = result["cells"].get(self.interest, {})
        if "attempts" in views:
            runs = views["attempts"][-1]["runs"]
            for name, count in ((self.interest, "ticks"), (self.pair, "pairs")):
                cells[name] = {row: [one["cpu_ns"] / one["ticks"] / (one["pairs"] if count == "pairs" else 1)
                                     for one in results] for row, results in runs.items()}
        return cells

    def sections(self, data):
        sections = []
        snapshots, views, pairs = (data["cells"].get(name) for name in (self.cells[0], self.interest, self.pair))
        if snapshots:
            rows = ((shard_cells.SERVICE, 0, shard_cells.SNAPSHOT_DEMAND), (shard_cells.SEND_LOOP, 2, None))
            sections.append(Section(
                "Snapshots of 16 KiB to 1000 subscribers",
                "CPU time per snapshot, ratio (1 = a bare loop by write)", True,
                filled(Group(row, self.bar(snapshots, row, shard_cells.LOOP, series, demand))
                       for row, series, demand in rows)))
        if views:
            base = f"{shard_cells.CELLS}, x1"
            rows = ((shard_cells.EACH, shard_cells.EACH, 0), (shard_cells.ALL, shard_cells.ALL, 0),
                    (shard_cells.NEAR, "an Interest of each", 1))
            sections.append(Section(
                "Views of 200 subscribers among 2000 entities",
                "CPU time per tick, ratio (1 = view key by grid cell)", True,
                filled(Group(label, self.bar(views, f"{row}, x1", base, series)) for row, label, series in rows)))
        if pairs:
            ways = ((shard_cells.CELLS, 0), (shard_cells.NEAR, 1))
            sections.append(Section(
                "The same with more of both", "CPU time per visible pair, ratio (1 = with 2000 entities)", True,
                filled(Group(f"{scale} times as many", [bar for way, series in ways for bar in
                                                        self.bar(pairs, f"{way}, x{scale}", f"{way}, x1", series)])
                       for scale in shard_cells.SCALES[1:])))
        return sections


class ReliableUdp(Figure):
    title = "Reliable UDP relative to ENet"
    bench = "udp"
    statistic = staticmethod(statistics.median)
    series = ("datagrams of 1400 bytes", "of 512 bytes", "of 512 bytes, without redundancy", "for old peers")
    rows = ("muster-1400", "muster-512", "muster-512-plain", "muster-legacy")
    # Label, scenario and column, what is behind the names of the rows, and what is demanded of which series.
    throughput = (("64 KiB messages", "bulk: MB/s", "", {0: 4, 1: 4}),
                  ("receiver without UDP_GRO", "bulk: MB/s", "-nogro", {0: 1.5, 1: 1.5}),
                  ("64-byte messages", "messages: k messages/s", "", {0: 8, 1: 8}),
                  ("40 ms, 5 % loss", "goodput-40-5: MB/s", "", {0: 10, 1: 10}),
                  ("100 ms, 5 % loss", "goodput-100-5: MB/s", "", {}))
    cost = (("64 KiB messages, per byte", "bulk: CPU s/GB", "", {0: 0.2, 1: 0.2}),
            ("in memory, per datagram", "memory-bulk: CPU ns/datagram", "", {1: 0.8}),
            ("in memory, per 64-byte message", "memory-messages: CPU ns/message", "", {0: 0.12, 1: 0.12}),
            ("1000 sessions, per echo", "sessions: CPU us/echo", "", {0: 0.6, 1: 0.6}))
    latency = tuple((f"{loss} % loss", f"latency-{loss}: p99 ms", "", {}) for loss in (1, 5, 10))

    @property
    def cells(self):
        """The scenarios."""
        return tuple(dict.fromkeys(column.partition(":")[0] for _, column, *_ in
                                   self.throughput + self.cost + self.latency))

    def contestants(self):
        return ("enet", *self.rows, "muster-1400-nogro", "muster-512-nogro")

    def cells_of(self, result):
        cells = {}
        wanted = {column for _, column, *_ in self.throughput + self.cost + self.latency}
        for scenario in result["scenarios"]:
            for index, column in enumerate(scenario["columns"]):
                name = f"{scenario['name']}: {column}"
                if name in wanted:
                    cells[name] = {row["name"]: [one[index] for one in row["runs"]] for row in scenario["rows"]
                                   if row["runs"] and row["name"].removesuffix(AGAIN) in self.contestants()}
        return cells

    def sections(self, data):
        def section(title, axis, is_less_better, lines, series):
            def bars(column, suffix, demands):
                cell = data["cells"].get(column, {})
                return [bar for index in series
                        for bar in self.bar(cell, self.rows[index] + suffix, "enet", index, demands.get(index))]

            return Section(title, axis, is_less_better, filled(Group(label, bars(*line)) for label, *line in lines))

        return [section("Throughput", "messages or bytes per second, ratio (1 = ENet)", False, self.throughput, (0, 1)),
                section("Cost", "CPU time, ratio (1 = ENet)", True, self.cost, (0, 1)),
                section("Latency of small messages, round trip 100 ms, virtual time",
                        "99th percentile one way, ratio (1 = ENet)", True, self.latency, (1, 2, 3))]


FIGURES = {"peers": Peers(), "hosts": Hosts(), "windows": Windows(), "signaling": Signaling(), "shards": Shards(),
           "udp": ReliableUdp()}
