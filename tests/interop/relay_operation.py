# SPDX-License-Identifier: MIT
"""What an operator of muster-relay relies on: routes, tokens, reload, TLS, accounts, records, the log.

usage: relay_operation.py [--backend NAME] MUSTER_RELAY
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import traceback

from relay_extension import CAN_ALL, CAPABILITIES, LISTED, METADATA, trailer
from relay_process import Relay, wait_until
from relay_websockets_client import (
    CLIENT_DISCONNECTS, FULL, LEAVE, NEW_CLIENT, RPC, SERVER_DISCONNECTS, TO_HOST_RPC, Play,
    join_request, u16)
import websockets

ADMIN = "correct-horse-battery-staple"
DOCS = pathlib.Path(__file__).parents[2] / "docs"


class Folder:
    """A relay's configuration and files, gone after the test."""

    def __init__(self, program, backend):
        self.program, self.backend = program, backend

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, **keys):
        keys.setdefault("connections_per_second", 0)  # tests ask as fast as they can
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        return str(self.write("relay.toml", text))

    def relay(self, **keys):
        if "admin_token_file" in keys:
            self.write(keys["admin_token_file"], ADMIN + "\n")
        return Relay(self.program, "--backend", self.backend, "--config", self.configure(**keys))

    def log(self):
        return [json.loads(line) for line in (self.path / "relay.log").read_text().splitlines()]


