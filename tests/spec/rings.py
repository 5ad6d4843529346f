#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that includes point inward only and that the cores name nothing they must not have.

A core has no socket, thread, lock, clock, log or random device of its own, and depends only on what
the table below allows. Comments and string literals are not looked at.

    rings.py ROOT [--self-test]
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import source_check  # noqa: E402

# Which components a component may include. The drivers (asio) may include everything.
INWARD = {
    "core": set(),
    "websocket": {"core"},
    "msgpack": {"core"},
    "relay": {"core"},
    "signal": {"core", "msgpack"},
    "shard": {"core", "msgpack"},
    "lobby": {"core"},
    "soe": {"core"},
    "c": {"core", "websocket", "relay", "soe"},
    "asio": {"core", "websocket", "msgpack", "relay", "signal", "shard", "lobby", "soe"},
}
# Directories below include/muster and lib that belong to the component core.
CORE_DIRECTORIES = {"wire", "memory", "room"}

# Third-party includes that sources may have, by file or directory below lib/. Public headers may
# have none, except <asio...> in include/muster/asio.
SOURCE_MAY_INCLUDE = {
    "lib/websocket/handshake.cpp": ("websocketpp/",),
    "lib/relay/": ("nlohmann/", "fmt/"),
    "lib/msgpack/": ("msgpack",),
    "lib/signal/player_name.cpp": ("utf8proc.h",),
    "lib/signal/turn_credentials.cpp": ("websocketpp/sha1/",),
    "lib/signal/": ("nlohmann/", "fmt/"),
    "lib/shard/": ("nlohmann/", "fmt/"),
    "lib/lobby/": ("nlohmann/", "fmt/"),
    "lib/soe/crc32.cpp": ("libdeflate.h",),
    "lib/soe/deflate.cpp": ("libdeflate.h",),
}

# What C headers may include: the C interface is for programs in other languages.
C_HEADERS = ("stddef.h", "stdint.h")

# Standard headers that a core has no use for.
FORBIDDEN_STANDARD = {
    "thread": "threads", "stop_token": "threads", "future": "threads",
    "mutex": "locks", "shared_mutex": "locks", "condition_variable": "locks", "semaphore": "locks",
    "latch": "locks", "barrier": "locks",
    "iostream": "logs", "ostream": "logs", "istream": "logs", "fstream": "files", "cstdio": "logs",
    "filesystem": "files", "syncstream": "logs", "ctime": "clocks", "csignal": "signals",
}

FORBIDDEN_WORDS = [
    (re.compile(p), why) for p, why in [
        # The definition of a member function of that name is not a call.
        (r"::\s*now\s*\(\s*\)(?!\s*(const|noexcept|\{))", "reads a clock"),
        (r"\b(system_clock|high_resolution_clock|clock_gettime|gettimeofday|localtime|gmtime)\b",
         "reads a clock"),
        (r"\brandom_device\b|\bs?rand\s*\(|\bgetrandom\b|\bgetentropy\b|\barc4random", "draws randomness"),
        (r"\bstd\s*::\s*(jthread|thread|async|this_thread|mutex|shared_mutex|recursive_mutex|"
         r"lock_guard|unique_lock|scoped_lock|condition_variable)\b", "uses threads or locks"),
        (r"\bthread_local\b|\bpthread_", "uses threads or locks"),
        (r"\b[fsv]*n?printf\s*\(|\bputs\s*\(|\bfputs\s*\(|\bperror\s*\(", "prints"),
        (r"\bstd\s*::\s*(cout|cerr|clog|cin|i?o?f?stream)\b", "prints or reads files"),
        (r"(?<![\w:])::\s*(socket|send|sendto|sendmsg|recv|recvfrom|recvmsg|connect|bind|listen|"
         r"accept4?|poll|select|epoll_\w+|read|write|close)\s*\(", "calls the operating system"),
        (r"\b(getaddrinfo|getnameinfo|setsockopt|getsockname|epoll_ctl|epoll_wait)\b",
         "calls the operating system"),
        (r"\bgetenv\s*\(", "reads the environment"),
    ]
]

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\s\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Za-z])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def blank(match):
    """Replaces comments and literals by nothing, and keeps the line count."""
    return "\n" * match.group(0).count("\n") or " "


