# SPDX-License-Identifier: MIT
"""Scenarios of players and hosts as they are today, written from docs/protocol/relay.md alone."""

import asyncio
import contextlib
import time

import websockets

from relay_scenario import (
    BAD_TOKEN, HOST_LEFT, REJECTED, TOO_MANY, replay, scenario, superseded)
from relay_websockets_client import (
    CLIENT_DISCONNECTS, DELTA, FULL, KICK, LEAVE, NEW_CLIENT, RESET, RESPONSE, RPC,
    SERVER_DISCONNECTS, TO_HOST_RPC, join_request, u16)


# --- players -------------------------------------------------------------------------------------


@scenario("create then join", "text frames")
async def create_join_play_leave(life):
    host = await life.connect()
    await host.socket.send("before the handshake")
    await host.send(join_request("room-42", True, rule=3))
    answer = await host.get()
    assert answer[:5] == b"\x06\0\0\0\3" and len(answer) == 13, answer
    host.id = 0
    client = await life.client(host, "room-42", rule=9)
    assert (client.id, client.rule) == (1, 3), "the rule is the room's"
    await host.send(DELTA, b"too early")
    await host.send(FULL, b"\xaa")
    await client.expect(FULL, b"\xaa")
    await host.send(FULL, b"again")
    await host.send(DELTA, b"\xbb")
    await host.send(RESET, b"\xcc")
    await client.expect(DELTA, b"\xbb")
    await client.expect(RESET, b"\xcc")
    await client.socket.send("ignored")
    await client.send(RPC)
    await client.send(RPC, b"move")
    await host.expect(TO_HOST_RPC, u16(1))
    await host.expect(TO_HOST_RPC, u16(1), b"move")
    await client.send(LEAVE, b"whatever")
    await client.expect_end("Client disconnected intentionally", 1000)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    # Who left on purpose has no token any more.
    await life.refused(BAD_TOKEN, 1008, join_request("room-42", token=client.token))
    await host.expect_nothing()


@scenario("ids are never reused")
async def ids_are_not_given_out_twice(life):
    host = await life.host("ids")
    one = await life.client(host, "ids")
    await one.send(LEAVE)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    two = await life.client(host, "ids")
    assert two.id == 2


@scenario("player limit counts the host", "max_players=1")
async def full_rooms(life):
    host = await life.host("room-42", game="duo")
    await life.client(host, "room-42", game="duo")
    full = "Room room-42 exceeded max amount of players 2."
    for _ in range(3):
        await life.refused(full, 1013, join_request("room-42", game="duo"))
    alone = await life.host("room-42", game="solo")
    await life.refused("Room room-42 exceeded max amount of players 1.", 1013,
                       join_request("room-42", game="solo"))
    await host.expect_nothing()
    await alone.expect_nothing()


@scenario("client reconnect")
async def lost_player_comes_back(life):
    host = await life.host("back", rule=7)
    one = await life.client(host, "back")
    two = await life.client(host, "back")
    await host.send(FULL, b"first")
    await one.expect(FULL, b"first")
    await two.expect(FULL, b"first")
    for politely in False, True:
        await life.lose(one, politely=politely)
        await host.expect(CLIENT_DISCONNECTS, u16(1))
        one = await life.back("back", one, rule=9)
        await host.expect(NEW_CLIENT, u16(1))
        await host.send(DELTA, b"a")
        await host.send(FULL, b"state")
        await host.send(DELTA, b"b")
        await one.expect(FULL, b"state")  # it was unsynced: no delta before
        await one.expect(DELTA, b"b")
        await two.expect(DELTA, b"a")  # and this one was not
        await two.expect(DELTA, b"b")
        await one.send(RPC, b"here")
        await host.expect(TO_HOST_RPC, u16(1), b"here")


@scenario()
async def token_is_the_same_each_time(life):
    host = await life.host("same")
    one = await life.client(host, "same")
    for _ in range(3):
        await life.lose(one)
        await host.expect(CLIENT_DISCONNECTS, u16(1))
        again = await life.back("same", one)
        await host.expect(NEW_CLIENT, u16(1))
        assert again.token == one.token
        one = again