def ask(relay, method, path, token=None, body=None, headers=None, **options):
    """Status and JSON."""
    headers = dict(headers or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    status, answer, text = relay.request(method, path, body, headers, **options)
    assert answer["Content-Type"] == "application/json", (path, answer["Content-Type"], text)
    return status, json.loads(text)


async def asked(*arguments, **options):
    return await asyncio.to_thread(ask, *arguments, **options)


def hex_of(token):
    return f"{token:016x}"


async def listed_host(play, room, metadata=b""):
    peer = await play.connect()
    items = [(CAPABILITIES, CAN_ALL.to_bytes(4, "big")), (LISTED, b""), (METADATA, metadata)]
    await peer.send(join_request(room, create=True), trailer(items))
    answer = await peer.get()
    peer.token = int.from_bytes(answer[5:13], "big")
    return peer


# --- rooms, tokens -------------------------------------------------------------------------------


async def test_rooms(folder):
    with folder.relay(admin_token_file="admin.token") as relay:
        async with Play(relay) as play:
            assert await asked(relay, "GET", "/rooms") == (200, {"total": 0, "rooms": []})
            await listed_host(play, "open", b"\0beginners")
            await listed_host(play, "line\nbreak")
            secret = await play.host("secret")
            await play.client(secret, "secret")

            def seen():
                status, answer = ask(relay, "GET", "/rooms")
                assert status == 200
                return answer["rooms"]
            rooms = await asyncio.to_thread(wait_until, seen, "the room is listed")
            assert rooms == [{"game": "demo", "room": "open", "rule_variation": 0, "players": 1,
                              "max": 0, "spectators": 0, "open": True, "has_password": False,
                              "metadata": "AGJlZ2lubmVycw=="}], rooms
            _, answer = await asked(relay, "GET", "/rooms?game=chess")
            assert answer == {"total": 0, "rooms": []}
            _, answer = await asked(relay, "GET", "/rooms?offset=1&limit=x")
            assert answer == {"total": 1, "rooms": []}

            for token in None, "wrong", ADMIN + "x", ADMIN[:-1], "":
                status, answer = await asked(relay, "GET", "/admin/rooms", token)
                assert status == 401 and "error" in answer, (token, status)
            status, answer = await asked(relay, "GET", "/admin/rooms", ADMIN)
            assert status == 200 and answer["total"] == 3
            assert {r["room"]: r["players"] for r in answer["rooms"]} == \
                {"open": 1, "line\nbreak": 1, "secret": 2}
            assert (await asked(relay, "GET", "/admin/records", ADMIN))[0] == 503
            assert (await asked(relay, "GET", "/games/1"))[0] == 503
            assert relay.request("POST", "/admin/rooms")[0] == 405
            assert relay.request("GET", "/admin/reload")[0] == 405


async def test_wrong_tokens_are_limited(folder):
    with folder.relay(admin_token_file="admin.token", failed_tokens_per_minute=3) as relay:
        assert [ask(relay, "GET", "/admin/rooms", "wrong")[0] for _ in range(3)] == [401] * 3
        assert ask(relay, "GET", "/admin/rooms", ADMIN)[0] == 429
        assert relay.metrics()['muster_http_refused_total{reason="limited"}'] == 1
        async with Play(relay) as play:
            host = await play.host("mine")
            result = {"room_code": "mine", "game_id": "demo", "result": 1}
            status, _ = await asked(relay, "POST", "/games/result", hex_of(host.token), result)
            assert status == 429


async def test_no_admin_routes_without_a_token(folder):
    """relay defect 30: reload and the list of all rooms are the administrator's alone."""
    with folder.relay() as relay:
        for path in "/admin/rooms", "/admin/records", "/admin/reload":
            assert relay.request("GET", path)[0] == 404
        body = {"room_code": "a", "game_id": "demo", "result": 1}
        assert ask(relay, "POST", "/games/result", "a-token-of-no-administrator", body)[0] == 401
    folder.write("short.token", "short\n")
    config = folder.configure(admin_token_file="short.token")
    done = subprocess.run([folder.program, "--config", config], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "20 to 256 printable characters" in done.stderr, done


# --- records -------------------------------------------------------------------------------------

RECORDS = {"records": "sqlite:records.db", "admin_token_file": "admin.token", "host_grace_s": 30,
           "failed_tokens_per_minute": 0}


def game(relay, number, token=None):
    return ask(relay, "GET", f"/games/{number}", token)


async def test_results(folder):
    """relay defect 30: a result needs the host's token or the administrator's."""
    with folder.relay(**RECORDS) as relay:
        async with Play(relay) as play:
            host = await play.host("duel", rule=7)
            one = await play.client(host, "duel")
            other = await play.host("other")
            result = {"room_code": "duel", "game_id": "demo", "result": {"score": [3, 1]},
                      "outcomes": {"0": "win", "1": "loss", "99": "nobody"}}

            async def post(token, body=result, **options):
                return await asked(relay, "POST", "/games/result", token, body, **options)
            assert (await post(None))[0] == 401
            for token in hex_of(one.token), hex_of(other.token), "0" * 16, "x" * 16:
                assert (await post(token))[0] == 401, token
            mine = hex_of(host.token)
            for body, status in [
                ("{", 400), ("", 400), ("[]", 422), ('{"room_code": 5}', 422),
                ({**result, "game_id": None}, 422), ({"room_code": "duel", "game_id": "demo"}, 422),
                ({**result, "outcomes": {"x": "win"}}, 422),
                ({**result, "outcomes": {"65536": "win"}}, 422),
                ({**result, "outcomes": {"1": 5}}, 422),
                ({**result, "outcomes": {"1": "w" * 65}}, 422), ({**result, "outcomes": []}, 422),
                ('{"result": ' + "[" * 5000 + "]" * 5000 + "}", 422),
                ({**result, "result": "x" * 40000}, 413), ({**result, "room_code": "none"}, 404),
            ]:
                got = await post(mine, body, headers={"Content-Type": "application/json"})
                assert got[0] == status and got[1]["error"], (str(body)[:60], got)
            got = await post(mine, json.dumps(result), headers={"Content-Type": "text/plain"})
            assert got[0] == 415
            large = await asyncio.to_thread(relay.request, "POST", "/games/result", "x" * 70000)
            assert large[0] == 413, "above max_body, by the transport"

            status, answer = await post(mine)
            assert status == 200 and answer["is_new"] is True
            number = answer["game_record_id"]
            status, again = await post(ADMIN, {**result, "result": "another"})
            assert (status, again) == (200, {"game_record_id": number, "is_new": False})

            status, record = await asyncio.to_thread(game, relay, number)
            assert status == 200 and record["result"] == {"score": [3, 1]}
            assert record["rule_variation"] == 7 and record["closed_at"] is None
            assert "room_code" not in record, "who knows it can come in"
            assert "user_id" not in record["participants"][0]
            status, record = await asyncio.to_thread(game, relay, number, ADMIN)
            assert record["room_code"] == "duel" and record["relay"] == "muster-relay"
            assert [(p["player_id"], p["outcome"]) for p in record["participants"]] == \
                [(0, "win"), (1, "loss")]
            assert (await asyncio.to_thread(game, relay, number, "wrong"))[0] == 401
            for path in "999", "0", "-1", "x", "1/2", "", "99999999999999999999":
                assert (await asyncio.to_thread(game, relay, path))[0] == 404, path
            await host.send(SERVER_DISCONNECTS)

            def closed():
                return game(relay, number)[1]["closed_at"]
            await asyncio.to_thread(wait_until, closed, "the record is closed")
            record = game(relay, number)[1]
            assert record["room_code"] == "duel" and record["close_reason"] == "host_gone"
            status, answer = await asked(relay, "GET", "/admin/records?limit=1", ADMIN)
            assert status == 200 and len(answer["records"]) == 1
            first = answer["records"][0]["id"]
            status, answer = await asked(relay, "GET", f"/admin/records?before={first}", ADMIN)
            assert [r["id"] for r in answer["records"]] == list(range(first - 1, 0, -1))
            assert (await asked(relay, "GET", "/admin/records?before=x", ADMIN))[0] == 400
            assert (await post(ADMIN))[0] == 404, "the room is over"
        counted = relay.metrics()
        assert counted['muster_records_written_total{kind="result"}'] == 1
        assert counted['muster_records_unchanged_total{kind="result"}'] == 1
        assert counted["muster_records_available"] == 1
        assert relay.stop() == 0 and relay.errors == [], relay.errors


async def test_players_in_records(folder):
    with folder.relay(**RECORDS) as relay:
        async with Play(relay) as play:
            host = await play.host("who")
            one = await play.client(host, "who")
            one.socket.transport.abort()
            await host.expect(CLIENT_DISCONNECTS, u16(1))

            def reasons():
                people = game(relay, 1)[1].get("participants", [])
                return [(p["player_id"], p["leave_reason"]) for p in people]
            await asyncio.to_thread(wait_until, lambda: reasons() == [(0, None), (1, "lost")], "it is lost")
            again = await play.enter("who", token=one.token)
            await host.expect(NEW_CLIENT, u16(1))
            await asyncio.to_thread(wait_until, lambda: reasons() == [(0, None), (1, None)], "it is back")
            await again.send(LEAVE)
            await host.expect(CLIENT_DISCONNECTS, u16(1))
            await asyncio.to_thread(wait_until, lambda: reasons() == [(0, None), (1, "left")], "it has left")


async def test_restart(folder):
    """A relay that was killed leaves records open; the next one closes them."""
    with folder.relay(**RECORDS) as relay:
        async with Play(relay) as play:
            host = await play.host("killed")
            await play.client(host, "killed")

            def written():
                status, record = game(relay, 1)
                return status == 200 and len(record["participants"]) == 2
            await asyncio.to_thread(wait_until, written, "the room is in the records")
            relay.process.send_signal(signal.SIGKILL)
            relay.wait()
    with folder.relay(**RECORDS) as relay:
        def closed():
            return game(relay, 1)[1].get("close_reason")
        assert await asyncio.to_thread(wait_until, closed, "it is closed") == "relay restarted"
        assert relay.metrics()["muster_records_stale_closed_total"] == 1
        async with Play(relay) as play:
            await play.host("killed")

            def next_one():
                return game(relay, 2)[0] == 200
            await asyncio.to_thread(wait_until, next_one, "the same name has a record of its own")
        assert relay.stop() == 0
    rows = sqlite3.connect(folder.path / "records.db").execute(
        "SELECT room_code, close_reason FROM game_records ORDER BY id").fetchall()
    assert rows == [("killed", "relay restarted"), ("killed", "relay_drains")], rows


async def test_locked_database(folder):
    """Somebody holds the database: rooms go on, and all of it is written later."""
    with folder.relay(**RECORDS, log="relay.log") as relay:
        async with Play(relay) as play:
            await play.host("before")
            await asyncio.to_thread(wait_until, lambda: game(relay, 1)[0] == 200, "it is written")
            other = sqlite3.connect(folder.path / "records.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            for i in range(20):
                host = await play.host(f"during {i}")
                client = await play.client(host, f"during {i}")
                await client.send(RPC, b"x")
                await host.expect(TO_HOST_RPC, u16(1), b"x")
                await host.send(FULL, b"y")
                await client.expect(FULL, b"y")
                await host.send(SERVER_DISCONNECTS)
            assert relay.metrics()["muster_records_waiting"] > 0

            def noticed():
                return any(line["event"] == "records_unavailable" for line in folder.log())
            await asyncio.to_thread(wait_until, noticed, "the log says so", 30)
            other.execute("ROLLBACK")
            other.close()

            def all_there():
                _, answer = ask(relay, "GET", "/admin/records?limit=100", ADMIN)
                return len(answer.get("records", [])) == 21
            await asyncio.to_thread(wait_until, all_there, "all are written", 30)
        counted = relay.metrics()
        for kind in "opened", "joined", "left", "closed", "result":
            for fate in "lost", "dropped", "rejected":
                assert counted[f'muster_records_{fate}_total{{kind="{kind}"}}'] == 0


async def test_full_disk(folder):
    """The files cannot grow any more: rooms go on. When they can, everything is written."""
    full = folder.write("full.sh", "#!/bin/bash\ntrap '' XFSZ\nulimit -S -f 100\n"
                                   f'exec {shlex.quote(folder.program)} "$@"\n')
    full.chmod(0o755)
    folder.program = str(full)
    with folder.relay(**{**RECORDS, "drain_timeout_s": 30}) as relay:
        async with Play(relay) as play:
            count = 0

            async def one_more():
                nonlocal count
                host = await play.host(f"full {count} " + "x" * 100)
                client = await play.client(host, f"full {count} " + "x" * 100)
                await client.send(RPC, b"x")
                await host.expect(TO_HOST_RPC, u16(1), b"x")
                await host.send(SERVER_DISCONNECTS)
                await host.expect_end("Server disconnected intentionally", 1000)
                count += 1
            while relay.metrics()["muster_records_failures_total"] == 0:
                assert count < 2000, "the files are never full"
                await one_more()
            for _ in range(5):
                await one_more()
            assert relay.metrics()["muster_records_waiting"] > 0
            resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

            def all_there():
                counted = relay.metrics()
                return counted["muster_records_waiting"] == 0 and \
                    counted['muster_records_written_total{kind="closed"}'] == count
            await asyncio.to_thread(wait_until, all_there, "all are written", 40)
        assert relay.stop() == 0


async def test_no_database(folder):
    """The database's folder is missing: the relay runs, says so, and ends in time."""
    with folder.relay(records="sqlite:none/records.db", drain_timeout_s=0.5, log="relay.log") as relay:
        async with Play(relay) as play:
            await play.host("alone")

            def noticed():
                return any(line["event"] == "records_unavailable" for line in folder.log())
            await asyncio.to_thread(wait_until, noticed, "the log says so", 30)
            assert relay.metrics()["muster_records_available"] == 0
        assert relay.stop() == 0
        assert any(line["event"] == "records_lost" for line in folder.log())


@contextlib.contextmanager
def postgres():
    """A server of its own on a socket in a folder; gives the folder, or None if there is no server to start."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not found:
        yield None
        return
    binaries = found[-1].parent
    with tempfile.TemporaryDirectory() as folder:
        user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            user = {"user": "postgres", "group": "postgres", "cwd": folder}
        data = folder + "/data"
        subprocess.run([binaries / "initdb", "-D", data, "-U", "muster", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], check=True, capture_output=True, **user)
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
        try:
            yield folder
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


async def test_postgres(folder):
    with postgres() as where:
        if where is None:
            print("     no PostgreSQL server is installed")
            return
        keys = {**RECORDS, "records": f"postgresql://muster@/postgres?host={where}"}
        try:
            relay = folder.relay(**keys)
        except AssertionError as problem:
            assert "built where libpq is" in str(problem), problem
            print("     the program was built without libpq")
            return
        with relay:
            async with Play(relay) as play:
                host = await play.host("duel")
                await play.client(host, "duel")

                def available():
                    return relay.metrics()["muster_records_available"] == 1
                await asyncio.to_thread(wait_until, available, "the server is up", 60)
                body = {"room_code": "duel", "game_id": "demo", "result": [1], "outcomes": {"1": "win"}}
                status, answer = await asked(relay, "POST", "/games/result", hex_of(host.token), body)
                assert status == 200 and answer["is_new"], answer
                status, record = await asyncio.to_thread(game, relay, answer["game_record_id"])
                assert status == 200 and record["result"] == [1]
                assert [p["outcome"] for p in record["participants"]] == [None, "win"]
            assert relay.stop() == 0


# --- reload --------------------------------------------------------------------------------------


def certificate(folder, name):
    """A self-signed one for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(folder.path / "key.pem"), "-out", str(folder.path / "cert.pem")],
        check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(folder.path / "cert.pem"))


async def test_tls(folder):
    old = certificate(folder, "old")
    with folder.relay(tls_certificate="cert.pem", tls_key="key.pem",
                      admin_token_file="admin.token", log="relay.log") as relay:
        assert relay.request("GET", "/healthz", context=old)[0] == 200
        async with Play(relay) as play:
            peer = await play.connect(ssl=old)
            await peer.send(join_request("secure", True))
            answer = await peer.get()
            assert len(answer) == 13
            new = certificate(folder, "new")
            status, answer = await asked(relay, "POST", "/admin/reload", ADMIN, context=old)
            assert (status, answer["problems"]) == (200, [])
            assert relay.request("GET", "/healthz", context=new)[0] == 200
            try:
                relay.request("GET", "/healthz", context=old)
                raise AssertionError("it still has the old certificate")
            except ssl.SSLError:
                pass
            await peer.expect_nothing()  # who is there stays
            # A key of another certificate: the one that is there stays.
            key = (folder.path / "key.pem").read_text()
            certificate(folder, "third")
            folder.write("key.pem", key)
            status, answer = await asked(relay, "POST", "/admin/reload", ADMIN, context=new)
            assert status == 422 and len(answer["problems"]) == 1, answer
            assert relay.request("GET", "/healthz", context=new)[0] == 200
            assert await asyncio.to_thread(
                wait_until,
                lambda: relay_metrics(relay, new)['muster_websocket_failures_total{reason="tls"}'] >= 1,
                "the failed handshake is counted")
    for keys in {"tls_certificate": "cert.pem"}, {"tls_key": "key.pem"}, \
            {"tls_certificate": "cert.pem", "tls_key": "none.pem"}:
        done = subprocess.run([folder.program, "--config", folder.configure(**keys)],
                              capture_output=True, text=True, timeout=10)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done


def relay_metrics(relay, context):
    text = relay.request("GET", "/metrics", context=context)[2].decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if not line.startswith("#")}


