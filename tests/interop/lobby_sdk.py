#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two bots of the published Python SDK play a match of hold'em to its end on muster-lobby, and one plays muster-bot.

    lobby_sdk.py BUILD_DIRECTORY MUSTER_LOBBY MUSTER_BOT

The SDK is installed from PyPI, in a virtual environment in the build directory, and is used as it
is: its own command line, with `--env local`, which means port 8001.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile

from relay_process import Server, skip

PACKAGE = "chipzen-bot==0.6.0"
PORT = 8001
HERE = pathlib.Path(__file__).parent


def install(folder):
    """The SDK's program; skips where PyPI, or what it takes to use it, is not there."""
    program = folder / "bin" / "chipzen"
    marker = folder / "installed"
    if marker.exists() and marker.read_text() == PACKAGE:
        return program
    if sys.version_info < (3, 10):
        skip("the SDK needs Python 3.10")
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        skip("this Python makes no virtual environments")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install",
           "--quiet", "--retries", "1", "--timeout", "15", PACKAGE]
    fetched = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=240)
    if fetched.returncode != 0:
        skip("PyPI does not give the SDK: " + fetched.stdout.strip().splitlines()[-1])
    marker.write_text(PACKAGE)
    return program


def port_is_free():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


def sdk_bot(chipzen, folder, bot_id, token, report):
    return subprocess.Popen(
        [str(chipzen), "run-external", str(HERE / "lobby_sdk" / "caller.py"), "--env", "local", "--bot-id", bot_id,
         "--token", token, "--max-matches", "1", "--no-safe-mode"],
        cwd=folder, env=dict(os.environ, BOT_REPORT=str(report), HOME=str(folder)), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


def outputs_of(bots):
    """What the bots have said, when all have ended well."""
    try:
        outputs = [bot.communicate(timeout=150)[0] for bot in bots]
    finally:
        for bot in bots:
            bot.kill()
    for bot, output in zip(bots, outputs):
        assert bot.returncode == 0, output
    return outputs


def tournament(program, chipzen, folder, *options):
    """Both bots' reports, the table, and the file of results."""
    folder.mkdir()
    tokens, results = folder / "tokens", folder / "results.sqlite"
    with Server("muster-lobby", program, "--open-accounts", "2", "--tokens", str(tokens),
                "--results", str(results), "--tournament", "elimination", "--bots", "2",
                "--until-over", "--stack", "300", "--hands-per-level", "5", "--result-delay", "20",
                "--frames-per-second", "0", *options, port=PORT) as lobby:
        assert lobby.line() == "elimination: 2 bots"
        assert lobby.line() == f"tokens: {tokens}"
        assert tokens.stat().st_mode & 0o777 == 0o600
        accounts = [line.split(" ") for line in tokens.read_text().splitlines()]
        assert len(accounts) == 2
        bots, reports = [], []
        for bot_id, token, bot_name in accounts:
            reports.append(folder / (bot_name + ".json"))
            bots.append(sdk_bot(chipzen, folder, bot_id, token, reports[-1]))
        outputs = outputs_of(bots)
        header = lobby.line(30)
        assert header.split() == ["place", "name", "wins", "draws", "losses", "net", "elo"], header
        table = [lobby.line() for _ in range(2)]
        assert lobby.wait() == 0
    print("\n".join(table))
    ends = [json.loads(report.read_text()) for report in reports]

    # Both saw the same match, to its end.
    for end in ends:
        assert end["end"]["reason"] == "complete", end
        assert end["end"]["terminal_status"] == "completed"
        assert end["seen"]["starts"] == 1
        assert end["seen"]["decisions"] == end["seen"]["cards"] >= 1
        assert sum(seat["net_chips"] for seat in end["end"]["results"]) == 0
        assert sorted(seat["final_stack"] for seat in end["end"]["results"]) == [0, 600]
    assert ends[0]["end"]["results"] == ends[1]["end"]["results"]
    assert [row.split()[2] for row in table] == ["1", "0"], table
    return ends, results, outputs


def versus(program, chipzen, muster_bot, folder):
    """One bot of the SDK and one of ours, in one match."""
    folder.mkdir()
    tokens, report = folder / "tokens", folder / "report.json"
    with Server("muster-lobby", program, "--open-accounts", "2", "--tokens", str(tokens), "--tournament", "elimination",
                "--bots", "2", "--until-over", "--stack", "300", "--hands-per-level", "5", "--result-delay", "20",
                "--frames-per-second", "0", port=PORT) as lobby:
        lobby.line(), lobby.line()
        (sdk_id, sdk_token, _), (our_id, our_token, _) = [
            line.split(" ") for line in tokens.read_text().splitlines()]
        secret = folder / "token"
        secret.touch(0o600)
        secret.write_text(our_token)
        bots = [sdk_bot(chipzen, folder, sdk_id, sdk_token, report),
                subprocess.Popen(
            [muster_bot, "--env", "local", "--bot-id", our_id, "--token-file", str(secret), "--strategy", "tag",
             "--max-matches", "1", "--no-safe-mode", "--json-log"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)]
        outputs = outputs_of(bots)
        assert lobby.wait() == 0
    sdk = json.loads(report.read_text())
    ours = [json.loads(line) for line in outputs[1].splitlines()]
    results = [line for line in ours if line["event"] == "match_result"]
    assert len(results) == 1 and results[0]["outcome"] == "completed", results
    assert results[0]["turns"] > 0 and results[0]["fallbacks"] == 0, results
    assert sdk["end"]["terminal_status"] == "completed", sdk
    nets = sorted(seat["net_chips"] for seat in sdk["end"]["results"])
    assert nets[0] == -nets[1] != 0, sdk
    assert results[0]["verdict"] in ("won", "lost"), results
    print(f"the SDK and muster-bot: {results[0]['turns']} turns of ours, which {results[0]['verdict']}")


def replayed(program, results):
    """The frames of the match that is in the file, by running it again."""
    database = sqlite3.connect(results)
    matches = database.execute("SELECT id, status FROM matches").fetchall()
    database.close()
    assert len(matches) == 1 and matches[0][1] == "completed", matches
    again = subprocess.run([program, "--results", str(results), "--replay", matches[0][0]],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert again.returncode == 0, again.stderr
    return [line.split(" ", 1)[1] for line in again.stdout.splitlines()]


def main():
    build, program, muster_bot = sys.argv[1:]
    chipzen = install(pathlib.Path(build).resolve() / "chipzen-bot")
    if not port_is_free():
        skip(f"port {PORT} is taken")
    with tempfile.TemporaryDirectory() as name:
        # Nothing was done for them, and each heard of everything.
        ends, results, _ = tournament(program, chipzen, pathlib.Path(name) / "plain")
        versus(program, chipzen, muster_bot, pathlib.Path(name) / "versus")
        decisions = sum(end["seen"]["decisions"] for end in ends)
        for end in ends:
            assert end["seen"]["results"] == decisions, ends
            assert end["seen"]["hands"] == end["end"]["total_hands_played"] >= 1
            assert all(seat["bot_errors"] == [] for seat in end["end"]["results"]), end
        requests = sum('"turn_request"' in frame for frame in replayed(program, results))
        assert requests == decisions, (requests, decisions)

        # A connection that is cut in the middle: the bot comes back to its seat, and plays on.
        ends, results, outputs = tournament(program, chipzen, pathlib.Path(name) / "cut",
                                            "--fault", "cut@1:8")
        back = [line for output in outputs for line in output.splitlines()
                if re.search(r"match \S+: reconnecting", line)]
        assert len(back) == 1, outputs
        # The end is told behind a gap, to who was away too.
        assert replayed(program, results)[-1].startswith("close 1000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
