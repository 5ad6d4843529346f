# SPDX-License-Identifier: MIT
"""The signaling rooms against the Python package websockets: the protocol's flows, step by step.

usage: signal_websockets.py MUSTER_RELAY BACKEND
"""

import asyncio
import json
import os
import signal
import sys
import time

from relay_process import Relay, skip

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")

OPEN = {"SIGNAL_FISH__SECURITY__REQUIRE_WEBSOCKET_AUTH": "false"}


def relay(program, backend, *options, **variables):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("SIGNAL_FISH_")}
    return Relay(program, "--backend", backend, *options, env=dict(environment, **OPEN, **variables))


class Client:
    """One connection, and what it hears, in order."""

    def __init__(self, socket):
        self.socket = socket
        self.id = self.room = self.token = None

    @classmethod
    async def connect(cls, server, path="/v3/ws", **authenticate):
        client = cls(await websockets.connect(f"ws://127.0.0.1:{server.port}{path}"))
        if authenticate:
            await client.send("Authenticate", app_id="demo-app", **authenticate)
        return client

    async def send(self, kind, **data):
        await self.socket.send(json.dumps({"type": kind, "data": data} if data else {"type": kind}))

    async def hear(self, *kinds):
        """The next messages are of these types; the data of the last one."""
        for kind in kinds:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 15))
            assert message["type"] == kind, f"{message} in place of {kind}"
        return message.get("data")

    async def join(self, name, **more):
        await self.send("JoinRoom", game_name="flows", player_name=name, **more)
        joined = await self.hear("RoomJoined")
        self.id, self.room = joined["player_id"], joined["room_code"]
        self.token = joined.get("reconnection_token")
        return joined

    async def ready(self, *others):
        await self.send("PlayerReady")
        return [await client.hear("LobbyStateChanged") for client in (self, *others)]

    async def end(self):
        """What is said until the connection closes: the types, and the close code and reason."""
        kinds = []
        try:
            while True:
                message = await asyncio.wait_for(self.socket.recv(), 20)
                kinds.append(json.loads(message)["type"])
        except websockets.ConnectionClosed:
            return kinds, self.socket.close_code, self.socket.close_reason


V2 = {"sdk_version": "1.0.0"}
V3 = {"protocol_version": 3}
MESH = {"protocol_version": 3, "supported_transports": ["webrtc", "relay"],
        "supported_topologies": ["mesh", "host", "relay"]}


async def two_players(server):
    a = await Client.connect(server, "/v2/ws", **V2)
    await a.hear("Authenticated", "ProtocolInfo")
    joined = await a.join("Ada", max_players=2)
    assert joined["lobby_state"] == "waiting" and joined["is_authority"]
    assert not {"ice_servers", "reconnection_token"} & set(joined)
    lobby = await a.hear("LobbyStateChanged")
    assert lobby == {"lobby_state": "lobby", "ready_players": [], "all_ready": False}
    b = await Client.connect(server, "/v2/ws", **V2)
    await b.hear("Authenticated", "ProtocolInfo")
    assert (await b.join("Bo", room_code=a.room))["lobby_state"] == "lobby"
    player = (await a.hear("PlayerJoined"))["player"]
    assert player["id"] == b.id and "epoch" not in player
    for told in await a.ready(b):
        assert (told["ready_players"], told["all_ready"]) == ([a.id], False)
    for told in await b.ready(a):
        assert (told["ready_players"], told["all_ready"]) == ([a.id, b.id], True)
    await b.send("StartGame")
    assert (await b.hear("Error"))["error_code"] == "GAME_START_FORBIDDEN"
    await a.send("StartGame")
    for client in (a, b):
        assert len((await client.hear("GameStarting"))["peer_connections"]) == 2
    await a.send("GameData", data={"x": 9e9})
    assert await b.hear("GameData") == {"from_player": a.id, "data": {"x": 9e9}}
    await a.send("Ping")
    await a.hear("Pong")  # and no echo
    await a.send("LeaveRoom")
    await a.hear("RoomLeft")
    assert await b.hear("PlayerLeft") == {"player_id": a.id}
    assert await b.hear("AuthorityChanged") == {"authority_player": None, "you_are_authority": False}
    for client in (a, b):
        await client.socket.close()