async def test_sighup(folder):
    folder.write("games.json", '[{"name": "go", "max_players": 2}]')
    with folder.relay(games="games.json", log="relay.log", log_level="info") as relay:
        async with Play(relay) as play:
            host = await play.host("a", game="go")
            await play.refused("Unknown game chess.", 1008, join_request("a", True, game="chess"))
            folder.write("games.json", '[{"name": "chess", "max_players": 2}]')
            os.rename(folder.path / "relay.log", folder.path / "relay.log.1")
            relay.process.send_signal(signal.SIGHUP)

            def reloaded():
                return (folder.path / "relay.log").exists() and \
                    [line for line in folder.log() if line["event"] == "reloaded"]
            await asyncio.to_thread(wait_until, reloaded, "the new file has a line")
            await play.host("a", game="chess")
            await play.refused("Unknown game go.", 1008, join_request("a", game="go"))
            await host.expect_nothing()  # its room goes on

            folder.write("games.json", '[{"name": "chess"}]')
            relay.process.send_signal(signal.SIGHUP)

            def failed():
                return [line for line in folder.log() if line["event"] == "reload_failed"]
            lines = await asyncio.to_thread(wait_until, failed, "the log says why")
            assert lines[0]["level"] == "error" and "games.json" in lines[0]["problem"]
            assert "max_players" in lines[0]["problem"]
            await play.host("b", game="chess")  # what was there is kept
        assert relay.stop() == 0


