#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The units for systemd: systemd-analyze accepts each and calls its exposure low, and the commands of each start, reload
and stop its program.

usage: systemd_units.py PROGRAM UNIT [PROGRAM UNIT...]
"""

import configparser
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from relay_process import Process, skip

EXPOSURE = 20  # of 100


def analyze(*arguments):
    """What systemd-analyze complains of."""
    environment = dict(os.environ, SYSTEMD_COLORS="0", SYSTEMD_PAGER="cat")
    run = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, env=environment, timeout=60)
    return run.stderr.strip() or (f"status {run.returncode}\n{run.stdout}" if run.returncode else "")


def verify(text, folder, name):
    path = folder / name
    path.write_text(text)
    return analyze("verify", "--man=no", str(path))


def exposure(text, folder, name):
    path = folder / name
    path.write_text(text)
    return analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(path))


def installed_as(text, program):
    """The unit with the program where it was built, and not where it is going to be installed."""
    changed, count = re.subn(r"^ExecStart=/\S*/" + program.name + r"\b", f"ExecStart={program}", text, flags=re.MULTILINE)
    assert count == 1, "ExecStart does not start " + program.name
    return changed


def run_as_told(text, program, folder):
    """Starts the program as the unit does, but on a free port, sends what a reload and a stop send."""
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    service = unit["Service"]
    (folder / "relay.toml").write_text('listen = "127.0.0.1:0"\n')
    command = []
    for word in service["ExecStart"].split():
        if word == "$OPTIONS":
            assert service["EnvironmentFile"] == f"-/etc/default/{program.name}"
            command += ["--listen", "127.0.0.1:0"]
        else:
            command.append(word.replace(f"/etc/{program.name}/", f"{folder}/"))
    with Process(*command, cwd=folder) as server:
        assert server.line().startswith(f"{program.name} listens on http://127.0.0.1:"), command
        reload = service.get("ExecReload")
        if reload:
            assert reload == "/bin/kill -HUP $MAINPID", reload
            server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(getattr(signal, service.get("KillSignal", "SIGTERM")))
        assert server.wait(int(service["TimeoutStopSec"])) == 0


def main():
    if shutil.which("systemd-analyze") is None:
        skip("there is no systemd-analyze")
    arguments = [pathlib.Path(argument) for argument in sys.argv[1:]]
    pairs = list(zip(arguments[::2], arguments[1::2]))
    assert pairs
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for program, unit in pairs:
            text = installed_as(unit.read_text(), program)
            for check in verify, exposure:
                problem = check(text, folder, unit.name)
                assert not problem, f"{unit.name}: {problem}"
            # The same checks find what is planted.
            assert "ProtectSytem" in verify(text.replace("ProtectSystem=", "ProtectSytem="), folder, unit.name)
            assert exposure(re.sub(r"^(Protect|Private|Restrict)\w+=.*\n", "", text, flags=re.MULTILINE), folder, unit.name)
            run_as_told(text, program, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
