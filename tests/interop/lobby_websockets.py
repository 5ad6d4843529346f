#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""muster-lobby over sockets, with Python's websockets: what only a real connection shows.

usage: lobby_websockets.py MUSTER_LOBBY BACKEND
"""
import asyncio
import hashlib
import hmac
import json
import pathlib
import signal
import sys
import tempfile

from relay_process import Server, skip, wait_until

try:
    import websockets
except ImportError:
    skip("the Python package websockets is not installed")

SENTINEL = "chipzen-bot-token"
ANN = ("8f3a1c2e-0000-4000-8000-000000000001", "cz_extbot_0123456789ABCDEFGHIJabcdefghij01")
BOB = ("8f3a1c2e-0000-4000-8000-000000000002", "cz_extbot_0123456789ABCDEFGHIJabcdefghij02")


def account(bot, name):
    tag = hmac.new(b"muster", bot[1].encode(), hashlib.sha256).hexdigest()
    return f"{tag} {bot[0]} {name}\n"


class Lobby(Server):
    def __init__(self, program, *options, port=0):
        super().__init__("muster-lobby", program, *options, port=port)
        self.ws = f"ws://127.0.0.1:{self.port}"

    def api(self, method, path, bot):
        status, _, body = self.request(method, "/api/external-api/" + path,
                                       headers={"Authorization": "Bearer " + bot[1]})
        return status, json.loads(body)


async def check_in(lobby, bot):
    connection = await websockets.connect(f"{lobby.ws}/ws/external/bot/{bot[0]}")
    await connection.send(json.dumps({"type": "authenticate", "token": bot[1]}))
    hello = json.loads(await connection.recv())
    assert hello["type"] == "hello" and hello["endpoint"] == "lobby", hello
    return connection


async def frame_of(connection, kind):
    while True:
        frame = json.loads(await asyncio.wait_for(connection.recv(), 10))
        if frame["type"] == kind:
            return frame


async def closed(connection):
    try:
        while True:
            await asyncio.wait_for(connection.recv(), 10)
    except websockets.ConnectionClosed as gone:
        return gone.rcvd.code if gone.rcvd else None


async def take_seat(lobby, matched, bot, **more):
    seat = await websockets.connect(lobby.ws + matched["gateway_ws_url"],
                                    subprotocols=[SENTINEL, bot[1]], **more)
    assert seat.subprotocol == SENTINEL
    await seat.send(json.dumps({"type": "authenticate", "match_id": matched["match_id"], "token": ""}))
    assert json.loads(await seat.recv())["type"] == "hello"
    await seat.send(json.dumps({"type": "hello", "match_id": matched["match_id"],
                                "supported_versions": ["1.0"]}))
    return seat


async def play(seat):
    """Checks and calls until the end; every other hand it goes all in."""
    async for text in seat:
        frame = json.loads(text)
        if frame["type"] == "match_end":
            return frame
        if frame["type"] != "turn_request":
            continue
        state, actions = frame["state"], frame["valid_actions"]
        action = "check" if "check" in actions else "call"
        params = {}
        if "raise" in actions and state["hand_number"] % 2 == 0:
            action, params = "raise", {"amount": state["max_raise"]}
        await seat.send(json.dumps({"type": "turn_action", "match_id": frame["match_id"],
                                    "request_id": frame["request_id"], "action": action,
                                    "params": params}))
    return None


async def run(program, backend, folder):
    accounts = folder / "accounts"
    accounts.write_text(account(ANN, "Ann") + account(BOB, "Bob"))
    with Lobby(program, "--backend", backend, "--accounts", str(accounts), "--result-delay", "20",
               "--frames-per-second", "64", "--stack", "300", "--hands-per-level", "4") as lobby:
        status, headers, page = lobby.request("GET", "/")
        assert status == 200 and b"muster" in page and "default-src 'none'" in headers["Content-Security-Policy"]
        assert lobby.request("GET", "/healthz")[0] == 200
        for path in ("/ws/external/bot/none", "/nowhere"):
            try:
                await websockets.connect(lobby.ws + path)
                raise AssertionError(path)
            except (websockets.InvalidStatusCode if hasattr(websockets, "InvalidStatusCode")
                    else websockets.InvalidStatus):
                pass

        ann, bob = await check_in(lobby, ANN), await check_in(lobby, BOB)
        assert lobby.api("POST", "matchmaking/join", ANN)[1]["status"] == "queued"
        assert lobby.api("POST", "matchmaking/join", BOB)[1]["status"] == "matched"
        seats = [await frame_of(ann, "matched"), await frame_of(bob, "matched")]

        # The token itself is never selected, and without the sentinel nothing is.
        stranger = await websockets.connect(lobby.ws + seats[0]["gateway_ws_url"],
                                            subprotocols=[SENTINEL, BOB[1]])
        assert stranger.subprotocol == SENTINEL
        assert await closed(stranger) == 4001
        bare = await websockets.connect(lobby.ws + seats[0]["gateway_ws_url"], subprotocols=[ANN[1]])
        assert bare.subprotocol is None and await closed(bare) == 4001

        # A large frame ends a connection with the code of its leg.
        large = await take_seat(lobby, seats[0], ANN)
        await large.send(json.dumps({"type": "pong", "x": "x" * 5000}))
        assert await closed(large) == 4008

        players = [await take_seat(lobby, matched, bot) for matched, bot in zip(seats, (ANN, BOB))]
        played = await asyncio.gather(*map(play, players))
        assert all(end["reason"] == "complete" for end in played), played
        results = json.loads(lobby.request("GET", "/results.json")[2])["matches"]
        assert [match["status"] for match in results] == ["completed"], results
        now = lobby.metrics()
        assert now["muster_lobby_online"] == 2
        assert now['muster_matches_total{status="completed"}'] == 1
        assert now['muster_gateway_closed_total{why="unauthorized"}'] == 2
        assert now['muster_gateway_closed_total{why="oversized"}'] == 1
        assert now["muster_gateway_seated_total"] == 3

        # A newer connection replaces the older one; a large frame is 1009 here.
        newer = await check_in(lobby, ANN)
        assert await closed(ann) == 4000
        await newer.send("x" * 5000)
        assert await closed(newer) == 1009

        # A token that is gone from the file is revoked at once.
        accounts.write_text(account(ANN, "Ann"))
        lobby.process.send_signal(signal.SIGHUP)
        assert await closed(bob) == 4002
        assert lobby.api("GET", "matchmaking/status", BOB)[0] == 401
        assert lobby.api("GET", "matchmaking/status", ANN)[0] == 200

        # The end of the program is told.
        last = await check_in(lobby, ANN)
        status = asyncio.get_running_loop().run_in_executor(None, lobby.stop)
        assert await closed(last) == 1001
        assert await status == 0

    # What goes wrong on purpose.
    accounts.write_text(account(ANN, "Ann") + account(BOB, "Bob"))
    faults = folder / "faults"
    faults.write_text("# of the first match\nhttp=401@1:1\nmissing-subprotocol@1:1\n"
                      "wrong-subprotocol@1:1\ncut@1:1\n")
    with Lobby(program, "--backend", backend, "--accounts", str(accounts), "--faults", str(faults)) as lobby:
        ann = await check_in(lobby, ANN)
        assert lobby.api("POST", "challenges/house-bot", ANN)[0] == 200
        matched = await frame_of(ann, "matched")
        address = lobby.ws + matched["gateway_ws_url"]
        selected = []
        for _ in range(3):
            try:
                seat = await websockets.connect(address, subprotocols=[SENTINEL, ANN[1]])
                selected.append(seat.subprotocol)
                await seat.close()
            except Exception as error:  # the packages differ in what they call it
                selected.append(type(error).__name__)
        assert selected[1:] == [None, ANN[1]], selected
        assert "Status" in selected[0], selected
        seat = await websockets.connect(address, subprotocols=[SENTINEL, ANN[1]])
        await seat.send(json.dumps({"type": "authenticate", "match_id": matched["match_id"]}))
        assert await closed(seat) is None  # without a close
        wait_until(lambda: lobby.metrics()["muster_gateway_connections"] == 0, "all are gone")
        await ann.close()
        assert lobby.stop() == 0


async def end_of(seat):
    """How it ends, and after which frames. Nothing is played."""
    frames = []
    try:
        async for text in seat:
            frames.append(json.loads(text)["type"])
        return None, frames
    except websockets.ConnectionClosed as gone:
        return gone, frames


async def run_half_open(program, backend, folder):
    """A gateway that is there, and neither hears nor answers: a bot finds out by its own pings."""
    accounts = folder / "accounts"
    accounts.write_text(account(ANN, "Ann") + account(BOB, "Bob"))
    with Lobby(program, "--backend", backend, "--accounts", str(accounts),
               "--fault", "half-open@1:4") as lobby:
        ann, bob = await check_in(lobby, ANN), await check_in(lobby, BOB)
        lobby.api("POST", "matchmaking/join", ANN)
        assert lobby.api("POST", "matchmaking/join", BOB)[1]["status"] == "matched"
        matched = [await frame_of(ann, "matched"), await frame_of(bob, "matched")]
        pinging = {"ping_interval": 0.3, "ping_timeout": 1, "close_timeout": 1}
        seats = [await take_seat(lobby, *who, **pinging) for who in zip(matched, (ANN, BOB))]
        ends = [asyncio.create_task(end_of(seat)) for seat in seats]
        done, others = await asyncio.wait(ends, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1, ends
        gone, frames = done.pop().result()
        # It gave up itself, behind hello and two more frames; it was told nothing.
        assert gone.sent.code == 1011 and gone.rcvd is None, (gone.sent, gone.rcvd)
        assert "turn_request" not in frames and len(frames) == 2, frames
        # The other one's pings are answered.
        other = seats[ends.index(*others)]
        await asyncio.wait_for(await other.ping(), 10)
        assert other.open
        assert lobby.stop() == 0


def main():
    program, backend = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(program, backend, pathlib.Path(folder)))
        asyncio.run(run_half_open(program, backend, pathlib.Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