# --- the log -------------------------------------------------------------------------------------


async def test_log(folder):
    with folder.relay(log="relay.log", log_level="info") as relay:
        async with Play(relay) as play:
            host = await play.host("talk")
            one = await play.client(host, "talk")
            await play.refused("Room none does not exist for game demo.", 1008, join_request("none"))
            one.socket.transport.abort()
            await host.expect(CLIENT_DISCONNECTS, u16(1))
            one = await play.enter("talk", token=one.token)
            await host.expect(NEW_CLIENT, u16(1))
            host.socket.transport.abort()

            def away():
                return any(line["event"] == "host_away" for line in folder.log())
            await asyncio.to_thread(wait_until, away, "the host is away")
            host = await play.enter("talk", token=host.token)
            await host.send(SERVER_DISCONNECTS)
            await host.expect(NEW_CLIENT, u16(1))
            await one.expect_end("Server has left the game.", 1000)
            tokens = [host.token, one.token]
        assert relay.stop() == 0
    lines = folder.log()
    events = [line["event"] for line in lines]
    assert events == ["started", "room_opened", "joined", "refused", "departed", "back", "host_away",
                      "host_back", "room_closed", "draining", "stopped"], events
    by_event = dict(zip(events, lines))
    assert by_event["refused"]["reason"] == "no_such_room"
    assert by_event["departed"]["reason"] == "away"
    assert by_event["room_closed"]["reason"] == "host_gone"
    assert by_event["room_opened"]["room"] == "talk" and by_event["joined"]["player"] == 1
    text = (folder.path / "relay.log").read_text()
    for token in tokens:
        assert str(token) not in text and hex_of(token) not in text