@scenario(rotate_tokens=True)
async def tokens_rotate(life):
    host = await life.host("rotate")
    one = await life.client(host, "rotate")
    await life.lose(one)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    again = await life.back("rotate", one)
    await host.expect(NEW_CLIENT, u16(1))
    assert again.token != one.token
    await life.refused(BAD_TOKEN, 1008, join_request("rotate", token=one.token))
    await life.back("rotate", again)
    await host.expect(NEW_CLIENT, u16(1))
    await superseded(again)
    host_again = await life.back("rotate", host)
    assert host_again.token != host.token


@scenario("duplicate client reconnect")
async def player_takes_over_its_own_connection(life):
    host = await life.host("twice", game="duo")
    old = await life.client(host, "twice", game="duo")
    await host.send(FULL, b"1")
    await old.expect(FULL, b"1")
    new = await life.back("twice", old, game="duo")
    await superseded(old)
    await host.expect(NEW_CLIENT, u16(1))
    await life.connections(lambda count: count == 3)
    await host.expect_nothing()  # no departure
    await host.send(DELTA, b"x")
    await host.send(FULL, b"2")
    await new.expect(FULL, b"2")
    await new.send(RPC, b"new")
    await host.expect(TO_HOST_RPC, u16(1), b"new")
    # It counts once: the room is as full as before, and empty when it leaves.
    await life.refused("Room twice exceeded max amount of players 2.", 1013,
                       join_request("twice", game="duo"))
    await new.send(LEAVE)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    other = await life.client(host, "twice", game="duo")
    assert other.id == 2


@scenario("wrong token", "reconnect to a missing room", "unknown game is checked before everything")
async def wrong_tokens(life):
    host = await life.host("here")
    one = await life.client(host, "here")
    other_host = await life.host("there")
    other = await life.client(other_host, "there")
    for token in 0, one.token ^ 1, one.token ^ 1 << 63, (one.token + 1) % 2**64, other.token, \
            other_host.token:
        await life.refused(BAD_TOKEN, 1008, join_request("here", token=token))
    await life.refused("Room nowhere no longer exists for game demo.", 1008,
                       join_request("nowhere", token=one.token))
    # The same room id in another game is another room.
    await life.refused("Room here no longer exists for game duo.", 1008,
                       join_request("here", token=one.token, game="duo"))
    await life.refused("Unknown game nope.", 1008,
                       join_request("here", token=one.token, game="nope"))
    await one.send(RPC, b"undisturbed")
    await host.expect(TO_HOST_RPC, u16(1), b"undisturbed")
    await one.expect_nothing()


@scenario("kick")
async def kicked_for_good(life):
    host = await life.host("kick")
    one = await life.client(host, "kick")
    two = await life.client(host, "kick")
    await host.send(KICK, u16(1))
    await one.expect_end(REJECTED, 1008)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await life.refused(BAD_TOKEN, 1008, join_request("kick", token=one.token))
    await two.expect_nothing()
    # Also one that is away.
    await life.lose(two)
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    await host.send(KICK, u16(2))
    await host.expect_nothing()
    await life.refused(BAD_TOKEN, 1008, join_request("kick", token=two.token))


@scenario()
async def away_player_keeps_its_place(life):
    host = await life.host("place", game="duo")
    one = await life.client(host, "place", game="duo")
    await life.lose(one)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await life.refused("Room place exceeded max amount of players 2.", 1013,
                       join_request("place", game="duo"))
    await life.back("place", one, game="duo")
    await host.expect(NEW_CLIENT, u16(1))


@scenario(player_grace_s=1)
async def away_player_is_not_waited_for_longer(life):
    host = await life.host("expiry", game="duo")
    one = await life.client(host, "expiry", game="duo")
    await life.lose(one)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    deadline = time.monotonic() + 10
    while True:
        peer = await life.connect()
        await peer.send(join_request("expiry", game="duo"))
        answer = await peer.get()
        if answer[0] == RESPONSE:
            break
        assert answer == b"\x05Room expiry exceeded max amount of players 2."
        assert time.monotonic() < deadline, "its place is not free"
        await asyncio.sleep(0.1)
    assert answer[1:3] == u16(2)
    await host.expect(NEW_CLIENT, u16(2))
    await life.refused(BAD_TOKEN, 1008, join_request("expiry", token=one.token, game="duo"))


