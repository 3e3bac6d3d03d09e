"""The linters: ruff, ruff's formatter, and pylint with Odoo's mandatory list (``pyproject.toml``)."""

import subprocess
import time

from . import console, paths
from .results import Result

BIN = paths.VENV / "bin"
RUFF = str(BIN / "ruff")


def run():
    """Run every linter; return a `Result` for each."""
    checks = (
        ("ruff check", [RUFF, "check", "--no-cache"]),
        ("ruff format", [RUFF, "format", "--check", "--no-cache"]),
        ("pylint-odoo", [str(paths.PYTHON), "-m", "pylint", *_addons()]),
    )
    return [_check(name, command) for name, command in checks]


def rewrite():
    """Sort imports and format every Python file; return the exit code."""
    subprocess.run([RUFF, "check", "--no-cache", "--fix", "--quiet"], cwd=paths.ROOT, check=False)
    return subprocess.run([RUFF, "format", "--no-cache"], cwd=paths.ROOT, check=False).returncode


def _addons():
    folders = (paths.ADDONS, paths.DEMO_ADDONS, paths.LINT_ADDONS, paths.TEST_ADDONS)
    return [
        str(path.parent) for folder in folders for path in sorted(folder.glob("*/__manifest__.py"))
    ]


def _check(name, command):
    start = time.monotonic()
    result = subprocess.run(
        command,
        cwd=paths.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    console.say(
        f"   {name}: {'ok' if not result.returncode else 'FAILED'} in {time.monotonic() - start:.1f} s"
    )
    if result.returncode:
        return Result(name, failed=1, problems=[result.stdout + result.stderr])
    return Result(name, passed=1)