# --- accounts ------------------------------------------------------------------------------------


def account(token, user):
    return hmac.new(b"muster", token.encode(), hashlib.sha256).hexdigest() + " " + user + "\n"


async def test_accounts(folder):
    folder.write("accounts", "# users\n\n" + account("ta", "alice") + account("tb", "bob"))
    with folder.relay(**{**RECORDS, "failed_tokens_per_minute": 2}, auth_file="accounts",
                      auth_cookie="sid") as relay:
        async with Play(relay) as play:
            async def enter(room, headers, **request):
                peer = await play.connect(extra_headers=headers)
                await peer.send(join_request(room, **request))
                return peer, await peer.get()

            host, answer = await enter("acc", {"Authorization": "Bearer ta"}, create=True)
            client, answer = await enter("acc", {"Cookie": "x=1; sid=tb"})
            assert answer[:3] == b"\6\0\1"
            token = int.from_bytes(answer[5:13], "big")
            anonymous, answer = await enter("acc", {})
            assert answer[:3] == b"\6\0\2"
            # A token is its user's: nobody else comes back with it.
            for headers in {}, {"Authorization": "Bearer ta"}:
                other, answer = await enter("acc", headers, token=token)
                assert answer[0] == 5, answer
            again, answer = await enter("acc", {"Authorization": "bearer tb"}, token=token)
            assert answer[:3] == b"\6\0\1"

            def seen():
                record = game(relay, 1, ADMIN)[1]
                people = record.get("participants", [])
                return len(people) == 3 and record
            record = await asyncio.to_thread(wait_until, seen, "all are in the records")
            assert record["host_user_id"] == "alice"
            assert [p["user_id"] for p in record["participants"]] == ["alice", "bob", None]
            assert "bob" not in json.dumps(game(relay, 1)[1])
            status, answer = await asked(relay, "GET", "/admin/records?user=bob", ADMIN)
            assert len(answer["records"]) == 1
            status, answer = await asked(relay, "GET", "/admin/records?user=eve", ADMIN)
            assert answer["records"] == []

            # Another file, without bob.
            folder.write("accounts", account("ta", "alice"))
            status, answer = await asked(relay, "POST", "/admin/reload", ADMIN)
            assert status == 200, answer
            for wanted in 401, 401, 429:
                try:
                    await play.connect(extra_headers={"Cookie": "sid=tb"})
                    raise AssertionError("somebody unknown was let in")
                except websockets.InvalidStatusCode as refusal:
                    assert refusal.status_code == wanted, refusal
            await again.expect_nothing()
    for text in "zz alice\n", account("a", "alice") * 2, account("a", ""), account("a", "x" * 129):
        folder.write("accounts", text)
        done = subprocess.run([folder.program, "--config", folder.configure(auth_file="accounts")],
                              capture_output=True, text=True, timeout=10)
        assert done.returncode == 2 and "accounts, line " in done.stderr, done


