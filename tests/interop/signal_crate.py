#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-relay and the published Rust client of the signaling protocol, signal-fish-client.

    signal_crate.py MUSTER_RELAY BUILD_DIRECTORY [CASE...]

Its own example programs, unmodified, and scenarios with the crate as a library
(signal_crate/peer.rs). What cargo builds goes to the build directory.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from cargo import Cargo
from relay_process import Process, Relay

OPEN = {"SIGNAL_FISH__SECURITY__REQUIRE_WEBSOCKET_AUTH": "false",
        "SIGNAL_FISH__TURN__STUN_URLS": "[]"}
ALLOWED = {"SIGNAL_FISH__SECURITY__AUTHORIZED_APPS":
           '[{"app_id": "mb_app_abc123", "app_name": "Example"}]'}
# Little room, in the program and in the kernel: who does not read is noticed soon.
SMALL = {"SIGNAL_FISH__WEBSOCKET__SEND_QUEUE_CAPACITY": "64",
         "SIGNAL_FISH__WEBSOCKET__SLOW_CONSUMER_TIMEOUT_MS": "1000",
         "SIGNAL_FISH__WEBSOCKET__SOCKET_SEND_BUFFER_BYTES": "16384"}


def relay(program, *options, **variables):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("SIGNAL_FISH_")}
    return Relay(program, *options, env=dict(environment, **variables))


def run(*command, timeout=90, **environment):
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, env=dict(os.environ, **environment))
    print(" ".join(pathlib.Path(word).name for word in words), "->", *done.stdout.splitlines()[-1:])
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}"
    return done.stdout


def example_lobby(program, examples):
    """basic_lobby joins, gets ready, starts its game, and leaves when it is interrupted."""
    for path in ("/v2/ws", "/v3/ws"):
        with relay(program, **ALLOWED) as server:
            url = f"ws://127.0.0.1:{server.port}{path}"
            with Process(examples / "basic_lobby", env=dict(
                    os.environ, SIGNAL_FISH_URL=url, NO_COLOR="1", RUST_LOG="info")) as lobby:
                said = []
                while not (said and "Game starting" in said[-1]):
                    said.append(lobby.line(20))
                    assert "ERROR" not in said[-1] and "WARN" not in said[-1], said
                lobby.process.send_signal(signal.SIGINT)
                assert lobby.wait() == 0
            assert any("Authenticated as app: Example" in line for line in said), said
            assert server.stop() == 0
            print("basic_lobby", path, "->", said[-1].strip())


def example_load(program, examples):
    """load_lab measures; here it only has to come to an end in every mode."""
    with relay(program, **OPEN) as server:
        url = f"url=ws://127.0.0.1:{server.port}/v2/ws"
        for mode in (["ping"], ["throughput", "rates=50,200", "recipients=3"],
                     ["slow-consumer", "rate=60"], ["control-starvation"]):
            told = run(examples / "load_lab", *mode, url, "secs=2")
            assert len(told.splitlines()) >= 2, told
        metrics = server.metrics()
        assert metrics["signal_fish_game_data_messages_total"] > 100


class Crate(Cargo):
    """The sources of the crate itself, as they were published."""

    def __init__(self, user):
        # Where cargo keeps them is not ours to write to.
        copy = user.target / "signal-fish-client"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(user.source_of("signal-fish-client"), copy)
        super().__init__(copy, user.target)


def examples_of(crate):
    return crate.build("--example", "basic_lobby", "--example", "load_lab") / "examples"


def scenarios(program, peer, loops):
    options = ("--loops", str(loops))
    with relay(program, *options, **OPEN) as server:
        urls = [f"ws://127.0.0.1:{server.port}{path}" for path in ("/v2/ws", "/v3/ws")]
        run(peer, "version-2", urls[0])
        for scenario in ("version-3", "binary", "authority", "reconnect", "spectate"):
            run(peer, scenario, urls[1])
        assert server.stop() == 0
    with relay(program, *options, SIGNAL_FISH__SESSION__DEFAULT_TOPOLOGY="mesh", **OPEN) as server:
        for path in ("/v2/ws", "/v3/ws"):
            run(peer, "mesh", f"ws://127.0.0.1:{server.port}{path}")
    with relay(program, *options, **OPEN, **SMALL) as server:
        for scenario in ("slow-consumer", "lossy"):
            run(peer, scenario, f"ws://127.0.0.1:{server.port}/v3/ws")
        metrics = server.metrics()
        assert metrics["signal_fish_websocket_slow_consumer_disconnects_total"] == 1
        for kind in ("reliable", "latest", "volatile"):
            outcome = {name.split('outcome="')[1].rstrip('"}'): value
                       for name, value in metrics.items() if f'class="{kind}"' in name}
            attempted = outcome.pop("attempted")
            assert attempted == sum(outcome.values()) > 0, (kind, attempted, outcome)


def drain(program, peer):
    with relay(program, SIGNAL_FISH__SERVER__DRAIN_GRACE_SECS="1", **OPEN) as server:
        url = f"ws://127.0.0.1:{server.port}/v3/ws"
        with Process(peer, "drain", url) as players:
            assert players.line(20) == "joined"
            assert server.stop() == 0
            assert players.line() == "drain: done"
            assert players.wait() == 0


def main():
    program, directory, *cases = sys.argv[1:]
    folder = pathlib.Path(__file__).parent / "signal_crate"
    cargo = Cargo(folder, directory)
    peer = cargo.build() / "peer"
    every = {
        "scenarios": lambda: scenarios(program, peer, 1),
        "loops": lambda: scenarios(program, peer, 3),
        "drain": lambda: drain(program, peer),
        "lobby": lambda: example_lobby(program, examples_of(Crate(cargo))),
        "load": lambda: example_load(program, examples_of(Crate(cargo))),
    }
    for name in cases or every:
        every[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
