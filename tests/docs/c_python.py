# SPDX-License-Identifier: MIT
"""A server and a client of reliable UDP from Python, without a network: c_python.py LIBRARY"""
import ctypes
import os
import sys

muster = ctypes.CDLL(sys.argv[1])  # libmuster-c.so


class Address(ctypes.Structure):
    _fields_ = [("ip", ctypes.c_uint8 * 16), ("port", ctypes.c_uint16)]


class Config(ctypes.Structure):  # the first fields are enough: the size says so
    _fields_ = [("size", ctypes.c_size_t), ("protocol", ctypes.c_char_p)]


class Event(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("channel", ctypes.c_int32), ("reason", ctypes.c_int32),
                ("by_peer", ctypes.c_int32), ("session", ctypes.c_uint64),
                ("data", ctypes.c_void_p), ("data_size", ctypes.c_size_t)]


class Transmit(ctypes.Structure):
    _fields_ = [("to", Address), ("data", ctypes.c_void_p), ("data_size", ctypes.c_size_t)]


OPENED, DATA = 1, 2
soe_t, time_t = ctypes.c_void_p, ctypes.c_uint64  # without these, ctypes passes 32 bits
muster.muster_error_text.restype = ctypes.c_char_p
muster.muster_soe_config_init.argtypes = [ctypes.POINTER(Config), ctypes.c_size_t]
muster.muster_soe_create.argtypes = [ctypes.POINTER(Config), ctypes.c_char_p, time_t,
                                     ctypes.POINTER(soe_t), ctypes.c_char_p, ctypes.c_size_t]
muster.muster_soe_connect.argtypes = [soe_t, ctypes.POINTER(Address), ctypes.c_char_p, time_t,
                                      ctypes.POINTER(ctypes.c_uint64)]
muster.muster_soe_receive.argtypes = [soe_t, ctypes.POINTER(Address), ctypes.c_char_p,
                                      ctypes.c_size_t, time_t]
muster.muster_soe_enqueue.argtypes = [soe_t, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p,
                                      ctypes.c_size_t]
muster.muster_soe_advance.argtypes = [soe_t, time_t]
muster.muster_soe_poll_event.argtypes = [soe_t, ctypes.POINTER(Event), ctypes.c_size_t]
muster.muster_soe_poll_transmit.argtypes = [soe_t, ctypes.POINTER(Transmit), ctypes.c_size_t]
muster.muster_soe_destroy.argtypes = [soe_t]


def check(code):
    if code < 0:
        raise RuntimeError(muster.muster_error_text(code).decode())
    return code


def make(protocol):
    config, soe = Config(), soe_t()
    check(muster.muster_soe_config_init(config, ctypes.sizeof(config)))
    config.protocol = protocol
    check(muster.muster_soe_create(config, os.urandom(32), now, ctypes.byref(soe), None, 0))
    return soe


def events(soe):
    event = Event()
    while check(muster.muster_soe_poll_event(soe, event, ctypes.sizeof(event))):
        yield event.kind, event.session, ctypes.string_at(event.data or 0, event.data_size)


now = 1
home, away = Address(port=1), Address(port=2)
client, server = make(None), make(b"chat")
session = ctypes.c_uint64()
check(muster.muster_soe_connect(client, away, b"chat", now, ctypes.byref(session)))
heard = 0
while heard < 2:
    now += 1000  # the clock is ours: a millisecond takes no time
    for soe, peer, own in (client, server, home), (server, client, away):
        check(muster.muster_soe_advance(soe, now))
        out = Transmit()
        while check(muster.muster_soe_poll_transmit(soe, out, ctypes.sizeof(out))):
            datagram = ctypes.string_at(out.data, out.data_size)
            check(muster.muster_soe_receive(peer, own, datagram, len(datagram), now))
            for kind, name, data in events(peer):
                if kind == DATA:
                    heard += 1
                    print("server heard:" if peer is server else "client heard:", data)
                    if peer is server:
                        check(muster.muster_soe_enqueue(server, name, 0, data.upper(), len(data)))
                elif kind == OPENED and peer is client:
                    check(muster.muster_soe_enqueue(client, name, 0, b"hello", 5))
muster.muster_soe_destroy(client)
muster.muster_soe_destroy(server)
