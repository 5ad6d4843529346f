# SPDX-License-Identifier: MIT
"""TLS of ours and of Python's ssl, with the package websockets: our server against its client, and
our client against its server.

usage: tls_websockets.py TLS_ECHO_SERVER ECHO_CLIENT BACKEND
"""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import traceback

from relay_process import Process, skip

try:
    import websockets
except ImportError:
    skip("the package python3-websockets is not installed")
if shutil.which("openssl") is None:
    skip("the program openssl is not installed")

MIB = 1024 * 1024


def make_certificate(name, hosts):
    """A certificate that is its own root."""
    certificate, key = f"{DIRECTORY}/{name}.pem", f"{DIRECTORY}/{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName={hosts}",
         "-keyout", key, "-out", certificate],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key


def client_context(ca, version=None):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["http/1.1"])
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class Server(Process):
    def __init__(self, certificate, key):
        super().__init__(SERVER, BACKEND, certificate, key, stdin=subprocess.PIPE)
        self.url = f"wss://localhost:{int(self.line())}/echo"

    def reload(self):
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return self.line()


async def echo(connection, *messages):
    for message in messages:
        await connection.send(message)
    for message in messages:
        got = await connection.recv()
        assert got == message, f"{len(got)} of {len(message)} bytes came back"


def tls_of(connection):
    return connection.transport.get_extra_info("ssl_object")


async def case_server():
    certificate, key = make_certificate("server", "DNS:localhost,IP:127.0.0.1")
    with Server(certificate, key) as server:
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = client_context(certificate, version)
            async with websockets.connect(server.url, ssl=context, max_size=None,
                                          ping_interval=None) as connection:
                tls = tls_of(connection)
                assert tls.version() == name
                assert tls.selected_alpn_protocol() == "http/1.1"
                assert tls.compression() is None
                await echo(connection, "", "hello", os.urandom(MIB), os.urandom(70000))
                await echo(connection, *(os.urandom(i) for i in range(500)))
            assert connection.close_code == 1000, connection.close_code


async def case_server_refuses():
    certificate, key = make_certificate("server", "DNS:localhost")
    with Server(certificate, key) as server:
        old = client_context(certificate)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        only_h2 = client_context(certificate)
        only_h2.set_alpn_protocols(["h2"])
        stranger = ssl.create_default_context()
        for context in old, only_h2, stranger:
            try:
                async with websockets.connect(server.url, ssl=context):
                    raise AssertionError("it was let in")
            except ssl.SSLError:
                pass
        async with websockets.connect(server.url, ssl=client_context(certificate)) as connection:
            await echo(connection, "the others are undisturbed")


async def case_reload():
    first = make_certificate("first", "DNS:localhost")
    second = make_certificate("second", "DNS:localhost")
    certificate, key = f"{DIRECTORY}/current.pem", f"{DIRECTORY}/current.key"

    def install(files):
        shutil.copy(files[0], certificate)
        shutil.copy(files[1], key)
    install(first)
    with Server(certificate, key) as server:
        async with websockets.connect(server.url, ssl=client_context(first[0])) as before:
            shutil.copy(second[0], certificate)  # but not its key
            assert "key" in server.reload()
            async with websockets.connect(server.url, ssl=client_context(first[0])) as unchanged:
                await echo(unchanged, "still the first")
            install(second)
            assert server.reload() == "loaded"
            async with websockets.connect(server.url, ssl=client_context(second[0])) as after:
                await echo(after, "the second")
            await echo(before, "the old connection goes on")


async def run_client(url, ca):
    def collect():
        with Process(CLIENT, url, BACKEND, env={**os.environ, "CA_FILE": ca}) as client:
            assert client.wait(10) == 0
            lines = []
            while (line := client.lines.get(timeout=5)) is not None:
                lines.append(line)
            return lines
    return await asyncio.to_thread(collect)


async def case_client():
    certificate, key = make_certificate("peer", "DNS:localhost,IP:127.0.0.1")
    other, _ = make_certificate("other", "DNS:localhost")
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["http/1.1"])
        names = []
        context.sni_callback = lambda _ssl, name, _context, names=names: names.append(name)
        failed = []

        async def serve(connection, failed=failed):
            try:
                assert tls_of(connection).selected_alpn_protocol() == "http/1.1"
                await echo(connection, "hello", os.urandom(MIB), *(os.urandom(i) for i in range(300)))
                await connection.close(4001, "until then")
            except Exception as error:
                failed.append(error)
        server = await websockets.serve(serve, "127.0.0.1", 0, ssl=context, max_size=None,
                                        ping_interval=None, close_timeout=3)
        port = server.sockets[0].getsockname()[1]
        try:
            for host in "localhost", "127.0.0.1":
                lines = await run_client(f"wss://{host}:{port}/", certificate)
                assert not failed, failed
                assert lines == ["open", "close finished 4001 peer until then"], lines
            assert names == ["localhost", None], names  # an address is no name
            lines = await run_client(f"wss://localhost:{port}/", other)
            assert len(lines) == 1 and lines[0].startswith(
                "close connect_failed 0 peer the server's certificate is not accepted: "), lines
        finally:
            server.close()
            await server.wait_closed()


async def main():
    failed = []
    for name, case in list(globals().items()):
        if not name.startswith("case_"):
            continue
        try:
            await asyncio.wait_for(case(), 60)
            print("ok  ", name[5:], flush=True)
        except Exception:
            failed.append(name)
            print("FAIL", name[5:], flush=True)
            traceback.print_exc(file=sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    SERVER, CLIENT, BACKEND = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as DIRECTORY:
        raise SystemExit(asyncio.run(main()))
