# SPDX-License-Identifier: MIT
"""Scenarios of peers with the extension beside peers without, written from the document alone."""

import os

from relay_extension import *
from relay_extension import ExtendedPeer
from relay_scenario import (
    BAD_TOKEN, HOST_LEFT, REJECTED, replay, scenario, superseded)
from relay_websockets_client import (
    CLIENT_DISCONNECTS, DELTA, FULL, KICK, LEAVE, NEW_CLIENT, RESET, RESPONSE, RPC,
    SERVER_DISCONNECTS, TO_HOST_RPC, join_request, u16)


NO_SPECTATORS = "Spectators cannot watch this room."
BANNED = "You are banned from this room."


@scenario()
async def extension_is_offered_by_both_or_not_used(life):
    for rest in b"\0", b"RX", b"RX\2" + bytes(9), b"rx\1", os.urandom(40).replace(b"R", b"S"):
        peer = await life.connect()
        await peer.send(join_request(f"rest {rest.hex()}", True), rest)
        answer = await peer.get()
        assert answer[0] == RESPONSE and len(answer) == 13, answer
        await peer.send(TARGETED)
        await peer.expect_end("Illegal Server -> Client command.", 1002)
    for rest in b"RX\1\1", b"RX\1\1\0\4\0\0\0", trailer([(CAPABILITIES, b"123")]), \
            trailer([(NAME, b"a\x07b")]), trailer([(NAME, b"\xff")]), trailer([(NAME, b"")]), \
            trailer([(NAME, b"x" * 65)]), trailer([(SEAT, b"1")]), trailer([(PROOF, bytes(31))]):
        await life.refused("Failed to parse join request.", 1002, join_request("t", True) + rest)
    # Unknown items are passed over, and the first of two counts.
    host = await life.extended_host("items", items=[(200, b"later"), (NAME, b"first"),
                                                    (NAME, b"second")])
    one = await life.extended("items", can=CAN_EVENTS)
    if not any(who == 0 for _, who, *_ in one.events):
        await one.event(JOINED, 0, name="first")
    none = await life.extended("items", can=0)
    assert int.from_bytes(none.items[CAPABILITIES], "big") == 0
    await host.event(JOINED, one.id, flags=IS_EXTENDED)


@scenario()
async def members_are_told(life):
    host = await life.extended_host("members")
    plain = await life.enter("members")
    await host.event(JOINED, 1, flags=0, name="")
    await host.expect(NEW_CLIENT, u16(1))
    ann = await life.extended("members", items=[(NAME, "Änn".encode())])
    await host.event(JOINED, 2, seat=ann.seat, flags=IS_EXTENDED, name="Änn")
    await host.expect(NEW_CLIENT, u16(2))
    await ann.event(JOINED, 1, flags=0)
    deaf = await life.extended("members", can=0)
    await ann.event(JOINED, 3)
    await host.event(JOINED, 3)
    await host.expect(NEW_CLIENT, u16(3))
    await life.lose(plain)
    await ann.event(AWAY, 1)
    await host.event(AWAY, 1)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    plain = await life.back("members", plain)
    await ann.event(BACK, 1)
    await host.event(BACK, 1)
    await host.expect(NEW_CLIENT, u16(1))
    await plain.send(LEAVE)
    await ann.event(LEFT, 1)
    await host.event(LEFT, 1)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await host.send(KICK, u16(3))
    await deaf.expect_end(REJECTED, 1008)
    await ann.event(KICKED, 3)
    await host.event(KICKED, 3)
    await host.expect(CLIENT_DISCONNECTS, u16(3))


@scenario(player_grace_s=1)
async def expiry_is_told(life):
    host = await life.extended_host("expired")
    one = await life.enter("expired")
    await host.event(JOINED, 1)
    await host.expect(NEW_CLIENT, u16(1))
    await life.lose(one)
    await host.event(AWAY, 1)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await host.event(EXPIRED, 1)
    await host.expect_nothing()


