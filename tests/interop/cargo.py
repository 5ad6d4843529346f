# SPDX-License-Identifier: MIT
"""Builds Rust programs for a test, or says that it cannot."""
import json
import os
import pathlib
import shutil
import subprocess

from relay_process import skip


class Cargo:
    """A package with a committed Cargo.lock; what is built goes to `target`.

    Skips where there is no cargo, or no registry.
    """

    def __init__(self, folder, target):
        self.folder = pathlib.Path(folder)
        self.target = pathlib.Path(target).resolve()
        self.cargo = shutil.which("cargo") or shutil.which(
            "cargo", path=pathlib.Path.home() / ".cargo/bin")
        if self.cargo is None:
            skip("cargo is not installed")
        # Of several crates that are not there the first few attempts are enough to know.
        self.environment = dict(os.environ, CARGO_TARGET_DIR=str(self.target), CARGO_NET_RETRY="1",
                                CARGO_TERM_COLOR="never")
        fetch = self.run("fetch", "--locked", timeout=120)
        if fetch.returncode != 0:
            assert "--locked" not in fetch.stderr, fetch.stderr  # the lock file does not fit
            skip("cargo cannot reach its registry: " + fetch.stderr.strip().splitlines()[-1])

    def run(self, *arguments, timeout):
        return subprocess.run([self.cargo, *arguments], cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout)

    def build(self, *arguments, timeout=480):
        """The folder where the programs are."""
        made = self.run("build", "--release", "--locked", "--offline", *arguments, timeout=timeout)
        if made.returncode != 0 and "requires rustc" in made.stderr:
            skip("this rustc is too old for the crate")
        assert made.returncode == 0, made.stderr
        return self.target / "release"

    def source_of(self, name):
        """Where the sources of a crate are that the package uses."""
        told = self.run("metadata", "--format-version", "1", "--locked", "--offline", timeout=60)
        assert told.returncode == 0, told.stderr
        for package in json.loads(told.stdout)["packages"]:
            if package["name"] == name:
                return pathlib.Path(package["manifest_path"]).parent
        raise AssertionError(f"the package does not use {name}")