def component_of(parts):
    """The component of a path below include/muster or lib."""
    if len(parts) == 1 or parts[0] in CORE_DIRECTORIES:
        return "core"
    return parts[0]


def check_file(root, path):
    relative = path.relative_to(root).as_posix()
    is_header = relative.startswith("include/")
    parts = path.relative_to(root / ("include/muster" if is_header else "lib")).parts
    component = component_of(parts)
    text = path.read_text(encoding="utf-8")
    umbrella = relative == "include/muster/muster.hpp"

    def problem(position, what):
        line = text.count("\n", 0, position) + 1
        return f"{relative}:{line}: {what}"

    if component not in INWARD:
        yield problem(0, f"component '{component}' is not in the table of this test")
        return

    for match in INCLUDE.finditer(text):
        kind, name = match.groups()
        at = match.start(1)
        if name.startswith("muster/"):
            if is_header and component == "c" and not name.endswith(".h"):
                yield problem(at, f"{name} is not C")
            other = component_of(name.split("/")[1:])
            if other != component and other not in INWARD[component] and not umbrella:
                yield problem(at, f"{component} must not include {name}: includes point inward only")
            elif umbrella and other == "asio":
                yield problem(at, "the umbrella header covers the cores, not the drivers")
            continue
        if kind == '"':
            if is_header:
                yield problem(at, f'public headers include "{name}" as <muster/...>')
            continue
        if component == "asio":
            if name.startswith("websocketpp"):
                yield problem(at, f"<{name}>: only lib/websocket/handshake.cpp uses WebSocket++")
            if is_header and not is_standard(name) and not name.startswith("asio"):
                yield problem(at, f"<{name}> must not be in a public header")
            continue
        if is_header and component == "c":
            if name not in C_HEADERS:
                yield problem(at, f"<{name}>: a header in C includes nothing else than {C_HEADERS}")
            continue
        if is_standard(name):
            if name in FORBIDDEN_STANDARD:
                yield problem(at, f"<{name}>: a core has no {FORBIDDEN_STANDARD[name]} of its own")
            continue
        allowed = () if is_header else next(
            (a for prefix, a in SOURCE_MAY_INCLUDE.items() if relative.startswith(prefix)), ())
        if not name.startswith(allowed):
            yield problem(at, f"<{name}> must not be included here")

    if component != "asio":
        code = TOKEN.sub(blank, text)
        for pattern, why in FORBIDDEN_WORDS:
            for match in pattern.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                yield f"{relative}:{line}: '{match.group(0).strip()}' {why}; a core must not"


def is_standard(name):
    return re.fullmatch(r"[a-z_0-9]+", name) is not None


def check_umbrella(root):
    """muster.hpp includes every header of every core."""
    umbrella = root / "include/muster/muster.hpp"
    if not umbrella.exists():
        return
    included = {name for _, name in INCLUDE.findall(umbrella.read_text(encoding="utf-8"))}
    for path in sorted((root / "include/muster").rglob("*.hpp")):
        name = path.relative_to(root / "include").as_posix()
        if path != umbrella and not name.startswith("muster/asio/") and name not in included:
            yield f"include/muster/muster.hpp:1: does not include {name}"


def check(root):
    files = [p for top in ("include/muster", "lib") for p in sorted((root / top).rglob("*"))
             if p.suffix in (".hpp", ".cpp", ".ipp", ".h")]
    problems = [p for path in files for p in check_file(root, path)]
    return len(files), problems + list(check_umbrella(root))