@scenario()
async def seats_are_given_out_again(life):
    host = await life.extended_host("seats", items=[(MAX_PLAYERS, u16(12))])
    free = [seat for seat in range(1, 5) if seat != host.seat]  # one may be the host's
    one = await life.extended("seats", can=0)
    two = await life.extended("seats", can=0)
    nine = await life.extended("seats", can=0, items=[(SEAT, u16(9))])
    again = await life.extended("seats", can=0, items=[(SEAT, u16(one.seat))])
    assert [one.seat, two.seat, nine.seat] == [*free[:2], 9]
    assert again.seat not in (host.seat, one.seat, two.seat, 9), "a seat is one member's"
    await one.send(LEAVE)
    await one.expect_end("Client disconnected intentionally", 1000)
    await life.lose(two)
    new = await life.extended("seats", can=0)
    assert new.seat == one.seat and new.id == 5, "the id is new, the seat is not"
    back = await life.extended("seats", can=0, token=two.token)
    assert back.seat == two.seat and back.id == two.id
    await host.event(BACK, back.id, seat=two.seat, after=[NEW_CLIENT, CLIENT_DISCONNECTS])


@scenario()
async def targeted_messages(life):
    host = await life.extended_host("targets")
    clients = [await life.extended("targets", can=CAN_TARGETED) for _ in range(3)]
    plain = await life.enter("targets")
    await host.quiet(MEMBER_EVENT, NEW_CLIENT)
    one, two, three = clients

    def to(flags, *ids, payload):
        return bytes([TARGETED, flags]) + u16(len(ids)) + b"".join(map(u16, ids)) + payload
    await host.send(to(0, 1, payload=b"for one"))  # whether it has the state or not
    await host.send(FULL, b"s")
    await host.send(to(0, 1, 3, plain.id, 999, payload=b"for two of four"))
    await host.send(DELTA, b"d")
    await host.send(to(1, 1, payload=b"for all but one"))
    await host.send(to(0, payload=b"for nobody"))
    await host.send(to(1, payload=b"for all"))
    first, second, third, last = ([TARGETED, text] for text in (
        b"for one", b"for two of four", b"for all but one", b"for all"))
    for client, wanted in [
        (one, [first, [FULL, b"s"], second, [DELTA, b"d"], last]),
        (two, [[FULL, b"s"], [DELTA, b"d"], third, last]),
        (three, [[FULL, b"s"], second, [DELTA, b"d"], third, last]),
        (plain, [[FULL, b"s"], [DELTA, b"d"]]),
    ]:
        for parts in wanted:
            await client.expect(*parts)
        await client.expect_nothing()


@scenario()
async def plain_peers_see_no_byte_more(life):
    """A room full of what the extension can do, beside two that have never heard of it."""
    host = await life.extended_host("mixed", items=[(METADATA, b"about"), (LISTED, b"")])
    plain = await life.enter("mixed")
    ann = await life.extended("mixed", items=[(NAME, b"ann")])
    watcher = await life.extended("mixed", items=[(SPECTATOR, b"")])
    await host.send(ROOM_INFO, 3, b"new")
    await host.send(TARGETED, 1, u16(0), b"x")
    await host.send(FULL, b"s")
    await plain.expect(FULL, b"s")
    await life.lose(ann)
    ann = await life.extended("mixed", token=ann.token)
    await life.lose(host)
    host = await life.extended("mixed", token=host.token)
    assert host.id == 0
    await host.send(FULL, b"t")
    await plain.expect(FULL, b"t")
    await host.send(BAN, u16(ann.id), 1)
    await plain.expect_nothing()
    await host.send(SERVER_DISCONNECTS)
    await plain.expect_end(HOST_LEFT, 1000)
    # The other way round: a host of today, and a player that offers everything.
    host = await life.host("plain host")
    ann = await life.extended("plain host", items=[(NAME, b"ann"), (SEAT, u16(3))])
    await host.expect(NEW_CLIENT, u16(1))
    await host.send(FULL, b"s")
    assert await ann.next_but(MEMBER_EVENT, ROOM_INFO) == b"\x03s"
    await ann.send(RPC, b"r")
    await host.expect(TO_HOST_RPC, u16(1), b"r")
    await life.lose(ann)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await host.expect_nothing()


