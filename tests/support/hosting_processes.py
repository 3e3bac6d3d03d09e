"""Processes of the plain package `hosting`, for tests that kill or race them."""

from __future__ import annotations

import os
import subprocess
import sys

from fleetdev import paths


def run_python(
    source: str, *arguments: object, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start Python code that can import `hosting`; the caller waits for it."""
    path = str(paths.ADDONS / "fleet_saas_server")
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | (environment or {}),
    )
