# SPDX-License-Identifier: MIT
"""What the clients of the original send, in TypeScript and in Swift, against our shards.

usage: shard_clients.py SHARD_SERVER BACKEND
"""

import pathlib
import shutil
import subprocess
import sys

from relay_process import Process, skip


def main():
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        skip("the package nodejs is not installed")
    script = pathlib.Path(__file__).with_name("shard_clients.mjs")
    for client in "typescript", "swift":
        with Process(sys.argv[1], sys.argv[2], stdin=subprocess.PIPE) as server:
            subprocess.run([node, str(script), client, server.line()], check=True, timeout=50)


if __name__ == "__main__":
    main()
