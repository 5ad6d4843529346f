#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-bot in a small scripted lobby: matches, statuses, and a token that nobody sees.

usage: bot_lobby.py MUSTER_BOT
"""

import asyncio
import contextlib
import json
import os
import pathlib
import pty
import signal
import sys
import tempfile

from relay_process import skip

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed")

TOKEN = "cz_extbot_0123456789abcdefABCDEF0123456789"
SENTINEL = "chipzen-bot-token"

HOLDEM = {"hand_number": 1, "phase": "preflop", "board": [], "your_hole_cards": ["As", "Ad"],
          "pot": 15, "your_stack": 995, "opponent_stacks": [990], "to_call": 5, "min_raise": 20,
          "max_raise": 1000, "action_history": []}


class Lobby:
    """A server that does what a test says, and keeps what it was sent."""

    def __init__(self, matches=(), turns=(), end=None, ending=None, fault=None):
        self.matches = matches  # given to each bot, one after the other has begun
        self.turns = turns      # of each match: (legal actions, state)
        self.end = end or {}    # what match_end says
        self.ending = ending    # what becomes of the lobby's connection after hello
        self.fault = fault      # an error frame before each match's first turn
        self.actions = []
        self.authenticated = []
        self.client_hellos = []
        self.gateways = 0
        self.opened = asyncio.Event()
        self.playing = asyncio.Event()
        self.lobby_codes = []
        self.gateway_codes = []

    async def __aenter__(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", 0, subprotocols=[SENTINEL])
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/ws/external/bot/b1"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, socket):
        # A test that has seen enough goes away without a word.
        with contextlib.suppress(websockets.ConnectionClosed):
            if socket.path.startswith("/ws/external/bot/"):
                await self.serve_lobby(socket)
            else:
                await self.serve_gateway(socket)

    async def receive(self, socket):
        return json.loads(await asyncio.wait_for(socket.recv(), 20))

    async def serve_lobby(self, socket):
        said = await self.receive(socket)
        assert said.keys() == {"type", "token"} and said["type"] == "authenticate", said
        assert TOKEN not in socket.path
        assert socket.request_headers["User-Agent"].startswith("muster-bot/")
        self.authenticated.append(said["token"])
        bot = socket.path.rsplit("/", 1)[1]
        if isinstance(self.ending, tuple) and self.ending[0] == "refuse":
            return await socket.close(*self.ending[1:])
        await socket.send(json.dumps({"type": "hello", "endpoint": "lobby"}))
        self.opened.set()
        for match in self.matches:
            await socket.send(json.dumps({
                "type": "matched", "match_id": match, "participant_id": f"{bot}-{match}",
                "gateway_ws_url": f"/ws/external/match/{len(self.authenticated)}/{bot}",
                "rated": False}))
        if self.ending == "evict":
            await socket.send(json.dumps({"type": "evict"}))
        elif isinstance(self.ending, tuple):
            await socket.close(*self.ending[1:])
        try:
            await socket.wait_closed()
        finally:
            self.lobby_codes.append(socket.close_code)

    async def serve_gateway(self, socket):
        self.gateways += 1
        offers = socket.request_headers["Sec-WebSocket-Protocol"].split(", ")
        assert offers[0] == SENTINEL and len(offers) == 2, offers
        assert socket.subprotocol == SENTINEL
        said = await self.receive(socket)
        assert said["type"] == "authenticate" and said["token"] == "", said
        match = said["match_id"]
        seq = iter(range(1, 1000))

        async def send(kind, **fields):
            await socket.send(json.dumps({"type": kind, "match_id": match, "seq": next(seq),
                                          **fields}))
        await socket.send(json.dumps({"type": "hello", "match_id": match, "seq": 1,
                                      "supported_versions": ["1.0"], "selected_version": "1.0",
                                      "game_type": "poker", "capabilities": ["reconnect"]}))
        self.client_hellos.append(await self.receive(socket))
        await send("match_start", your_seat=1, seats=[], game_config={}, turn_timeout_ms=5000)
        self.playing.set()
        if self.fault:
            await send("error", **self.fault)
        for number, (legal, state) in enumerate(self.turns):
            await send("turn_request", seat=1, request_id=f"req_{number}", timeout_ms=5000,
                       valid_actions=legal, state=state)
            if legal is NO_ANSWER:
                break
            answer = await self.receive(socket)
            assert answer["request_id"] == f"req_{number}", answer
            self.actions.append((match, answer["action"], answer["params"]))
            await send("turn_result", seat=1, details={"is_timeout": False})
        if self.end is not NO_END:
            await send("match_end", reason="complete", **self.end)
            await socket.close(1000)
        await socket.wait_closed()
        self.gateway_codes.append(socket.close_code)


NO_END = {"never": True}
NO_ANSWER = []


class Bot:
    """A run of the program. However it is told its token, none of its output shows it."""

    def __init__(self, program, *options, environment=None, output=None):
        self.command = (program, *options)
        self.environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent",
                            **(environment or {})}
        self.output = output if output is not None else asyncio.subprocess.PIPE

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=self.output, stderr=asyncio.subprocess.PIPE, cwd="/")
        return self

    async def finish(self, status, seconds=30):
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        self.out, self.err = (out or b"").decode(), err.decode()
        shown = self.out + self.err
        assert self.process.returncode == status, (self.process.returncode, status, shown)
        assert TOKEN not in shown, shown
        return self

    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, kind):
        return [event for event in self.events() if event["event"] == kind]


async def play(program, files, lobby, *options, status=0, json_log=True):
    bot = Bot(program, "--url", lobby.url, "--token-file", files.token,
              *(["--json-log"] if json_log else []), *options)
    return await (await bot.start()).finish(status)


class Files:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.token = self.write("token", TOKEN + "\n")
        self.bots = self.write("bots", "".join(f"bot-{n} {TOKEN}\n" for n in range(50)))

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)


async def plays_matches(program, files):
    turns = [(["fold", "call", "raise"], HOLDEM)]
    won = {"finishing_order": [{"place": 1, "seat": 1}, {"place": 2, "seat": 0}]}
    async with Lobby(["m1", "m2"], turns, won) as lobby:
        run = await play(program, files, lobby, "--max-matches", "2", "--strategy", "tag")
        assert lobby.authenticated == [TOKEN]
        assert sorted(lobby.actions) == [(m, "raise", {"amount": 23}) for m in ("m1", "m2")]
        assert lobby.lobby_codes == [1000], lobby.lobby_codes
        for hello in lobby.client_hellos:
            assert hello["client_name"] == "muster-bot" and "supported_games" not in hello, hello
    results = run.of("match_result")
    assert sorted(r["match_id"] for r in results) == ["m1", "m2"]
    for result in results:
        assert result["outcome"] == "completed" and result["verdict"] == "won", result
        assert result["turns"] == 1 and result["fallbacks"] == 0, result
    assert [e["reason"] for e in run.of("stopped")] == ["max_matches"]
    [summary] = run.of("summary")
    assert summary["completed"] == summary["won"] == 2 and summary["status"] == 0, summary
    assert summary["decisions"]["count"] == 2 and summary["turns"] == 2, summary
    assert run.err == "", run.err

    # People get lines instead.
    lost = {"results": [{"seat": 1, "net_chips": -5}, {"seat": 0, "net_chips": 5}]}
    async with Lobby(["m1"], turns, lost) as lobby:
        run = await play(program, files, lobby, "--max-matches", "1", json_log=False)
    assert "1 played, 0 won, 1 lost, 0 drawn" in run.out, run.out
    assert "1 turns, 0 of them by the fallback" in run.out, run.out


async def plays_any_game(program, files):
    board = {"board": ["", "X", ""], "mark": "O"}
    async with Lobby(["m1"], [(["0", "2"], board)]) as lobby:
        await play(program, files, lobby, "--max-matches", "1", "--game", "tic_tac_toe")
        assert lobby.actions == [("m1", "0", {})], lobby.actions
        assert lobby.client_hellos[0]["supported_games"] == ["tic_tac_toe"]

    # The same seed does the same again, and another one something else.
    turns = [([str(n) for n in range(9)], board)] * 12
    seen = []
    for seed in "1", "1", "2":
        async with Lobby(["m1"], turns) as lobby:
            await play(program, files, lobby, "--max-matches", "1", "--strategy", "random",
                       "--seed", seed)
            seen.append(lobby.actions)
    assert seen[0] == seen[1] != seen[2], seen


async def replaces_what_cannot_be_read(program, files):
    broken = {**HOLDEM, "pot": "much"}
    async with Lobby(["m1"], [(["fold", "call"], broken)]) as lobby:
        run = await play(program, files, lobby, "--max-matches", "1")
        assert lobby.actions == [("m1", "fold", {})], lobby.actions
    [result] = run.of("match_result")
    assert result["fallbacks"] == 1 and len(run.of("handler_error")) == 1, run.out
    async with Lobby(["m1"], [(["fold", "call"], broken)]) as lobby:
        run = await play(program, files, lobby, "--no-safe-mode", status=5)
    assert [e["reason"] for e in run.of("stopped")] == ["handler_failed"]
    assert "the strategy failed" in run.err, run.err


async def has_statuses(program, files):
    nobody = Lobby()
    async with nobody:
        pass
    lost = await Bot(program, "--url", nobody.url, "--token-file", files.token).start()

    for code in 4001, 4002:
        async with Lobby(ending=("refuse", code, f"bad {TOKEN}")) as lobby:
            run = await play(program, files, lobby, status=3)
            assert len(lobby.authenticated) == 1
        [closed] = run.of("lobby_closed")
        assert closed["code"] == code and closed["detail"] == "bad [token]", closed
    for ending in "evict", ("close", 4000, "Replaced by new connection"):
        async with Lobby(ending=ending) as lobby:
            run = await play(program, files, lobby)
            assert len(lobby.authenticated) == 1
        assert [e["reason"] for e in run.of("stopped")] == ["evicted"]

    async def refused(*options, environment=None):
        run = await Bot(program, *options, environment=environment).start()
        return (await run.finish(2)).err
    shared = files.write("shared", TOKEN, 0o644)
    assert "(file_shared)" in await refused("--bot-id", "b", "--token-file", shared)
    assert "(no_token)" in await refused("--bot-id", "b")
    assert "(no_lobby_url)" in await refused("--lobby", "--token-file", files.token)
    assert "(unknown_env)" in await refused("--bot-id", "b", "--token-file", files.token,
                                            "--env", "prd")
    assert "(lobby_insecure)" in await refused("--url", "ws://example.org/",
                                               "--token-file", files.token)
    assert "(bad_token)" in await refused("--bot-id", "b", environment={
        "CHIPZEN_EXTBOT_TOKEN": TOKEN + "\x01"})
    home = files.folder / "home"
    (home / ".chipzen").mkdir(parents=True)
    files.write("home/.chipzen/chipzen.toml", f"[external_api]\ntoken = {TOKEN}\n")
    assert "(config_syntax)" in await refused("--bot-id", "b", environment={"HOME": str(home)})

    # It has tried six times by now, or soon has.
    await lost.finish(4)
    assert "cannot be reached" in lost.err, lost.err


async def takes_its_token_from_anywhere(program, files):
    home = files.folder / "home"
    async with Lobby(ending="evict") as lobby:
        files.write("home/.chipzen/chipzen.toml",
                    f'[external_api]\ntoken = "{TOKEN}"\nurl = "{lobby.url}"\n')
        for options, environment in (
                (["--lobby"], {"HOME": str(home)}),
                (["--url", lobby.url], {"CHIPZEN_EXTBOT_TOKEN": TOKEN}),
                (["--url", lobby.url, "--token", TOKEN], {}),
                (["--url", lobby.url, "--insecure-files", "--token-file",
                  files.write("shared", TOKEN, 0o644)], {})):
            run = await Bot(program, *options, environment=environment).start()
            await run.finish(0)
        assert lobby.authenticated == [TOKEN] * 4
        run = await Bot(program, "--bot-id", "b", environment={"HOME": str(home)}).start()
        await run.finish(0)
        assert "have no effect" in run.err, run.err


async def shows_no_token(program, files):
    """A server that gives back what it was sent."""
    fault = {"code": TOKEN, "message": TOKEN}
    for json_log in True, False:
        async with Lobby([f"m-{TOKEN}"], [], {"reason": TOKEN}, fault=fault) as lobby:
            lobby.end = {}
            run = await play(program, files, lobby, "--max-matches", "1", json_log=json_log)
        assert "[token]" in run.out + run.err, (run.out, run.err)

    # The same on a terminal, where there is a table.
    async with Lobby([f"m-{TOKEN}"], end=NO_END, fault=fault) as lobby:
        main, side = pty.openpty()
        run = await Bot(program, "--url", lobby.url, "--token-file", files.token,
                        output=side).start()
        os.close(side)
        seen = b""

        def read():
            nonlocal seen
            with contextlib.suppress(OSError):
                seen += os.read(main, 65536)
        asyncio.get_running_loop().add_reader(main, read)
        for _ in range(600):
            if b"1 matches running" in seen and b"m-[token]" in seen:
                break
            await asyncio.sleep(0.02)
        run.process.send_signal(signal.SIGTERM)
        await run.finish(0)
        asyncio.get_running_loop().remove_reader(main)
        os.close(main)
    assert b"m-[token]" in seen and b"1 matches running" in seen, seen
    assert b"\x1b[" in seen and TOKEN.encode() not in seen, seen


async def stops(program, files):
    # Nothing is played: at once, and with a word to the lobby.
    async with Lobby() as lobby:
        run = await Bot(program, "--url", lobby.url, "--token-file", files.token,
                        "--json-log").start()
        await asyncio.wait_for(lobby.opened.wait(), 20)
        if sys.platform == "linux":
            assert TOKEN.encode() not in pathlib.Path(
                f"/proc/{run.process.pid}/cmdline").read_bytes()
        run.process.send_signal(signal.SIGTERM)
        await run.finish(0)
        assert [e["reason"] for e in run.of("stopped")] == ["stopped"]
        assert lobby.lobby_codes == [1000], lobby.lobby_codes

    # A match that goes on is waited for, and then left.
    async with Lobby(["m1"], end=NO_END) as lobby:
        run = await Bot(program, "--url", lobby.url, "--token-file", files.token,
                        "--json-log").start()
        await asyncio.wait_for(lobby.playing.wait(), 20)
        run.process.send_signal(signal.SIGINT)
        await run.finish(0)
        [result] = run.of("match_result")
        assert result["outcome"] == "cancelled", result
        assert lobby.gateway_codes == [1001], lobby.gateway_codes

    # A second signal does not wait.
    async with Lobby(["m1"], end=NO_END) as lobby:
        run = await Bot(program, "--url", lobby.url, "--token-file", files.token,
                        "--json-log").start()
        await asyncio.wait_for(lobby.playing.wait(), 20)
        run.process.send_signal(signal.SIGTERM)
        while not lobby.lobby_codes:  # the first one has come
            await asyncio.sleep(0.02)
        run.process.send_signal(signal.SIGTERM)
        await run.finish(1)
        assert not run.of("stopped") and run.of("summary")[0]["status"] == 1, run.out


async def runs_many(program, files):
    turns = [(["fold", "call", "raise"], HOLDEM)]
    async with Lobby(["m1", "m2"], turns, {"finishing_order": [{"place": 1, "seat": 1},
                                                              {"place": 1, "seat": 0}]}) as lobby:
        bot = Bot(program, "--bots", files.bots, "--url", lobby.url, "--max-matches", "2",
                  "--json-log")
        run = await (await bot.start()).finish(0, 60)
        assert len(lobby.authenticated) == 50 and len(lobby.actions) == 100
    [summary] = run.of("summary")
    assert summary["bots"] == 50 and summary["completed"] == summary["drawn"] == 100, summary
    results = {(r["bot"], r["match_id"]) for r in run.of("match_result")}
    assert results == {(f"bot-{n}", m) for n in range(50) for m in ("m1", "m2")}


async def main():
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        files = Files(folder)
        for part in (plays_matches, plays_any_game, replaces_what_cannot_be_read, has_statuses,
                     takes_its_token_from_anywhere, shows_no_token, stops, runs_many):
            print(part.__name__, flush=True)
            await part(program, files)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