# --- static files --------------------------------------------------------------------------------


async def test_static_files(folder):
    """relay defect 31: nothing is served but a folder that is named."""
    folder.write("site/index.html", "<p>game</p>")
    folder.write("site/a b.js", "1")
    folder.write("site/.hidden", "secret")
    folder.write("site/sub/index.html", "sub")
    folder.write("secret.txt", "secret")
    os.symlink(folder.path / "secret.txt", folder.path / "site/link.txt")
    os.symlink(folder.path, folder.path / "site/up")
    with folder.relay(static_root="site") as relay:
        status, headers, body = relay.request("GET", "/")
        assert (status, body) == (200, b"<p>game</p>") and headers["Content-Type"].startswith("text/html")
        status, headers, body = relay.request("GET", "/a%20b.js")
        assert (status, body) == (200, b"1") and headers["Content-Type"].startswith("text/javascript")
        assert relay.request("GET", "/sub/")[2] == b"sub"
        for path in ("/.hidden", "/link.txt", "/up/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt",
                     "/sub/../../secret.txt", "/..%2fsecret.txt", "//secret.txt", "/relay.toml",
                     "/%00", "/%", "/%zz", "/sub", "/nothing/"):
            status, _, body = relay.request("GET", path)
            assert status == 404 and b"secret" not in body, (path, status, body)
        assert relay.request("POST", "/index.html")[0] == 405
        assert relay.request("GET", "/healthz")[2] == b"ok\n"
        folder.write("site/index.html", "new")
        relay.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(wait_until, lambda: relay.request("GET", "/")[2] == b"new", "it is new")
    with folder.relay() as relay:
        assert relay.request("GET", "/secret.txt")[0] == 404


