#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what each public header includes, directly or not, and fails on what none may reach.

A core's headers reach standard headers and those of the components below it, and nothing else: no
Asio, fmt, JSON, msgpack or WebSocket++. The drivers' headers reach Asio besides. What other libraries'
headers include themselves is not followed.

    public_includes.py ROOT [--cost CXX] [HEADER...]     HEADER as in muster/relay/service.hpp
    public_includes.py --self-test

--cost compiles each header alone, and prints the lines the preprocessor makes of it, and the seconds.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from rings import C_HEADERS, INCLUDE, INWARD, component_of, is_standard


def reached_by(root, name, reached=None):
    """What a header includes, and through which: {"muster/a.hpp": "muster/b.hpp", "vector": ...}."""
    reached = {} if reached is None else reached
    path = root / "include" / name
    for _, other in INCLUDE.findall(path.read_text(encoding="utf-8")) if path.exists() else ():
        if other not in reached:
            reached[other] = name
            if other.startswith("muster/"):
                reached_by(root, other, reached)
    return reached


def problems_of(root, name, reached):
    component = component_of(name.split("/")[1:])
    for other, through in sorted(reached.items()):
        if other.startswith("muster/"):
            below = component_of(other.split("/")[1:])
            if not (root / "include" / other).exists():
                yield f"{name}: reaches {other} through {through}, and there is no such header"
            elif name == "muster/muster.hpp":
                if below == "asio":
                    yield f"{name}: reaches {other}, a driver, through {through}"
            elif below != component and below not in INWARD.get(component, ()):
                yield f"{name}: reaches {other} through {through}; {component} is not above {below}"
        elif not is_standard(other) and not (component == "c" and other in C_HEADERS):
            if component != "asio" or not other.startswith("asio"):
                yield f"{name}: reaches <{other}> through {through}"


def format_reached(name, reached):
    own = [other.removeprefix("muster/") for other in sorted(reached) if other.startswith("muster/")]
    others = [f"<{other}>" for other in sorted(reached) if not other.startswith("muster/")]
    return f"{name}: {' '.join(own + others) or 'nothing'}"


def cost_of(root, name, compiler):
    command = [compiler, "-std=c++20", "-DASIO_STANDALONE", "-I", root / "include", "-x", "c++", "-"]
    text = f"#include <{name}>\n".encode()
    lines = subprocess.run([*command, "-E", "-P"], check=True, input=text, stdout=subprocess.PIPE).stdout
    start = time.monotonic()
    subprocess.run([*command, "-fsyntax-only"], check=True, input=text)
    return lines.count(b"\n"), time.monotonic() - start


def public_headers(root):
    include = root / "include"
    return [path.relative_to(include).as_posix() for path in sorted(include.rglob("*"))
            if path.suffix in (".h", ".hpp")]


def self_test():
    """Every rule must be able to fail: plants one violation after the other, behind another header."""
    cases = [
        (0, {"muster/a.hpp": "<muster/b.hpp>", "muster/b.hpp": "<vector>"}),
        (0, {"muster/asio/a.hpp": "<muster/asio/b.hpp>", "muster/asio/b.hpp": "<asio/post.hpp>"}),
        (0, {"muster/asio/a.hpp": "<muster/soe/a.hpp>", "muster/soe/a.hpp": "<array>"}),
        (0, {"muster/a.hpp": "<muster/b.hpp>", "muster/b.hpp": "<muster/a.hpp>"}),
        (2, {"muster/a.hpp": "<muster/b.hpp>", "muster/b.hpp": "<asio/post.hpp>"}),
        (2, {"muster/room/a.hpp": "<muster/b.hpp>", "muster/b.hpp": "<fmt/core.h>"}),
        (2, {"muster/relay/a.hpp": "<muster/relay/b.hpp>", "muster/relay/b.hpp": "<nlohmann/json.hpp>"}),
        (2, {"muster/shard/a.hpp": "<muster/msgpack/b.hpp>", "muster/msgpack/b.hpp": "<msgpack.hpp>"}),
        (2, {"muster/asio/a.hpp": "<muster/websocket/b.hpp>",
             "muster/websocket/b.hpp": "<websocketpp/frame.hpp>"}),
        (2, {"muster/asio/a.hpp": "<muster/asio/b.hpp>", "muster/asio/b.hpp": "<openssl/ssl.h>"}),
        (2, {"muster/relay/a.hpp": "<muster/b.hpp>", "muster/b.hpp": "<muster/asio/a.hpp>",
             "muster/asio/a.hpp": "<memory>"}),
        (1, {"muster/a.hpp": "<muster/gone.hpp>"}),
        (1, {"muster/muster.hpp": "<muster/asio/a.hpp>", "muster/asio/a.hpp": "<memory>"}),
    ]
    failures = 0
    for expected, files in cases:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, included in files.items():
                path = root / "include" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"#include {included}\n", encoding="utf-8")
            found = [problem for name in public_headers(root)
                     for problem in problems_of(root, name, reached_by(root, name))]
        if len(found) != expected:
            failures += 1
            print(f"self-test: {files}: {found}")
    print(f"public_includes: self-test: {len(cases)} cases, {failures} failures")
    return 1 if failures else 0


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    root, compiler = pathlib.Path(arguments.pop(0)).resolve(), None
    if arguments[:1] == ["--cost"]:
        compiler, arguments = arguments[1], arguments[2:]
    headers = arguments or public_headers(root)
    problems = [f"{name}: there is no such header" for name in headers
                if not (root / "include" / name).exists()]
    for name in headers:
        reached = reached_by(root, name)
        problems += problems_of(root, name, reached)
        print(format_reached(name, reached))
        if compiler:
            lines, seconds = cost_of(root, name, compiler)
            print(f"    {lines} lines, {seconds:.2f} s")
    for problem in problems:
        print(problem)
    print(f"public_includes: {len(headers)} headers, {len(problems)} problems")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
