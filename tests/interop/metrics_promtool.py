#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What /metrics of the three servers says, after something has happened there, before Prometheus' own
`promtool check metrics`: it parses, and promtool has no remark on a name, a type or a help text but those accepted below.
The configuration of Prometheus in the documents is checked too, and that its alerts name what is there.

usage: metrics_promtool.py MUSTER_RELAY MUSTER_SHARD MUSTER_LOBBY MUSTER_BOT
"""

import asyncio
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from relay_process import Server, skip, wait_until
from shard_process import Shard
from signal_websockets import V3, Client, relay

PROMTOOL = shutil.which("promtool")
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"

# Names that a specification fixes, and so stay as they are: (family, remark).
ACCEPTED = [
    # Milliseconds and no histogram, as dashboards of Signal Fish servers expect them.
    (r"signal_fish_\w+_(average|p50|p95|p99|min|max)_ms", "metric names should not contain abbreviated units"),
]


def remarks(text):
    """The lines in which promtool finds fault, without those that are accepted."""
    run = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    lines = (run.stdout + run.stderr).splitlines()
    assert bool(lines) == (run.returncode != 0), (run.returncode, lines)
    return [line for line in lines
            if not any(re.fullmatch(f"{family} {re.escape(remark)}", line) for family, remark in ACCEPTED)]


def finds_faults(text):
    """What is to find nothing in good metrics finds each fault that is planted into them."""
    assert remarks(text) == []
    fixed = "signal_fish_planted_p99_ms"
    assert remarks(f"{text}# HELP {fixed} Time.\n# TYPE {fixed} gauge\n{fixed} 1\n") == []
    for planted in (
            "# HELP muster_kicks Kicks.\n# TYPE muster_kicks counter\nmuster_kicks 1\n",
            "# TYPE muster_rooms gauge\nmuster_rooms 1\n",
            "# HELP muster_lag_ms Lag.\n# TYPE muster_lag_ms gauge\nmuster_lag_ms 1\n",
            "# HELP muster_lag_minutes Lag.\n# TYPE muster_lag_minutes gauge\nmuster_lag_minutes 1\n",
            "# HELP muster_lag_seconds Lag.\n# TYPE muster_lag_seconds histogram\nmuster_lag_seconds_bucket{le=\"1\"} 1\n"
            "muster_lag_seconds_bucket{le=\"2\"} x\n",
            "muster_rooms{id=\"a\"b\"} 1\n"):
        assert remarks(text + planted) != [], planted


def text_of(server, path="/metrics"):
    status, headers, body = server.request("GET", path)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), (status, headers)
    return body.decode()


def check(text, *happened):
    """`happened`: samples that must not be 0, or nothing was tried."""
    for name in happened:
        [value] = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert float(value) > 0, name
    found = remarks(text)
    assert found == [], "\n".join(["promtool's remarks:", *found])
    return text


def play(bot, *options):
    subprocess.run([bot, *options, "--duration", "1"], check=True, stdout=subprocess.DEVNULL, timeout=60)


async def meet(server):
    host = await Client.connect(server, **V3)
    await host.hear("Authenticated", "ProtocolInfo")
    await host.join("Ada")
    guest = await Client.connect(server, **V3)
    await guest.hear("Authenticated", "ProtocolInfo")
    await guest.join("Bo", room_code=host.room)
    await host.send("GameData", data={"x": 1})
    await host.send("Ping")
    while json.loads(await asyncio.wait_for(host.socket.recv(), 15))["type"] != "Pong":
        pass
    for client in (host, guest):
        await client.socket.close()


def check_relay(program, bot, folder):
    with relay(program, "auto", "--records", f"sqlite:{folder}/records.db") as server:
        play(bot, "--relay", server.ws, "--players", "3")
        asyncio.run(meet(server))
        wait_until(lambda: re.search(r'^muster_records_written_total\{kind="\w+"\} [1-9]', text_of(server), re.MULTILINE),
                   "a record is written")
        text = check(text_of(server), "muster_relay_rpcs_total", "muster_relay_updates_total",
                     "signal_fish_rooms_joined_total", "signal_fish_game_data_messages_total")
        check(text_of(server, "/metrics/prom"))
        finds_faults(text)
        assert server.stop() == 0
    return text


def check_shard(program, bot):
    # An id may be any text; in a label it has to be escaped.
    with Shard(program, "--guests", "--shard", "arena", "--shard", 'the "north\\south" one') as server:
        play(bot, "--shard", f"{server.ws}?shard=arena", "--players", "3")
        refused = server.request("GET", "/?shard=nowhere", headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        assert refused[0] == 404, refused
        text = check(text_of(server), 'muster_shard_inputs_total{shard="arena",result="accepted"}',
                     'muster_shard_handshake_refused_total{status="404"}', "muster_shard_tick_lag_seconds_count")
        assert '{shard="the \\"north\\\\south\\" one"}' in text
        assert server.stop() == 0
    return text


def check_lobby(program, folder):
    with Server("muster-lobby", program, "--tournament", "round-robin", "--game", "tic_tac_toe", "--bots", "0",
                "--house-bots", "4", "--house-delay", "1", "--result-delay", "1", "--frames-per-second", "0",
                "--results", f"{folder}/results.db") as server:
        wait_until(lambda: re.search(r"^muster_results_stored_total [1-9]", text_of(server), re.MULTILINE), "a match is over")
        text = check(text_of(server), "muster_matches_started_total", 'muster_matches_total{status="completed"}')
        server.stop()
    return text


def check_configuration(folder, texts):
    [example] = re.findall(r"```yaml\n(scrape_configs:.*?)```", (DOCS / "operations.md").read_text(), re.DOTALL)
    (folder / "prometheus.yml").write_text(example)
    alerts = DOCS / "prometheus/alerts.yml"
    for command in ("check", "config", "--lint-fatal", folder / "prometheus.yml"), ("check", "rules", "--lint-fatal", alerts):
        run = subprocess.run([PROMTOOL, *command], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr
    named = re.findall(r"\b((?:muster|signal_fish)_\w+)(\{.*?\})?", "".join(
        re.findall(r"^ +expr: (.*)$", alerts.read_text(), re.MULTILINE)))
    assert named
    for name, labels in named:
        assert re.search(rf"^{name}\b.*{re.escape(labels[1:-1])}", texts, re.MULTILINE), name + labels
    # Labels that are shown to people.
    for label in re.findall(r"\$labels\.(\w+)", alerts.read_text()):
        assert label == "instance" or f'{label}="' in texts, label


def main():
    relay_program, shard_program, lobby_program, bot = sys.argv[1:]
    if PROMTOOL is None:
        skip("there is no promtool on the path")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = check_relay(relay_program, bot, folder) + check_shard(shard_program, bot) + check_lobby(lobby_program, folder)
        check_configuration(folder, texts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