# --- the document --------------------------------------------------------------------------------


async def test_document(folder):
    """docs/operations.md and docs/protocol/signal.md name every metric and every key, and no other."""
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    rooms = (DOCS / "protocol/signal.md").read_text(encoding="utf-8")
    with folder.relay(**RECORDS) as relay:
        shown = {name.partition("{")[0] for name in relay.metrics()}
    named = set(re.findall(r"^\| `(muster_[a-z_]+)", text, re.M))
    named |= set(re.findall(r"^\| `(signal_fish_[a-z0-9_]+)", rooms, re.M))
    assert shown == named, shown ^ named
    help_text = subprocess.run([folder.program, "--help"], capture_output=True, text=True, timeout=10).stdout
    keys = help_text.partition("Keys of the configuration file")[2].partition("\n\n")[0]
    shown = set(re.findall(r"^  ([a-z_0-9]+) ", keys, re.M))
    options = text.partition("## Options")[2].partition("## Routes")[0]
    named = set(re.findall(r"^\| `([a-z_0-9]+)` \|", options, re.M))
    assert len(shown) > 50 and shown == named, shown ^ named


async def main(program, backend, only):
    failed = []
    for name, test in list(globals().items()):
        if not name.startswith("test_") or only not in name:
            continue
        try:
            with Folder(program, backend) as folder:
                await asyncio.wait_for(test(folder), 90)
            print("ok  ", name, flush=True)
        except Exception:
            failed.append(name)
            print("FAIL", name, flush=True)
            traceback.print_exc(file=sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--only", default="")
    parser.add_argument("program")
    given = parser.parse_args()
    raise SystemExit(asyncio.run(main(given.program, given.backend, given.only)))