# --- the host ------------------------------------------------------------------------------------


@scenario("host reconnect", "rpc after host reconnect by an old client")
async def lost_host_comes_back(life):
    host = await life.host("grace", rule=5)
    clients = [await life.client(host, "grace") for _ in range(4)]
    one, two, three, four = clients
    await host.send(FULL, b"old")
    for client in clients:
        await client.expect(FULL, b"old")
    await life.lose(four)
    await host.expect(CLIENT_DISCONNECTS, u16(4))
    await life.lose(host)
    await life.lose(three)
    await two.send(LEAVE)
    await two.expect_end("Client disconnected intentionally", 1000)
    await life.refused("Room grace already exists for game demo.", 1008,
                       join_request("grace", True))
    host = await life.back("grace", host, create=True, rule=1)
    # Who is there, and who went meanwhile; nothing of those who were away before.
    await replay(host, present=[1], gone=[2, 3])
    await host.expect_nothing()
    await one.expect_nothing()
    await one.send(RPC, b"still here")
    await host.expect(TO_HOST_RPC, u16(1), b"still here")
    # The host may know an older state: everybody gets it.
    await host.send(DELTA, b"x")
    await host.send(FULL, b"new")
    await one.expect(FULL, b"new")
    for peer in three, four:
        await life.back("grace", peer)
        await host.expect(NEW_CLIENT, u16(peer.id))


@scenario("rpc during host absence", "fresh join during host absence")
async def host_is_away(life):
    host = await life.host("away")
    one = await life.client(host, "away")
    gone = await life.client(host, "away")
    await life.lose(gone)
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    await life.lose(host)
    for i in range(20):
        await one.send(RPC, bytes([i]))
    fresh = await life.enter("away")
    assert fresh.id == 3
    await fresh.send(RPC, b"hello")
    await life.back("away", gone)
    for peer in one, fresh:
        await peer.expect_nothing()
    host = await life.back("away", host)
    await replay(host, present=[1, 2, 3])
    left = [bytes([TO_HOST_RPC]) + u16(1) + bytes([i]) for i in range(20)]
    hello = bytes([TO_HOST_RPC]) + u16(3) + b"hello"
    for _ in range(21):
        got = await host.get()
        assert got == hello or got == left.pop(0), got
    await host.expect_nothing()


@scenario(max_away_rpcs=8, max_away_bytes=65536)
async def away_rpcs_are_bounded(life):
    host = await life.host("bound")
    one = await life.client(host, "bound")
    await life.lose(host)
    for i in range(100):
        await one.send(RPC, bytes([i]))
    await one.expect_nothing()  # it stays, and the relay has read them
    host = await life.back("bound", host)
    await replay(host, present=[1])
    got = [await host.get() for _ in range(8)]
    assert all(message[:3] == b"\x02\0\1" for message in got), got
    numbers = [message[3] for message in got]
    assert numbers == list(range(numbers[0], numbers[0] + 8)), numbers
    await host.expect_nothing()
    await one.send(RPC, b"now")
    await host.expect(TO_HOST_RPC, u16(1), b"now")


@scenario("host token while host is connected")
async def host_takes_over_its_own_connection(life):
    host = await life.host("reload")
    one = await life.client(host, "reload")
    await host.send(FULL, b"1")
    await one.expect(FULL, b"1")
    new = await life.back("reload", host)
    await superseded(host)
    await replay(new, present=[1])
    await one.expect_nothing()
    await new.send(FULL, b"2")
    await one.expect(FULL, b"2")
    await one.send(RPC, b"x")
    await new.expect(TO_HOST_RPC, u16(1), b"x")


@scenario("host gone 30 s", host_grace_s=1)
async def host_does_not_come_back(life):
    host = await life.host("lost")
    one = await life.client(host, "lost")
    two = await life.client(host, "lost")
    await life.lose(host)
    for client in one, two:
        await client.expect_end(HOST_LEFT, 1000)
    await life.refused("Room lost no longer exists for game demo.", 1008,
                       join_request("lost", token=host.token))
    again = await life.host("lost")  # the name is free
    assert (await life.client(again, "lost")).id == 1
    await life.refused(BAD_TOKEN, 1008, join_request("lost", token=one.token))


