"""Packages of the system, by apt: only when this is root on a Debian machine."""

import os
import shutil

from . import console, files, paths, shell


def can_install():
    """Tell whether system packages can be installed here."""
    return os.geteuid() == 0 and bool(shutil.which("apt-get"))


def install(*packages):
    """Install packages without asking anything."""
    with (
        files.setup_lock("apt"),
        console.step(f"Installing the system packages {', '.join(packages)}"),
    ):
        env = shell.environment(DEBIAN_FRONTEND="noninteractive")
        log = paths.LOG / "apt.log"
        shell.run(["apt-get", "update"], log=log, what="apt-get update", env=env)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        shell.run(command, log=log, what=f"apt-get install {' '.join(packages)}", env=env)