async def reconnect(server):
    a = await Client.connect(server, **V3)
    await a.hear("Authenticated", "ProtocolInfo")
    joined = await a.join("Ada")
    await a.hear("LobbyStateChanged")
    await a.ready()
    await a.send("StartGame")
    first = await a.hear("GameStarting", "SessionPlan")
    assert (first["topology"], first["transport"], first["peers"]) == ("relay", "relay", [])
    a.socket.transport.abort()
    again = await Client.connect(server, **V3, requested_capabilities=["room_operation_ids"])
    assert "room_operation_ids" in (await again.hear("Authenticated", "ProtocolInfo"))["capabilities"]
    operation = "5e5510ff-0000-4000-8000-00000000beef"
    await again.send("RoomOperation", operation_id=operation, operation={
        "type": "Reconnect",
        "data": {"player_id": a.id, "room_id": joined["room_id"], "auth_token": a.token}})
    told = await again.hear("RoomOperationResult")
    assert told["operation_id"] == operation and told["result"]["type"] == "Reconnected", told
    back = told["result"]["data"]
    assert back["reconnection_token"] != a.token and back["replay"] in ("complete", "unavailable")
    assert back["sender_watermarks"] == [
        {"player_id": player["id"], "epoch": player["epoch"], "seq": player["seq"]}
        for player in back["current_players"]]
    assert (await again.hear("SessionPlan"))["generation"] != first["generation"]
    await again.socket.close()


async def host_failover(server):
    players = []
    for name in ("Ada", "Bo", "Cy"):
        client = await Client.connect(server, **MESH)
        await client.hear("Authenticated", "ProtocolInfo")
        await client.join(name, **({"room_code": players[0].room} if players else {}))
        if not players:
            await client.hear("LobbyStateChanged")
        for other in players:
            await other.hear("PlayerJoined")
        players.append(client)
    for client in players:
        await client.ready(*[other for other in players if other is not client])
    a, b, c = players
    await a.send("StartGame")
    plans = [await client.hear("GameStarting", "SessionPlan") for client in players]
    generation = plans[0]["generation"]
    for plan in plans:
        assert (plan["topology"], plan["transport"]) == ("host", "webrtc")
        assert (plan["host"], plan["generation"], plan["fallback"]) == (a.id, generation, "relay")
    offer = {"Offer": "v=0\r\n"}
    await a.send("Signal", to=b.id, generation=generation, signal=offer)
    assert await b.hear("Signal") == {"from": a.id, "generation": generation, "signal": offer}
    await a.send("LeaveRoom")
    await a.hear("RoomLeft")
    after = []
    for client in (b, c):
        left = await client.hear("PlayerLeft")
        assert left["player_id"] == a.id and left["final_seq"] == 0
        after.append(await client.hear("AuthorityChanged", "SessionPlan"))
    assert after[0]["generation"] == after[1]["generation"] != generation
    assert after[0]["host"] == after[1]["host"] == b.id
    await b.send("Signal", to=c.id, generation=after[0]["generation"], signal={"Answer": ""})
    assert (await c.hear("Signal"))["from"] == b.id
    for client in players:
        await client.socket.close()


async def format_fallback(server):
    a = await Client.connect(server, **V3, game_data_format="rkyv")
    assert (await a.hear("Error"))["error_code"] == "UNSUPPORTED_GAME_DATA_FORMAT"
    info = await a.hear("Authenticated", "ProtocolInfo")
    assert info["game_data_formats"] == ["json", "message_pack"]
    await a.join("Ada")
    await a.hear("LobbyStateChanged")
    await a.send("GameData", data=[1, 2])
    await a.send("Ping")
    await a.hear("Pong")
    await a.socket.close()