@scenario("stale grace timer", host_grace_s=3)
async def grace_begins_anew(life):
    host = await life.host("stale")
    one = await life.client(host, "stale")
    start = time.monotonic()
    await life.lose(host)
    await asyncio.sleep(start + 2.5 - time.monotonic())
    host = await life.back("stale", host)
    await replay(host, present=[1])
    await life.lose(host)
    # The first absence would be over by now.
    await asyncio.sleep(max(0, start + 3.8 - time.monotonic()))
    await one.expect_nothing()
    host = await life.back("stale", host)
    await replay(host, present=[1])
    await life.lose(host)
    await one.expect_end(HOST_LEFT, 1000)


@scenario(host_grace_s=2)
async def timer_of_a_room_that_is_over(life):
    """An absence that ended with the room must not end the next room of that name."""
    host = await life.host("again")
    await life.lose(host)
    host = await life.back("again", host)
    await host.send(SERVER_DISCONNECTS)
    await host.expect_end("Server disconnected intentionally", 1000)
    host = await life.host("again")
    one = await life.client(host, "again")
    await asyncio.sleep(1.2)
    await life.lose(host)
    await asyncio.sleep(1.2)
    await one.expect_nothing()
    host = await life.back("again", host)
    await replay(host, present=[1])


@scenario("intentional host leave")
async def host_leaves(life):
    host = await life.host("over")
    one = await life.client(host, "over")
    await host.send(SERVER_DISCONNECTS, b"bye")
    await host.expect_end("Server disconnected intentionally", 1000)
    await one.expect_end(HOST_LEFT, 1000)
    for peer in host, one:
        await life.refused("Room over no longer exists for game demo.", 1008,
                           join_request("over", token=peer.token))
    await life.host("over")


# --- beside the room -----------------------------------------------------------------------------


@scenario()
async def many_rooms_at_once(life):
    async def one_life(number):
        room = f"room {number}"
        host = await life.host(room, rule=number)
        clients = [await life.client(host, room) for _ in range(3)]
        for turn in range(5):
            await host.send(RESET if turn % 2 else FULL, u16(number), bytes([turn]))
            if turn == 0 or turn % 2:
                for client in clients:
                    await client.expect(RESET if turn % 2 else FULL, u16(number), bytes([turn]))
            for client in clients:
                await client.send(RPC, u16(number))
            got = sorted([await host.get() for _ in clients])
            assert got == [b"\x02" + u16(c.id) + u16(number) for c in clients], got
        clients[1].socket.transport.abort()
        await host.expect(CLIENT_DISCONNECTS, u16(2))
        again = await life.back(room, clients[1])
        await host.expect(NEW_CLIENT, u16(2))
        new_host = await life.back(room, host)
        await superseded(host)
        await replay(new_host, present=[1, 2, 3])
        await new_host.send(FULL, u16(number))
        for client in clients[0], again, clients[2]:
            await client.expect(FULL, u16(number))
        return new_host
    await asyncio.gather(*(one_life(i) for i in range(20)))


@scenario("text frames")
async def text_and_fragments(life):
    request = join_request("pieces", True)
    host = await life.connect()
    pinged = 0

    async def in_pieces(data):
        nonlocal pinged
        for i in range(0, len(data), 3):
            await asyncio.wait_for(await host.socket.ping(b"between"), 5)
            pinged += 1
            yield data[i:i + 3]
    await host.socket.send("not for you")
    await host.socket.send(in_pieces(request))
    assert (await host.get())[0] == RESPONSE and pinged > 2
    host.id = 0
    client = await life.client(host, "pieces")
    for peer in host, client:
        await peer.socket.send("")
        await peer.socket.send("ignored \N{SNOWMAN}")
    await host.socket.send(in_pieces(bytes([FULL]) + b"a state in pieces"))
    await client.expect(FULL, b"a state in pieces")
    await client.expect_nothing()
    await host.expect_nothing()