@scenario()
async def room_info(life):
    host = await life.extended_host("info")
    one = await life.extended("info", can=CAN_ROOM_INFO)
    deaf = await life.extended("info", can=CAN_ALL & ~CAN_ROOM_INFO & ~CAN_EVENTS)
    await host.send(ROOM_INFO, 1, b"level 3")
    while (got := await one.get()) != bytes([ROOM_INFO, 1]) + b"level 3":
        assert got[0] == ROOM_INFO, got
    await deaf.expect_nothing()
    await host.send(ROOM_INFO, 0, b"closed")
    await one.expect(ROOM_INFO, 0, b"closed")
    await life.turned_away("The room is closed.", "info")
    await host.quiet(MEMBER_EVENT, NEW_CLIENT)
    await host.send(ROOM_INFO, 1)
    await one.expect(ROOM_INFO, 1)
    await life.enter("info")


@scenario()
async def creator_sets_limits(life):
    host = await life.extended_host("limit", items=[(MAX_PLAYERS, u16(3))])
    await life.enter("limit")
    await life.enter("limit")
    await life.refused("Room limit exceeded max amount of players 3.", 1013, join_request("limit"))
    await host.quiet(MEMBER_EVENT, NEW_CLIENT)
    # It cannot be above the game's.
    await life.extended_host("limit", game="duo", items=[(MAX_PLAYERS, u16(9))])
    await life.enter("limit", game="duo")
    await life.refused("Room limit exceeded max amount of players 2.", 1013,
                       join_request("limit", game="duo"))


@scenario()
async def passwords(life):
    key = password_key("corréct horse", "demo", "secret")
    host = await life.extended_host("secret", items=[(PASSWORD_KEY, key)])
    one = await life.extended("secret", can=0, password="corréct horse")
    await host.event(JOINED, 1)
    await host.expect(NEW_CLIENT, u16(1))
    await life.turned_away("The room needs a password.", "secret")  # without the extension
    wrong = ExtendedPeer((await life.connect()).socket)
    assert await wrong.request("secret", password="wrong") == b"\x05Wrong password."
    await wrong.expect_close(1008)
    # A proof is for one challenge, and each challenge is another.
    nonces = set()
    for _ in range(5):
        peer = await life.connect()
        await peer.send(join_request("secret"), trailer([]))
        answer = await peer.get()
        assert answer[0] == CHALLENGE, answer
        nonces.add(answer[1:])
    assert len(nonces) == 5
    # A token needs no proof, whoever has it.
    await life.lose(one)
    await host.event(AWAY, 1)
    await host.expect(CLIENT_DISCONNECTS, u16(1))
    await life.back("secret", one)
    await host.event(BACK, 1)
    await host.expect(NEW_CLIENT, u16(1))
    await host.expect_nothing()


@scenario(max_spectators=2)
async def spectators(life):
    host = await life.extended_host("watched", game="duo")
    await life.enter("watched", game="duo")
    await host.event(JOINED, 1)
    await host.expect(NEW_CLIENT, u16(1))
    watch = {"game": "duo", "items": [(SPECTATOR, b"")]}
    watchers = []
    for _ in range(2):  # the room is full of players
        watcher = await life.extended("watched", can=0, **watch)
        assert SPECTATOR in watcher.items
        await host.event(JOINED, watcher.id, seat=NO_SEAT, flags=IS_SPECTATOR | IS_EXTENDED)
        watchers.append(watcher)
    await life.turned_away("Room watched exceeded max amount of players 2.", "watched", code=1013,
                           **watch)  # of those who watch, as configured
    await watchers[0].send(RPC, b"dropped")
    await watchers[0].expect_nothing()
    await host.expect_nothing()
    await host.send(FULL, b"s")
    for watcher in watchers:
        await watcher.expect(FULL, b"s")
    await watchers[1].send(LEAVE)
    await host.event(LEFT, watchers[1].id)
    await host.expect_nothing()
    # Where the host would not hear of them, there are none.
    await life.host("unwatched")
    await life.turned_away(NO_SPECTATORS, "unwatched", items=[(SPECTATOR, b"")])


@scenario()
async def bans(life):
    host = await life.extended_host("ban")
    here = {"local_addr": ("127.0.0.3", 0)}
    bad = await life.extended("ban", can=0, options=here)
    good = await life.enter("ban")
    await host.quiet(MEMBER_EVENT, NEW_CLIENT)
    await host.send(BAN, u16(bad.id), BAN_ADDRESS)
    await bad.expect_end(REJECTED, 1008)
    await host.event(KICKED, bad.id)
    await host.expect(CLIENT_DISCONNECTS, u16(bad.id))
    await life.turned_away(BANNED, "ban", options=here)
    await life.turned_away(BAD_TOKEN, "ban", options=here, token=bad.token)
    await host.expect_nothing()
    await good.expect_nothing()
    await life.enter("ban")
    # In other rooms it is as welcome as before.
    await life.extended_host("no ban", options=here)