async def drain(server):
    a = await Client.connect(server, **V3)
    await a.hear("Authenticated", "ProtocolInfo")
    await a.join("Ada")
    await a.hear("LobbyStateChanged")
    b = await Client.connect(server, "/v2/ws", **V2)
    await b.hear("Authenticated", "ProtocolInfo")
    server.process.send_signal(signal.SIGTERM)
    going = await a.hear("GoingAway")
    assert abs(going["deadline_ms"] / 1000 - time.time()) < 60
    await b.send("JoinRoom", game_name="flows", player_name="Bo")
    assert (await b.hear("RoomJoinFailed"))["error_code"] == "SERVER_DRAINING"
    assert await a.end() == ([], 4000, "server_shutdown")
    assert await b.end() == ([], 4000, "server_shutdown")
    assert server.wait() == 0


def routes(server):
    """What is beside the protocol."""
    for path in ("/health", "/v2/health", "/readyz", "/v2/readyz"):
        assert server.request("GET", path)[::2] == (200, b"OK"), path
    for path in ("/v2/client-config", "/v3/client-config"):
        status, headers, body = server.request("GET", path)
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert json.loads(body) == {"max_outbound_message_size": 8 * 1024 * 1024}
    token = {"Authorization": "Bearer right"}
    for path in ("/metrics", "/v1/metrics", "/v2/metrics", "/metrics/prom", "/v1/metrics/prom"):
        assert server.request("GET", path)[0] == 401
        assert server.request("GET", path, headers={"Authorization": "Basic right"})[0] == 401
        assert server.request("GET", path, headers=token)[0] == 200
    text = server.request("GET", "/metrics", headers=token)[2].decode()
    assert "\nsignal_fish_connections_total " in text and "\nmuster_uptime_seconds " in text
    assert server.request("GET", "/v2/metrics/prom", headers=token)[1]["Content-Type"] \
        == "text/plain; version=0.0.4; charset=utf-8"
    status, headers, body = server.request(
        "GET", "/metrics", headers=dict(token, Accept="application/json"))
    assert headers["Content-Type"] == "application/json" and json.loads(body)["timeRange"] == "1h"
    body = server.request("GET", "/v2/metrics?time_range=24h&includeSnapshot=true", headers=token)[2]
    told = json.loads(body)
    assert told["timeRange"] == "24h" and "connections_total" in told["metricsSnapshot"]
    assert server.request("GET", "/v2/metrics", headers={"Authorization": "Bearer wrong"})[0] == 401


def origins(server):
    def ask(origin):
        status, _, body = server.request("GET", "/v3/ws", headers={
            "Origin": origin, "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        return status, body
    assert ask("https://game.example") == (101, b"")
    assert ask("https://other.example") == (403, b"WebSocket Origin is not allowed")


def main():
    program, backend = sys.argv[1:]
    with relay(program, backend) as server:
        for flow in (two_players, reconnect, format_fallback):
            asyncio.run(flow(server))
            print(flow.__name__)
        assert server.stop() == 0
    with relay(program, backend, SIGNAL_FISH__SESSION__DEFAULT_TOPOLOGY="host") as server:
        asyncio.run(host_failover(server))
        print("host_failover")
    with relay(program, backend, SIGNAL_FISH__SERVER__DRAIN_GRACE_SECS="1") as server:
        asyncio.run(drain(server))
        print("drain")
    with relay(program, backend, SIGNAL_FISH__SECURITY__REQUIRE_METRICS_AUTH="true",
               SIGNAL_FISH__SECURITY__METRICS_AUTH_TOKEN="right",
               SIGNAL_FISH__SECURITY__CORS_ORIGINS="https://game.example") as server:
        routes(server)
        origins(server)
        print("routes, origins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
