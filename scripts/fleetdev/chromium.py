"""The browser of the tests: Debian's chromium, installed by apt when root."""

import os
import shutil
import subprocess
from pathlib import Path

from . import console, system_packages

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Quiet, and without calls to the world outside.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find():
    """Return the path of the browser, or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def folder():
    """Return the folder of the browser for a search path, or an empty text."""
    found = find()
    return str(Path(found).parent) if found else ""


def ensure():
    """Return the path of the browser; install it when this is root on a Debian machine."""
    if found := find():
        return found
    if not system_packages.can_install():
        raise console.Failure(
            "The browser tests need Chromium: install the system package chromium (as root)"
        )
    system_packages.install("chromium", "fonts-dejavu-core")
    if found := find():
        return found
    raise console.Failure(
        "apt-get installed the package chromium, but no program of that name is found"
    )


def version():
    """Return what the browser says of itself, or None."""
    found = find()
    return (
        found
        and subprocess.run(
            [found, "--version"], capture_output=True, text=True, check=False
        ).stdout.strip()
    )