@scenario()
async def host_state(life):
    host = await life.host("state")
    one = await life.extended("state", can=CAN_HOST_STATE)
    await host.expect(NEW_CLIENT, u16(1))
    await life.lose(host)
    got = await one.get()
    assert got[:2] == bytes([HOST_STATE, HOST_AWAY]) and len(got) == 8, got
    assert 0 < int.from_bytes(got[4:], "big") <= 30_000, got
    host = await life.back("state", host)
    got = await one.get()
    assert got[:2] == bytes([HOST_STATE, HOST_BACK]) and len(got) == 8, got
    await one.expect_nothing()
    await replay(host, present=[1])


@scenario(state_cache=262144)
async def only_what_was_missed(life):
    host = await life.host("sequence")
    await life.client(host, "sequence")
    one = await life.extended("sequence", can=CAN_SEQUENCE)
    await host.expect(NEW_CLIENT, u16(2))
    await host.send(FULL, b"s")
    await one.expect(FULL, b"s")
    got = await one.get()
    assert got[0] == STATE_SEQUENCE and len(got) == 9, got
    seen = int.from_bytes(got[1:], "big")
    await host.send(DELTA, b"1")
    await one.expect(DELTA, b"1")
    seen += 1
    await life.lose(one)
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    await host.send(DELTA, b"2")
    await host.send(DELTA, b"3")
    await host.expect_nothing()
    item = (SEQUENCE, seen.to_bytes(8, "big"))
    one = await life.extended("sequence", can=CAN_SEQUENCE, token=one.token, items=[item])
    assert SEQUENCE in one.items, "it continues"
    await one.expect(DELTA, b"2")
    await one.expect(DELTA, b"3")
    await host.expect(NEW_CLIENT, u16(2))
    await host.send(RESET, b"anew")
    await one.expect(RESET, b"anew")
    await one.expect(STATE_SEQUENCE, (seen + 3).to_bytes(8, "big"))
    # What the relay cannot know of is no place to continue from.
    await life.lose(one)
    await host.expect(CLIENT_DISCONNECTS, u16(2))
    item = (SEQUENCE, (seen + 1000).to_bytes(8, "big"))
    one = await life.extended("sequence", can=CAN_SEQUENCE, token=one.token, items=[item])
    assert SEQUENCE not in one.items
    await one.expect(RESET, b"anew")


@scenario(migrate_host=True, host_grace_s=1)
async def another_host(life):
    host = await life.host("moves", rule=6)
    plain = await life.client(host, "moves")
    heir = await life.extended("moves", can=CAN_HOST)
    await host.expect(NEW_CLIENT, u16(2))
    third = await life.extended("moves", can=CAN_HOST | CAN_HOST_STATE)
    await host.expect(NEW_CLIENT, u16(3))
    await host.send(FULL, b"s")
    for peer in plain, heir, third:
        await peer.expect(FULL, b"s")
    await life.lose(host)
    offer = await heir.get()
    assert offer[0] == HOST_OFFER and len(offer) == 5, offer
    await heir.send(HOST_ACCEPT)
    heir.take_response(await heir.get(), CAN_HOST)
    assert (heir.id, heir.rule) == (0, 6)
    await replay(heir, present=[1, 3])
    while (got := await third.get())[:2] != bytes([HOST_STATE, HOST_CHANGED]):
        assert got[:2] == bytes([HOST_STATE, HOST_AWAY]), got
    assert got[2:4] == u16(2), "the id that it had"
    await heir.send(FULL, b"mine")
    for peer in plain, third:
        await peer.expect(FULL, b"mine")
        await peer.send(RPC, b"r")
        await heir.expect(TO_HOST_RPC, u16(peer.id), b"r")
    # Its token is the host's from now on, and the old host's is nobody's.
    await life.refused(BAD_TOKEN, 1008, join_request("moves", token=host.token))
    again = await life.back("moves", heir)
    await superseded(heir)
    await replay(again, present=[1, 3])
