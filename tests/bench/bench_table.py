# SPDX-License-Identifier: MIT
"""What all tables of the benchmark have in common."""

import statistics

AGAIN = " (again)"


def lower_quartile(values):
    return statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]


def ratio_text(row, other):
    return (f"**{row['cpu_lower_quartile_ns'] / other['cpu_lower_quartile_ns']:.2f}** "
            f"({row['cpu_median_ns'] / other['cpu_median_ns']:.2f})")


def control_text(cell):
    return f"A/A {cell['control_ratio']:.2f}, {cell['verdict']} (attempt {len(cell['attempts'])})"


def table(heads, rows):
    if not rows:
        return []
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(row) + " |" for row in rows), ""]
