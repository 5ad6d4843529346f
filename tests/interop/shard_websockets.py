# SPDX-License-Identifier: MIT
"""The shards against the Python package websockets, which speaks the protocol of old clients.

usage: shard_websockets.py MUSTER_SHARD BACKEND
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import sys
import tempfile
import traceback

from relay_process import skip, wait_until
from shard_process import Shard

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}


def join(shard, sid=None, name="arena", **more):
    query = f"shard={name}" + ("" if sid is None else f"&sid={sid}")
    return websockets.connect(f"{shard.ws}?{query}", **more)


async def snapshot(client):
    """(tick, picture) of the next snapshot."""
    message = await client.recv()
    assert isinstance(message, bytes) and len(message) > 8, message
    return int.from_bytes(message[:8], "big"), json.loads(message[8:])


async def picture_where(client, what, condition):
    """The first snapshot that is so; those before it came without a gap in between."""
    last = None
    for _ in range(1000):
        tick, picture = await snapshot(client)
        assert last is None or tick > last, (last, tick)
        last = tick
        if condition(picture):
            return tick, picture
    raise AssertionError(f"not within 1000 snapshots: {what}")


def body_of(picture, sid):
    return next((body for body in picture["bodies"] if body["id"] == sid), None)


def is_there(*sids):
    return lambda picture: all(body_of(picture, sid) for sid in sids)


def has(sid, condition):
    """Whether a body is there, and is so."""
    return lambda picture: body_of(picture, sid) is not None and condition(body_of(picture, sid))


async def send(client, value, seq=None):
    message = {"input": value}
    if seq is not None:
        message["client_seq"] = seq
    await client.send(json.dumps(message))


async def metrics(shard):
    return await asyncio.to_thread(shard.metrics)


async def closed(client):
    """The code and the reason of the close; what comes before it is skipped."""
    try:
        while True:
            await client.recv()
    except websockets.ConnectionClosed as end:
        return end.rcvd.code, end.rcvd.reason


async def refused(shard, status, code, query, headers=None):
    """An upgrade is answered with that status and that error body. Returns the headers."""
    got, fields, body = await asyncio.to_thread(
        shard.request, "GET", f"/?{query}", None, UPGRADE | (headers or {}))
    assert got == status, (got, body)
    error = json.loads(body)["error"]
    assert error["code"] == code and error["message"], error
    return fields


# One server for all of these; guests choose their ids.

async def case_snapshots_and_inputs(shard):
    async with join(shard, "ann") as ann:
        # The first one comes with the state as it is, the next ones with each tick. A tick that is due
        # in the very pass of the join takes its place.
        tick, picture = await snapshot(ann)
        assert picture["cell"] == 0 or body_of(picture, "ann"), (tick, picture)
        assert tick > 0, (tick, picture)
        ticks = [(await snapshot(ann))[0] for _ in range(20)]
        assert ticks == sorted(set(ticks)) and ticks[-1] >= tick + 20, (tick, ticks)

        _, picture = await picture_where(ann, "the own body", is_there("ann"))
        begin = body_of(picture, "ann")["x"]
        await send(ann, {"x": 1}, 1)
        await picture_where(ann, "moving", has("ann", lambda b: b["x"] > begin + 500))
        await send(ann, {"x": 0}, 2)
        # What was seen, and what is older, is dropped; so it stays where it is.
        await send(ann, {"x": 1}, 2)
        await send(ann, {"x": 1}, 1)
        await send(ann, {"aim": 1.5707963267948966}, 3)
        _, picture = await picture_where(ann, "aiming", has("ann", lambda b: b["aim"] == 0x4000))
        place = body_of(picture, "ann")
        for _ in range(5):
            _, picture = await snapshot(ann)
        assert body_of(picture, "ann") == place, picture


async def case_two_players(shard):
    before = await metrics(shard)
    async with join(shard, "ann") as ann, join(shard, "bob") as bob:
        _, picture = await picture_where(ann, "both", is_there("ann", "bob"))
        begin = body_of(picture, "ann")["y"]
        # Fields that nobody knows are ignored; an input needs no number.
        await ann.send('{"input":{"y":-1,"later":[{}]},"client_seq":1,"more":null}')
        await picture_where(bob, "the other moves", has("ann", lambda b: b["y"] < begin - 500))
        await ann.send(b'{"input":{"y":0,"fire":true}}')  # binary is text too
        await picture_where(bob, "a shot", lambda p: p["shots"])
        await ann.send(['{"input":', "{}", "}"])  # in fragments
        await picture_where(bob, "no more shots", lambda p: not p["shots"])
    after = await metrics(shard)
    inputs = 'muster_shard_inputs_total{shard="arena",result="accepted"}'
    assert after[inputs] - before[inputs] == 3
    encoded = after['muster_shard_frames_encoded_total{shard="arena"}']
    assert encoded <= after['muster_shard_frames_sent_total{shard="arena"}']


async def case_what_is_no_input(shard):
    async with join(shard, "ann") as ann:
        _, picture = await picture_where(ann, "the own body", is_there("ann"))
        before = await metrics(shard)
        for bad in "x", "", "[1]", "null", "1", '{"input":{}', "\ufeff{}", "{} {}", "[" * 200:
            await ann.send(bad)
        await ann.send(b"\xff\xfe")
        for bad in 1, "right", [], {"x": "1"}, {"fire": 1}, {"aim": None}:
            await send(ann, bad)
        await send(ann, {"aim": -1.5707963267948966})
        await picture_where(ann, "aiming", has("ann", lambda b: b["aim"] == 0xC000))
        after = await metrics(shard)
        bad = "muster_shard_bad_messages_total"
        assert after[bad] - before[bad] == 10, after[bad] - before[bad]
        malformed = 'muster_shard_inputs_total{shard="arena",result="malformed"}'
        assert after[malformed] - before[malformed] == 6


def check_histogram(samples, name, labels=""):
    """Its buckets are cumulative, and the last has all. Returns how many there are, and their sum."""
    comma = labels + "," if labels else ""
    prefix = f'{name}_bucket{{{comma}le="'
    buckets = [(bound[len(prefix):-2], count) for bound, count in samples.items()
               if bound.startswith(prefix)]
    assert len(buckets) > 10 and buckets[-1][0] == "+Inf", buckets
    bounds = [float(bound) for bound, _ in buckets]
    counts = [count for _, count in buckets]
    assert bounds == sorted(set(bounds)) and counts == sorted(counts), buckets
    braces = f"{{{labels}}}" if labels else ""
    assert samples[f"{name}_count{braces}"] == counts[-1]
    return counts[-1], samples[f"{name}_sum{braces}"]


async def case_what_ticks_cost(shard):
    before = await metrics(shard)
    async with join(shard, "ann") as ann:
        for _ in range(20):
            await snapshot(ann)
        await refused(shard, 404, "SHARD_NOT_FOUND", "shard=nowhere&sid=bob")
        after = await metrics(shard)
    counts = set()
    for phase in "apply", "step", "view", "encode", "publish":
        count, seconds = check_histogram(after, "muster_shard_tick_seconds", f'phase="{phase}"')
        earlier, _ = check_histogram(before, "muster_shard_tick_seconds", f'phase="{phase}"')
        assert count >= earlier + 19 and seconds > 0, (phase, count, earlier, seconds)
        counts.add(count)
    assert len(counts) == 1, counts  # each once in a tick
    ticks = sum(after[f'muster_shard_ticks_total{{shard="{name}"}}'] for name in ("arena", "café"))
    lags, _ = check_histogram(after, "muster_shard_tick_lag_seconds")
    assert counts == {lags} == {ticks}, (counts, lags, ticks)
    check_histogram(after, "muster_shard_rtt_seconds")
    refusals = 'muster_shard_handshake_refused_total{status="404"}'
    assert after[refusals] == before.get(refusals, 0) + 1


async def case_too_many_inputs(shard):
    async with join(shard, "ann") as ann:
        await picture_where(ann, "the own body", is_there("ann"))
        before = await metrics(shard)
        for seq in range(1, 1001):
            await send(ann, {}, seq)
        await send(ann, {}, 5000)
        fast = 'muster_shard_inputs_total{shard="arena",result="too_fast"}'
        inputs = [f'muster_shard_inputs_total{{shard="arena",result="{result}"}}'
                  for result in ("accepted", "too_fast", "queue_full")]

        def all_counted():
            now = shard.metrics()
            return sum(now[name] - before[name] for name in inputs) == 1001 and now
        after = await asyncio.to_thread(wait_until, all_counted, "all inputs are counted")
        assert after[fast] > before[fast]
        await picture_where(ann, "it goes on", is_there("ann"))


async def case_refusals(shard):
    await refused(shard, 400, "MISSING_SHARD", "sid=ann")
    await refused(shard, 400, "MISSING_SHARD", "shard=&sid=ann")
    await refused(shard, 400, "BAD_QUERY", "shard=%zz")
    await refused(shard, 400, "BAD_SID", "shard=arena&sid=")
    await refused(shard, 400, "BAD_SID", "shard=arena&sid=" + "x" * 129)
    await refused(shard, 404, "SHARD_NOT_FOUND", "shard=nowhere&sid=ann")
    try:
        async with join(shard, "ann", "nowhere"):
            raise AssertionError("it was let in")
    except websockets.InvalidStatusCode as answer:
        assert answer.status_code == 404

    async with join(shard, "ann", "caf%C3%A9") as ann:  # a letter outside of ASCII
        await picture_where(ann, "the own body", is_there("ann"))


async def case_replaced(shard):
    async with join(shard, "ann") as old:
        await picture_where(old, "the own body", is_there("ann"))
        async with join(shard, "ann") as new:
            assert await closed(old) == (4409, "replaced")
            _, picture = await picture_where(new, "one body", lambda p: len(p["bodies"]) == 1)
            assert body_of(picture, "ann")


async def case_pages(shard):
    status, fields, body = await asyncio.to_thread(shard.request, "GET", "/")
    assert status == 200 and b"muster shard" in body and fields["Content-Type"].startswith("text/html")
    status, fields, body = await asyncio.to_thread(shard.request, "GET", "/shards")
    assert json.loads(body) == {"shards": [
        {"id": "arena", "players": 0, "capacity": 50, "hz": 30},
        {"id": "café", "players": 0, "capacity": 50, "hz": 30}]}, body
    assert (await asyncio.to_thread(shard.request, "GET", "/healthz"))[0] == 200
    assert (await asyncio.to_thread(shard.request, "POST", "/", b"x"))[0] == 405
    assert (await asyncio.to_thread(shard.request, "GET", "/nothing"))[0] == 404
    # Any path will do for an upgrade.
    async with websockets.connect(f"{shard.ws}shard/x?shard=arena&sid=ann") as ann:
        await snapshot(ann)


# Each of these has a server of its own.

def tag(token):
    return hmac.new(b"muster", token.encode(), hashlib.sha256).hexdigest()


async def accounts(program):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "accounts")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"# who has which token\n{tag('t+1/é')} ann\n{tag('t2')} ann\n{tag('root')} boss\n")
        options = ["--backend", BACKEND, "--accounts", file, "--admin", "boss", "--shard", "arena"]
        with Shard(program, *options) as shard:
            assert shard.rules.endswith("only who has an account may play"), shard.rules
            await refused(shard, 401, "AUTH_REQUIRED", "shard=arena&sid=ann")
            await refused(shard, 401, "AUTH_REQUIRED", "shard=arena&sid=ann",
                          {"Authorization": "Bearer wrong"})
            ann = {"Authorization": "Bearer t2"}
            await refused(shard, 403, "UNAUTHORIZED", "shard=arena&sid=bob", ann)
            await refused(shard, 403, "UNAUTHORIZED", "shard=arena&sid=anna", ann)

            # By a header, by a subprotocol, which is echoed as it was sent; on several devices.
            async with join(shard, extra_headers=ann) as one, \
                    join(shard, "ann:phone", subprotocols=["bearer.t+1%2F%C3%A9"]) as two:
                assert two.subprotocol == "bearer.t+1%2F%C3%A9"
                await picture_where(one, "both", is_there("ann", "ann:phone"))
                await snapshot(two)

                request = lambda *what: asyncio.to_thread(shard.request, *what)
                status, _, body = await request(
                    "POST", "/api/shards/arena/input", b'{"input":{"fire":true}}', ann)
                assert status == 200 and json.loads(body)["accepted"] is True, body
                await picture_where(two, "the shot", lambda p: p["shots"])
                status, _, body = await request(
                    "POST", "/api/shards/arena/input", b'{"input":{"x":"no"}}', ann)
                assert status == 400, body
                assert (await request("GET", "/api/shards", None, ann))[0] == 403
                status, _, body = await request(
                    "GET", "/api/shards", None, {"Authorization": "Bearer root"})
                listed = json.loads(body)
                assert status == 200 and [each["id"] for each in listed] == ["arena"], body
                assert listed[0]["subscribers"] == 2 and listed[0]["running"], body
                assert (await request("GET", "/api/shards/arena"))[0] == 401
                assert (await request("GET", "/api/shards/arena", None, ann))[0] == 200

            async with join(shard, "anybody", subprotocols=["bearer.root"]) as boss:
                await picture_where(boss, "an administrator as anybody", is_there("anybody"))
            assert await asyncio.to_thread(shard.stop) == 0


async def full(program):
    with Shard(program, "--backend", BACKEND, "--guests", "--players", "1") as shard:
        async with join(shard, "ann") as ann:
            await picture_where(ann, "the own body", is_there("ann"))
            fields = await refused(shard, 503, "SHARD_FULL", "shard=arena&sid=bob")
            assert int(fields["Retry-After"]) > 0
            await picture_where(ann, "it goes on", is_there("ann"))
            # Who replaces itself needs no place.
            async with join(shard, "ann") as again:
                await picture_where(again, "the own body", is_there("ann"))
        assert await asyncio.to_thread(shard.stop) == 0


async def above_the_limit_of_an_address(program):
    """The transport refuses it, and says so as the shards do."""
    with Shard(program, "--backend", BACKEND, "--guests", "--connections-per-address", "1") as shard:
        async with join(shard, "ann") as ann:
            await snapshot(ann)
            fields = await refused(shard, 429, "RATE_LIMITED", "shard=arena&sid=bob")
            assert int(fields["Retry-After"]) > 0
            assert fields["Content-Type"] == "application/json"
            await snapshot(ann)

        def is_counted():
            status, _, body = shard.request("GET", "/metrics")
            return status == 200 and b'muster_shard_handshake_refused_total{status="429"} ' in body
        await asyncio.to_thread(wait_until, is_counted, "its place is free")
        assert await asyncio.to_thread(shard.stop) == 0


async def guests_are_given_an_id(program):
    with Shard(program, "--backend", BACKEND) as shard:
        assert shard.rules.endswith("guests are given an id"), shard.rules
        async with join(shard, "ann") as one, join(shard, "ann") as other:
            _, picture = await picture_where(one, "both", lambda p: len(p["bodies"]) == 2)
            ids = {body["id"] for body in picture["bodies"]}
            assert len(ids) == 2 and "ann" not in ids, ids
            await snapshot(other)
        assert await asyncio.to_thread(shard.stop) == 0


async def origins(program):
    with Shard(program, "--backend", BACKEND, "--origin", "https://game.example") as shard:
        async with join(shard, origin="https://game.example") as ann:
            await snapshot(ann)
        async with join(shard) as native:
            await snapshot(native)
        try:
            async with join(shard, origin="https://evil.example"):
                raise AssertionError("it was let in")
        except websockets.InvalidStatusCode as answer:
            assert answer.status_code == 403
        assert await asyncio.to_thread(shard.stop) == 0


async def drain(program):
    with Shard(program, "--backend", BACKEND, "--guests") as shard:
        async with join(shard, "ann") as ann:
            await snapshot(ann)
            shard.process.send_signal(signal.SIGTERM)
            code, _ = await closed(ann)
            assert code == 1001, code
        assert await asyncio.to_thread(shard.wait) == 0
        assert shard.errors == [], shard.errors


def deaf(shard, sid):
    """Joins, and never reads again."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", shard.port))
    fields = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    peer.sendall(f"GET /?shard=arena&sid={sid} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    return peer


async def never_reading_peer(program):
    """It holds up nobody, its memory has a bound, and in the end it is closed."""
    with Shard(program, "--backend", BACKEND, "--guests", "--hz", "128") as shard:
        # Long ids make large pictures, so that its buffers are soon full.
        crowd = [await join(shard, f"{i:0128}") for i in range(24)]
        reading = [asyncio.create_task(closed(each)) for each in crowd[1:]]
        await picture_where(crowd[0], "all", lambda p: len(p["bodies"]) == 24)
        peer = deaf(shard, "deaf")
        await picture_where(crowd[0], "the deaf one", is_there("deaf"))
        arrived = asyncio.get_running_loop().time()
        first, _ = await snapshot(crowd[0])
        got = 1
        # Closed after 10 s without taking anything, and gone from the pictures then.
        while True:
            last, picture = await snapshot(crowd[0])
            got += 1
            if body_of(picture, "deaf") is None:
                break
            assert asyncio.get_running_loop().time() - arrived < 60, "the deaf one is still there"
        # Meanwhile the others were sent what there was; but of two ticks that a busy machine runs
        # in one pass, only the second.
        now = await metrics(shard)
        assert got >= 0.75 * (last - first + 1), (got, first, last)
        print(f"     {got} of {last - first + 1} snapshots")
        assert now['muster_shard_slow_closed_total{shard="arena"}'] == 1
        assert now['muster_shard_frames_conflated_total{shard="arena"}'] > 100
        assert now['muster_shard_frames_refused_total{shard="arena"}'] == 0
        assert now['muster_shard_subscribers{shard="arena"}'] == 24
        for task in reading:
            assert not task.done()
        peer.close()
        assert await asyncio.to_thread(shard.stop) == 0
        for task in reading:
            assert (await task)[0] == 1001
        await crowd[0].close()


async def main(program):
    failed = []

    async def run(name, test):
        try:
            await asyncio.wait_for(test, 90)
            print("ok  ", name, flush=True)
        except Exception:
            failed.append(name)
            print("FAIL", name, flush=True)
            traceback.print_exc(file=sys.stdout)

    for loops in "1", "2":
        with Shard(program, "--backend", BACKEND, "--guests", "--shard", "arena", "--shard", "café",
                   "--players", "50", "--loops", loops) as shard:
            assert shard.shards == "shards: arena café", shard.shards
            for name, case in list(globals().items()):
                if name.startswith("case_"):
                    await run(f"{name[5:]}, loops: {loops}", case(shard))
            await run("all_gone", asyncio.to_thread(wait_until, lambda: shard.metrics()[
                'muster_shard_subscribers{shard="arena"}'] == 0, "all subscribers are gone"))
            await run("ends", asyncio.to_thread(shard.stop))
            assert shard.process.returncode == 0 and shard.errors == [], shard.errors
    for test in (accounts, full, above_the_limit_of_an_address, guests_are_given_an_id, origins, drain,
                 never_reading_peer):
        await run(test.__name__, test(program))
    return 1 if failed else 0


if __name__ == "__main__":
    BACKEND = sys.argv[2]
    raise SystemExit(asyncio.run(main(sys.argv[1])))