@scenario()
async def first_generation_is_off(life):
    short = join_request("gen1", True)[:-1]
    await life.refused("Failed to parse join request.", 1002, short)


@scenario(accept_gen1=True, host_grace_s=30)
async def first_generation(life):
    async def enter(create):
        peer = await life.connect()
        await peer.send(join_request("gen1", create, rule=4)[:-1])
        answer = await peer.get()
        assert len(answer) == 5 and answer[0] == RESPONSE and answer[3:] == u16(4), answer
        peer.id = int.from_bytes(answer[1:3], "big")
        return peer
    host = await enter(True)
    old = await enter(False)
    await host.expect(NEW_CLIENT, u16(1))
    new = await life.client(host, "gen1")
    assert (host.id, old.id, new.id, new.rule) == (0, 1, 2, 4)
    await host.send(FULL, b"s")
    for peer in old, new:
        await peer.expect(FULL, b"s")
        await peer.send(RPC, b"r")
        await host.expect(TO_HOST_RPC, u16(peer.id), b"r")
    await life.lose(host)  # it has no token: nobody waits for it
    for peer in old, new:
        await peer.expect_end(HOST_LEFT, 1000)


@scenario(client_messages_per_second=5)
async def one_that_floods(life):
    host = await life.host("flood")
    loud = await life.client(host, "flood")
    calm = await life.client(host, "flood")
    with contextlib.suppress(websockets.ConnectionClosed):
        for i in range(300):
            await loud.send(RPC, u16(i))
    await calm.send(RPC, b"calm")
    got = []
    while (message := await host.get()) != b"\x02\0\2calm":
        got.append(message)
    rpcs = [message for message in got if message[:3] == b"\x02\0\1"]
    assert set(got) - set(rpcs) <= {b"\x01\0\1"}, got
    assert 5 <= len(rpcs) < 200, len(rpcs)
    assert rpcs == sorted(rpcs), "those that pass keep their order"


@scenario(failed_tokens_per_minute=5)
async def guessed_tokens(life):
    host = await life.host("guess")
    one = await life.client(host, "guess")
    for i in range(1, 6):
        await life.turned_away(BAD_TOKEN, "guess", token=one.token ^ i)
    # From now on not even the right one is looked at, and whoever has no token comes in.
    await life.turned_away(TOO_MANY, "guess", token=one.token, code=1013)
    await one.expect_nothing()
    await life.client(host, "guess")


@scenario(rooms_per_address=2)
async def rooms_of_one_address(life):
    first = await life.host("r1")
    await life.host("r2")
    await life.turned_away("The relay has too much to do. Try again later.", "r3", create=True,
                           code=1013)
    elsewhere = await life.connect(local_addr=("127.0.0.2", 0))
    await elsewhere.send(join_request("r3", True))
    assert (await elsewhere.get())[0] == RESPONSE
    elsewhere.id = 0
    await first.send(SERVER_DISCONNECTS)
    await first.expect_end("Server disconnected intentionally", 1000)
    await life.host("r4")


@scenario(state_cache=262144)
async def late_joiners_get_the_state(life):
    host = await life.host("cache")
    one = await life.client(host, "cache")
    await host.send(FULL, b"state")
    await host.send(DELTA, b"1")
    for part in (FULL, b"state"), (DELTA, b"1"):
        await one.expect(*part)
    late = await life.client(host, "cache")
    for part in (FULL, b"state"), (DELTA, b"1"):
        await late.expect(*part)
    # The host's own state still comes, once: it may have changed with the arrival.
    await host.send(DELTA, b"2")
    await host.send(FULL, b"for the new one")
    await host.send(FULL, b"for nobody")
    await host.send(DELTA, b"3")
    for part in (DELTA, b"2"), (FULL, b"for the new one"), (DELTA, b"3"):
        await late.expect(*part)
    for part in (DELTA, b"2"), (DELTA, b"3"):
        await one.expect(*part)
    # When the last one is gone, a host sends nothing any more: what is kept may be old.
    for peer in one, late:
        await peer.send(LEAVE)
        await host.expect(CLIENT_DISCONNECTS, u16(peer.id))
    fresh = await life.client(host, "cache")
    await fresh.expect_nothing()
