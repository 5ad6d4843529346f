# SPDX-License-Identifier: MIT
"""The whole life of rooms, played by hosts and players written from docs/protocol/relay.md alone.

usage: relay_life.py MUSTER_RELAY [--backend NAME] [--loops N] [--only PATTERN]

A scenario is a function; what the relay is configured with stands above it. Scenarios with the same
configuration share a relay, one after the other.
"""

import argparse
import asyncio
import fnmatch
import json
import os
import pathlib
import sys
import tempfile
import traceback

from relay_process import Relay, skip

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

import relay_scenarios_plain
import relay_scenarios_extended
from relay_scenario import SCENARIOS, Life

GAMES = [{"name": "demo", "max_players": 0}, {"name": "solo", "max_players": 1},
         {"name": "duo", "max_players": 2}]
# Scenarios of the vector file that need another kind of test.
ELSEWHERE = {"id exhaustion": "65435 connections; on memory in tests/spec"}


def check_vectors():
    """Every scenario of the vector file is shown by one of ours."""
    data = pathlib.Path(__file__).parent.parent / "data" / "relay_vectors.json"
    wanted = {s["name"] for s in json.loads(data.read_text(encoding="utf-8"))["scenarios"]}
    shown = {name for _, _, vectors, _ in SCENARIOS for name in vectors}
    assert shown | ELSEWHERE.keys() == wanted, shown ^ wanted


def write_files(folder, config):
    games = os.path.join(folder, "games.json")
    with open(games, "w", encoding="utf-8") as file:
        json.dump(GAMES, file)
    path = os.path.join(folder, "relay.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write('games = "games.json"\n')
        file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in config.items())
    return path


async def run(relay, name, function):
    try:
        async with Life(relay) as life:
            await asyncio.wait_for(function(life), 60)
        print("ok  ", name, flush=True)
        return True
    except Exception:
        print("FAIL", name, flush=True)
        traceback.print_exc(file=sys.stdout)
        return False


async def main(program, backend, loops, only):
    check_vectors()
    by_config = {}
    for name, config, _, function in SCENARIOS:
        if fnmatch.fnmatch(name, only):
            by_config.setdefault(json.dumps(config, sort_keys=True), []).append((name, function))
    assert by_config, f"no scenario is named {only}"
    failed = 0
    for config, group in by_config.items():
        with tempfile.TemporaryDirectory() as folder:
            path = write_files(folder, {"loops": loops, **json.loads(config)})
            try:
                with Relay(program, "--backend", backend, "--config", path) as relay:
                    for name, function in group:
                        failed += not await run(relay, name, function)
                    if await asyncio.to_thread(relay.stop) != 0 or relay.errors:
                        print("FAIL the relay's end:", *relay.errors, flush=True)
                        failed += 1
            except AssertionError as problem:
                print("FAIL", *(name for name, _ in group), "-", problem, flush=True)
                failed += len(group)
    total = sum(map(len, by_config.values()))
    print(f"{total - min(failed, total)} of {total} scenarios passed")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", metavar="MUSTER_RELAY")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--only", default="*", metavar="PATTERN")
    arguments = parser.parse_args()
    raise SystemExit(asyncio.run(
        main(arguments.program, arguments.backend, arguments.loops, arguments.only)))
