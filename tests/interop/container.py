#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What examples/Dockerfile says, tried without a container: each target's program starts with its command, is healthy by
its health check, ends with status 0 at its stop signal, and has the shared libraries that it needs installed.

usage: container.py SOURCE_DIR PROGRAM...
       container.py SOURCE_DIR --build FOLDER    runs the commands of the build stage in a copy of the sources there first
"""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from relay_process import Process, skip

PORT = "8080"
# In every image of Debian: what apt and bash need themselves.
BASE = {"libc6", "libgcc-s1", "libstdc++6"}


class Stage:
    """What a FROM begins: instructions, and the stage that they go on with."""

    def __init__(self, parent):
        self.parent = parent
        self.own = []

    def all(self, instruction):
        above = self.parent.all(instruction) if isinstance(self.parent, Stage) else []
        return above + [rest for name, rest in self.own if name == instruction]

    def last(self, instruction):
        return self.all(instruction)[-1]


def stages_of(path):
    text = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("#"))
    stages = {}
    for line in re.sub(r"\\\n", "", text).splitlines():
        if not line.strip():
            continue
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            image, word, name = rest.split()
            assert word == "AS", line
            stages[name] = current = Stage(stages.get(image, image))
        else:
            current.own.append((instruction, rest))
    return stages


def build(stage, source, folder):
    """The commands of the build stage, with this machine's packages and a tree that has only what git knows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = subprocess.run(["git", "-C", source, "ls-files", "-z"], check=True, capture_output=True).stdout
    archive = subprocess.run(["tar", "-C", source, "--null", "-T", "-", "-c"], input=names, check=True, capture_output=True)
    subprocess.run(["tar", "-C", folder, "-x"], input=archive.stdout, check=True)
    for command in stage.all("RUN"):
        command = re.sub(r"^\./dev setup", "./dev --dry-run setup", command)
        print("+", command, flush=True)
        subprocess.run(["sh", "-c", command], cwd=folder, check=True)


def libraries_of(program):
    """The packages of what the program is linked with. Without those that others bring: apt knows them."""
    shown = subprocess.run(["objdump", "-p", program], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED\s+(\S+)", shown)
    found = dict(re.findall(r"(\S+) => (\S+)", subprocess.run(["ldd", program], check=True, capture_output=True,
                                                               text=True).stdout))
    packages = set()
    for name in needed:
        if name.startswith(("ld-linux", "libmuster")):  # the image's own are static
            continue
        owner = ""
        for path in found[name], str(pathlib.Path(found[name]).resolve()):
            # The same file is known with and without /usr in front.
            for spelling in path, path.removeprefix("/usr"), "/usr" + path:
                owner = owner or subprocess.run(["dpkg-query", "-S", spelling], capture_output=True, text=True).stdout
        assert owner, f"no package has {found[name]}"
        packages.add(owner.partition(":")[0])
    return packages


def check(name, stage, program):
    installs = re.findall(r"apt-get install ([^&]*)", " ".join(stage.all("RUN")))
    installed = {word for line in installs for word in line.split() if not word.startswith("-")}
    missing = libraries_of(program) - installed - BASE
    assert not missing, f"{name}: the Dockerfile does not install {missing}"

    assert stage.last("USER") not in ("root", "0") and stage.last("EXPOSE") == PORT
    [copied] = stage.all("COPY")
    assert re.fullmatch(rf"--from=build /muster/build/release/examples/{name}/muster-{name} /usr/local/bin/", copied), copied

    command = json.loads(stage.last("ENTRYPOINT"))
    assert command[0] == program.name and command[1:] == ["--listen", f"0.0.0.0:{PORT}"], command
    healthy = json.loads(re.search(r"CMD (\[.*\])$", stage.last("HEALTHCHECK"))[1])
    assert sum(word.count(PORT) for word in healthy) == 1, healthy
    with Process(program, "--listen", "127.0.0.1:0") as server:
        port = re.search(r":(\d+)$", server.line())[1]

        def is_healthy():
            return subprocess.run([word.replace(PORT, port) for word in healthy], stderr=subprocess.DEVNULL,
                                  timeout=30).returncode == 0
        assert is_healthy(), f"{name}: not healthy"
        server.process.send_signal(getattr(signal, stage.last("STOPSIGNAL")))
        assert server.wait() == 0
        assert not is_healthy(), f"{name}: healthy when it has ended"


def main():
    source, *rest = sys.argv[1:]
    for tool in "bash", "dpkg-query", "objdump", "ldd":
        if shutil.which(tool) is None:
            skip(f"there is no {tool}")
    stages = stages_of(pathlib.Path(source) / "examples/Dockerfile")
    targets = {name: stage for name, stage in stages.items() if stage.own and stage.own[-1][0] == "ENTRYPOINT"}
    if rest[0] == "--build":
        folder = pathlib.Path(rest[1])
        build(stages["build"], source, folder)
        programs = [folder / f"build/release/examples/{name}/muster-{name}" for name in targets]
    else:
        programs = [pathlib.Path(program) for program in rest]
    assert {program.name for program in programs} == {f"muster-{name}" for name in targets}
    for program in programs:
        name = program.name.removeprefix("muster-")
        check(name, targets[name], program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