def self_test():
    """Every rule must be able to fail: plants one violation after the other."""
    planted = [
        ("lib/a.cpp", "#include <asio/io_context.hpp>"),
        ("lib/room/a.cpp", "#include <thread>"),
        ("include/muster/a.hpp", "#include <mutex>"),
        ("include/muster/wire/a.hpp", "#include <nlohmann/json.hpp>"),
        ("include/muster/relay/a.hpp", "#include <nlohmann/json.hpp>"),
        ("include/muster/msgpack/a.hpp", "#include <msgpack.hpp>"),
        ("lib/shard/a.cpp", "#include <msgpack.hpp>"),
        ("lib/signal/a.cpp", "#include <utf8proc.h>"),
        ("lib/msgpack/a.cpp", "#include <muster/shard/shard.hpp>"),
        ("include/muster/soe/a.hpp", "#include <fmt/core.h>"),
        ("include/muster/soe/a.hpp", "#include <libdeflate.h>"),
        ("lib/soe/a.cpp", "#include <libdeflate.h>"),
        ("lib/soe/deflate.cpp", "#include <zlib.h>"),
        ("lib/soe/a.cpp", "#include <muster/asio/loop.hpp>"),
        ("include/muster/asio/a.hpp", "#include <openssl/ssl.h>"),
        ("include/muster/websocket/a.hpp", "#include <websocketpp/frame.hpp>"),
        ("lib/websocket/frame_codec.cpp", "#include <websocketpp/frame.hpp>"),
        ("lib/relay/a.cpp", "#include <websocketpp/frame.hpp>"),
        ("lib/asio/a.cpp", "#include <websocketpp/frame.hpp>"),
        ("lib/relay/a.cpp", "#include <sys/socket.h>"),
        ("lib/relay/a.cpp", "#include <iostream>"),
        ("lib/memory/a.cpp", "#include <muster/relay/service.hpp>"),
        ("lib/room/a.cpp", "#include <muster/asio/loop.hpp>"),
        ("lib/websocket/a.cpp", "#include <muster/relay/service.hpp>"),
        ("lib/a.cpp", "auto t = std::chrono::steady_clock::now();"),
        ("lib/a.cpp", "auto t = Clock :: now ( );"),
        ("lib/a.cpp", "std::random_device device;"),
        ("lib/a.cpp", "std::printf(\"%d\", 1);"),
        ("lib/a.cpp", "int n = snprintf(b, 4, f);"),
        ("lib/a.cpp", "std::lock_guard<M> lock(m);"),
        ("lib/a.cpp", "int fd = ::socket(1, 2, 3);"),
        ("include/muster/c/a.h", "#include <vector>"),
        ("include/muster/c/a.h", "#include <stdio.h>"),
        ("include/muster/c/a.h", "#include <muster/time.hpp>"),
        ("lib/c/a.cpp", "#include <muster/asio/loop.hpp>"),
        ("lib/asio/a.cpp", "#include <muster/c/soe.h>"),
        ("lib/novel/a.cpp", "int x;"),
        ("include/muster/a.hpp", "#include \"b.hpp\""),
    ]
    harmless = [
        ("lib/a.cpp", "// std::random_device, <thread>, steady_clock::now()\nint x = 1'000'000;"),
        ("lib/a.cpp", "auto s = \"steady_clock::now() printf(\";"),
        ("lib/a.cpp", "time_point Network::now() const noexcept { return now_; }"),
        ("lib/a.cpp", "/* std::mutex */ int fnow = conn.send(1) + muster::wire::read(2);"),
        ("lib/websocket/handshake.cpp", "#include <websocketpp/processors/hybi13.hpp>"),
        ("lib/relay/game_config.cpp", "#include <nlohmann/json.hpp>\n#include <muster/frame.hpp>"),
        ("lib/soe/crc32.cpp", "#include <libdeflate.h>"),
        ("include/muster/c/a.h", "#include <stdint.h>\n#include <muster/c/abi.h>"),
        ("lib/c/a.cpp", "#include <muster/relay/service.hpp>\n#include <muster/c/relay.h>"),
        ("include/muster/asio/loop.hpp", "#include <asio/io_context.hpp>\n#include <thread>"),
    ]
    cases = [(True, *case) for case in planted] + [(False, *case) for case in harmless]
    return source_check.failures_of("rings", check, cases)


if __name__ == "__main__":
    sys.exit(source_check.main("rings", "files", check, self_test))
