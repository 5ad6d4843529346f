# SPDX-License-Identifier: MIT
"""libmuster-c from Python: the structs and functions of include/muster/c, and two thin classes."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int32, c_size_t, c_uint16, c_uint32, \
    c_uint64, c_void_p, sizeof

OK = 0
CLOSED, OVER_BUDGET, NOT_FOUND, ALREADY_EXISTS, WRONG_STATE, LIMIT_REACHED, INVALID_CONFIG = \
    -1, -2, -3, -4, -5, -6, -7
BAD_VALUE, TOO_LARGE, NULL, NO_MEMORY, NOT_POLLED = -25, -26, -100, -101, -102
NO_DEADLINE = 2**64 - 1

SOE_OPENED, SOE_DATA, SOE_WRITABLE, SOE_CLOSED = 1, 2, 3, 4
OUTPUT, HALF_CLOSE, CLOSE = 1, 2, 3
JOINED, BACK, DEPARTED, RPC, STATE_WANTED, ROOM_CLOSED = 16, 17, 18, 19, 20, 21


def struct(name, **fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


def u32(*names):
    return dict.fromkeys(names, c_uint32)


def u64(*names):
    return dict.fromkeys(names, c_uint64)


Address = struct("Address", ip=ctypes.c_uint8 * 16, port=c_uint16)
SoeConfig = struct(
    "SoeConfig", size=c_size_t, protocol=c_char_p, encryption_key=c_char_p,
    encryption_key_size=c_size_t,
    **u32("udp_length", "crc_length", "compression", "compress_from", "bundles", "multi_packets",
          "redundancy", "send_window", "receive_window", "explains_refusal", "allows_port_remaps",
          "answers_unknown_senders", "max_sessions", "max_half_open", "requests_per_second",
          "requests_per_second_per_host"),
    **u64("max_message", "send_budget", "reassembly_budget", "connect_timeout_us",
          "half_open_timeout_us", "heartbeat_after_us", "inactivity_timeout_us",
          "unacknowledged_timeout_us", "close_timeout_us"))
SoeEvent = struct(
    "SoeEvent", kind=c_int32, channel=c_int32, reason=c_int32, by_peer=c_int32, session=c_uint64,
    data=c_void_p, data_size=c_size_t)
SoeTransmit = struct("SoeTransmit", to=Address, data=c_void_p, data_size=c_size_t)
SoeStats = struct(
    "SoeStats", **u64("smoothed_rtt_us", "rto_us"), loss=c_double,
    **u64("window", "bytes_in_flight", "queued_bytes", "datagrams_received", "datagrams_sent",
          "bytes_received", "bytes_sent", "packets_sent", "packets_resent", "packets_lost"))
SoeTotals = struct(
    "SoeTotals",
    **u64("sessions", "half_open", "sessions_opened", "sessions_closed", "messages_received",
          "messages_sent", "datagrams_received", "datagrams_sent", "datagrams_dropped"))
RelayConfig = struct(
    "RelayConfig", size=c_size_t,
    **u32("max_connections", "max_connections_per_address", "connections_per_second", "max_rooms",
          "max_rooms_per_address", "max_host_message", "max_client_message",
          "client_messages_per_second", "client_bytes_per_second", "state_cache",
          "max_waiting_events"),
    **u64("upgrade_timeout_us", "join_timeout_us", "ping_interval_us", "idle_timeout_us",
          "write_timeout_us", "close_timeout_us", "host_grace_us", "player_grace_us",
          "room_idle_us"))
RelayEvent = struct(
    "RelayEvent", kind=c_int32, detail=c_int32, connection=c_uint64, room=c_uint64, player=c_uint32,
    spectator=c_uint32, data=c_void_p, data_size=c_size_t)
RelayCounts = struct(
    "RelayCounts",
    **u64("connections", "rooms", "members", "present", "connections_begun", "connections_refused",
          "messages_received", "protocol_errors"))

HANDLE, TIME, ID = c_void_p, c_uint64, c_uint64
PAYLOAD = (c_char_p, c_size_t)
MADE = (c_char_p, TIME, POINTER(HANDLE), c_char_p, c_size_t)
FUNCTIONS = {
    "muster_c_version": (c_uint32,),
    "muster_release": (c_char_p,),
    "muster_address_parse": (c_int, c_char_p, c_uint16, POINTER(Address)),
    "muster_address_text": (c_int, POINTER(Address), c_char_p, c_size_t),
    "muster_error_text": (c_char_p, c_int),
    "muster_soe_config_init": (c_int, POINTER(SoeConfig), c_size_t),
    "muster_soe_config_init_own_ends": (c_int, POINTER(SoeConfig), c_size_t, c_uint32),
    "muster_soe_create": (c_int, POINTER(SoeConfig), *MADE),
    "muster_soe_destroy": (None, HANDLE),
    "muster_soe_receive": (c_int, HANDLE, POINTER(Address), *PAYLOAD, TIME),
    "muster_soe_connect": (c_int, HANDLE, POINTER(Address), c_char_p, TIME, POINTER(ID)),
    "muster_soe_enqueue": (c_int, HANDLE, ID, c_int, *PAYLOAD),
    "muster_soe_set_encryption": (c_int, HANDLE, ID, c_uint32, *PAYLOAD),
    "muster_soe_reason_text": (c_char_p, c_int),
    "muster_soe_close": (c_int, HANDLE, ID, c_int, TIME),
    "muster_soe_terminate": (c_int, HANDLE, ID, c_int, TIME),
    "muster_soe_advance": (c_int, HANDLE, TIME),
    "muster_soe_next_deadline": (c_uint64, HANDLE),
    "muster_soe_poll_event": (c_int, HANDLE, POINTER(SoeEvent), c_size_t),
    "muster_soe_poll_transmit": (c_int, HANDLE, POINTER(SoeTransmit), c_size_t),
    "muster_soe_remote": (c_int, HANDLE, ID, POINTER(Address)),
    "muster_soe_find": (c_int, HANDLE, POINTER(Address), POINTER(ID)),
    "muster_soe_stats": (c_int, HANDLE, ID, POINTER(SoeStats), c_size_t),
    "muster_soe_total": (c_int, HANDLE, POINTER(SoeTotals), c_size_t),
    "muster_relay_config_init": (c_int, POINTER(RelayConfig), c_size_t),
    "muster_relay_create": (c_int, POINTER(RelayConfig), *MADE),
    "muster_relay_destroy": (None, HANDLE),
    "muster_relay_add_game": (c_int, HANDLE, c_char_p, c_uint16),
    "muster_relay_accept": (c_int, HANDLE, POINTER(Address), TIME, POINTER(ID)),
    "muster_relay_receive": (c_int, HANDLE, ID, *PAYLOAD, TIME),
    "muster_relay_receive_end": (c_int, HANDLE, ID, TIME),
    "muster_relay_lost": (c_int, HANDLE, ID),
    "muster_relay_output": (c_int, HANDLE, ID, POINTER(c_void_p), POINTER(c_size_t)),
    "muster_relay_sent": (c_int, HANDLE, ID, c_size_t),
    "muster_relay_advance": (c_int, HANDLE, TIME),
    "muster_relay_next_deadline": (c_uint64, HANDLE),
    "muster_relay_drain": (c_int, HANDLE, TIME),
    "muster_relay_poll_event": (c_int, HANDLE, POINTER(RelayEvent), c_size_t),
    "muster_relay_open_room": (c_int, HANDLE, c_char_p, c_char_p, c_uint16, TIME, POINTER(ID)),
    "muster_relay_delta": (c_int, HANDLE, ID, *PAYLOAD),
    "muster_relay_full_update": (c_int, HANDLE, ID, *PAYLOAD),
    "muster_relay_reset": (c_int, HANDLE, ID, *PAYLOAD),
    "muster_relay_send_to": (c_int, HANDLE, ID, POINTER(c_uint16), c_size_t, c_int, *PAYLOAD),
    "muster_relay_kick": (c_int, HANDLE, ID, c_uint32),
    "muster_relay_set_open": (c_int, HANDLE, ID, c_int),
    "muster_relay_close_room": (c_int, HANDLE, ID),
    "muster_relay_count": (c_int, HANDLE, POINTER(RelayCounts), c_size_t),
}

lib = None


def load(path):
    global lib
    lib = ctypes.CDLL(path)
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Error(Exception):
    def __init__(self, code):
        super().__init__(lib.muster_error_text(code).decode())
        self.code = code


def check(code):
    if code < 0:
        raise Error(code)
    return code


def address(ip, port):
    out = Address()
    check(lib.muster_address_parse(ip.encode(), port, out))
    return out


def text(address_):
    out = ctypes.create_string_buffer(56)
    check(lib.muster_address_text(address_, out, len(out)))
    return out.value.decode()


class Handle:
    """What both kinds have: a configuration with changed fields, a seed, a time."""

    config_type, event_type = None, None

    def __init__(self, kind, seed, now, init=None, fields=None):
        self.kind = kind
        config = self.config_type()
        if init is None:
            check(self.call("config_init", byref(config), sizeof(config)))
        else:
            init(config)
        for name, value in (fields or {}).items():
            setattr(config, name, value)
        self.handle = HANDLE()
        problem = ctypes.create_string_buffer(200)
        code = self.call("create", config, seed, now, byref(self.handle), problem, len(problem))
        if code == INVALID_CONFIG:
            raise ValueError(problem.value.decode())
        check(code)

    def call(self, verb, *arguments):
        return getattr(lib, f"muster_{self.kind}_{verb}")(*arguments)

    def do(self, verb, *arguments):
        return check(self.call(verb, self.handle, *arguments))

    def make_id(self, verb, *arguments):
        out = ID()
        self.do(verb, *arguments, byref(out))
        return out.value

    def events(self):
        """Each event and its data."""
        event = self.event_type()
        while self.do("poll_event", event, sizeof(event)):
            yield event, ctypes.string_at(event.data, event.data_size) if event.data_size else b""

    def next_deadline(self):
        return self.call("next_deadline", self.handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("destroy", self.handle)
        self.handle = None


class Soe(Handle):
    config_type, event_type = SoeConfig, SoeEvent

    def __init__(self, seed, now, own_ends=None, **fields):
        def init(config):
            check(lib.muster_soe_config_init_own_ends(config, sizeof(config), own_ends))
        super().__init__("soe", seed, now, init if own_ends else None, fields)

    def transmits(self):
        out = SoeTransmit()
        while self.do("poll_transmit", out, sizeof(out)):
            yield Address.from_buffer_copy(out.to), ctypes.string_at(out.data, out.data_size)


class Relay(Handle):
    config_type, event_type = RelayConfig, RelayEvent

    def __init__(self, seed, now, **fields):
        super().__init__("relay", seed, now, None, fields)

    def output(self, connection):
        data, size = c_void_p(), c_size_t()
        self.do("output", connection, byref(data), byref(size))
        return ctypes.string_at(data, size.value) if size.value else b""
