#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the words that public names are made of.

Every word of every name in the public headers must be on the list beside this file, public_names.txt. So a word that is
misspelt, or new, is looked at once; and the field's terms are written in one way, with none of their synonyms. Comments
and string literals are not looked at, nor what the standard library calls its own.

    public_names.py ROOT [--write | --self-test]

--write takes the words that are there now onto the list: look at what it adds.
"""

import pathlib
import re
import sys
import tempfile
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import source_check  # noqa: E402

LIST = "tests/spec/public_names.txt"

# Terms that are one word. Written apart, they are another name for the same.
ONE_WORD = """
    backend backlog backoff backpressure bandwidth checksum datagram deadline endpoint fallback handshake heartbeat
    loopback matchmaker metadata multiplexer reassembly snapshot subnet subprotocol timeout username watermark websocket
    whitespace
""".split()
# But as the protocol's own name writes it in a type.
APART = "WebSocket"

# What is not said, as words of a name, and what is.
INSTEAD = {
    "acknowledgment": "acknowledgement",
    "addr": "address",
    "buf": "buffer",
    "cfg": "config",
    "chunk": "fragment",
    "close_cause": "close_reason",
    "close_status": "close_code",
    "common": "the name of what it is",
    "conf": "config",
    "configuration": "config",
    "conn": "connection",
    "connexion": "connection",
    "ctx": "context",
    "disconnexion": "disconnection",
    "helper": "the name of what it is",
    "helpers": "the name of what it is",
    "idx": "index",
    "len": "length, size",
    "manager": "the name of what it is",
    "max_transmission_unit": "mtu",
    "mgr": "the name of what it is",
    "msg": "message",
    "nb": "count",
    "num": "count, number",
    "pkt": "packet",
    "reconnexion": "reconnection",
    "recv": "receive",
    "retransmission_timeout": "rto",
    "retransmit_timeout": "rto",
    "round_trip_time": "rtt",
    "seqno": "sequence",
    "seqnum": "sequence",
    "sequence_number": "sequence",
    "shutdown": "drain",
    "signalling": "signaling",
    "slice": "fragment",
    "throttle": "rate_limit; a queue has a high watermark",
    "udp_packet": "datagram",
    "udp_payload": "datagram",
    "util": "the name of what it is",
    "utils": "the name of what it is",
}

# Names that a protocol or its configuration fixes.
FIXED = {
    "deliveries_canceled",  # a family of Signal Fish's metrics
    "manager_deleted", "MUSTER_SOE_REASON_MANAGER_DELETED",  # a reason of SOE's
}

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\s\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Za-z])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include.*$", re.MULTILINE)
STANDARD = re.compile(r"\bstd(\s*::\s*\w+)+")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name):
    return [word.lower() for word in WORD.findall(name)]


def names_of(text):
    """The names in a header, with the line where each is first."""
    code = TOKEN.sub(lambda match: "\n" * match[0].count("\n") or " ", text)
    code = STANDARD.sub(" ", INCLUDE.sub("", code))
    names = {}
    for match in re.finditer(r"\b[A-Za-z_]\w*", code):
        names.setdefault(match[0], code.count("\n", 0, match.start()) + 1)
    return names


def apart():
    """Each way to tear a term in two."""
    return {f"_{term[:i]}_{term[i:]}_": term for term in ONE_WORD for i in range(1, len(term))}


APART_FORMS = apart()


def problems_of(name, known):
    words = words_of(name)
    said = "_" + "_".join(words) + "_"
    for word in words:
        if word not in known:
            yield f"{name}: '{word}' is not on the list: a misspelling, or a word to add to {LIST}"
    if name in FIXED:
        return
    torn = "_" + "_".join(words_of(name.replace(APART, APART.capitalize()))) + "_"
    for form, term in APART_FORMS.items():
        if form in torn:
            yield f"{name}: '{term}' is one word"
    for wrong, right in INSTEAD.items():
        if f"_{wrong}_" in said:
            yield f"{name}: '{wrong}' is called {right}"
    if APART.capitalize() in name:
        yield f"{name}: in a type it is {APART}"


def headers_of(root):
    return [path for path in sorted((root / "include/muster").rglob("*")) if path.suffix in (".h", ".hpp")]


def check(root, known):
    headers = headers_of(root)
    problems = []
    for path in headers:
        for name, line in names_of(path.read_text(encoding="utf-8")).items():
            problems += [f"{path.relative_to(root)}:{line}: {what}" for what in problems_of(name, known)]
    return len(headers), problems


def write(root):
    words = {word for path in headers_of(root) for name in names_of(path.read_text(encoding="utf-8"))
             for word in words_of(name)}
    (root / LIST).write_text("\n".join(textwrap.wrap(" ".join(sorted(words)), 100)) + "\n", encoding="utf-8")
    print(f"public_names: {len(words)} words")


def self_test():
    """Every rule must be able to fail."""
    known = set("a after close close_code conn connection data datagram end gram hand handshake has http is message msg "
                "next out packet point reconnection send sequence server shake size socket time timeout udp web websocket"
                .split())
    planted = ["recconnection", "next_seqence", "hand_shake", "HandShake", "is_time_out_", "end_point", "web_socket_size",
               "WebsocketServer", "send_msg", "conn_size", "data_gram_size", "udp_packet"]
    harmless = ["reconnection", "next_sequence_", "HandshakeTimeout", "websocket", "WebSocket", "HTTPConnection",
                "is_after_2_data"]
    failures = [f"not found: {name}" for name in planted if not list(problems_of(name, known))]
    failures += [f"found: {name}: {list(problems_of(name, known))}" for name in harmless if list(problems_of(name, known))]
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        path = root / "include/muster/a.hpp"
        path.parent.mkdir(parents=True)
        path.write_text('#include <misspelt.h>\n// misspelt\n/* and\nhere */ const char* data = "misspelt";\n'
                        "std::misspelt::misspelt<int> sennd(size_t size);\n")
        found = check(root, known | {"const", "char", "int", "t"})[1]
        if [problem.split(": ")[:2] for problem in found] != [["include/muster/a.hpp:5", "sennd"]]:
            failures.append(f"in a header: {found}")
    for failure in failures:
        print("self-test:", failure)
    print(f"public_names: self-test: {len(planted) + len(harmless) + 1} cases, {len(failures)} failures")
    return failures


def main():
    def check_tree(root):
        return check(root, set((root / LIST).read_text(encoding="utf-8").split()))

    if "--write" in sys.argv[2:]:
        return write(pathlib.Path(sys.argv[1]).resolve())
    return source_check.main("public_names", "headers", check_tree, self_test)


if __name__ == "__main__":
    sys.exit(main())
