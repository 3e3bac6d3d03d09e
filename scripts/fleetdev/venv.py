"""The virtual environment below ``.run``: Odoo's dependencies and the development tools."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

from . import console, files, paths, shell, system_packages

RUNTIME = (paths.REQUIREMENTS / "odoo.txt", paths.REQUIREMENTS / "addons.txt")
TESTING = (*RUNTIME, paths.REQUIREMENTS / "dev.txt")
# Addons depend on a distribution "odoo": here that is `write_path_file`, which pip may not see.
WITHOUT_DEPENDENCIES = ("addons",)


def ensure(requirement_files=RUNTIME):
    """Make the virtual environment and install the given pinned files, once for each content."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this is where others learn it
        raise console.Failure(f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}")
    _ensure_interpreter()
    for path in requirement_files:
        _ensure_requirements(path)


def _ensure_interpreter():
    identity = files.digest(sys.base_prefix, sys.version)
    if files.stamped("venv", identity) and paths.PYTHON.exists():
        return
    files.unstamp("venv")
    with console.step("Making the virtual environment"):
        shutil.rmtree(paths.VENV, ignore_errors=True)
        for old in paths.STAMPS.glob("requirements-*"):
            old.unlink()
        _create()
    files.stamp("venv", identity)


def _create():
    log = paths.LOG / "venv.log"
    if importlib.util.find_spec("ensurepip"):
        shell.run(
            [sys.executable, "-m", "venv", paths.VENV],
            log=log,
            what="Making the virtual environment",
        )
        return
    if importlib.util.find_spec("virtualenv"):
        shell.run([sys.executable, "-m", "virtualenv", paths.VENV], log=log, what="virtualenv")
        return
    if not importlib.util.find_spec("pip"):
        if not system_packages.can_install():
            raise console.Failure(
                "This Python has neither ensurepip nor pip: install the system package python3-venv (as root)"
            )
        system_packages.install("python3-venv")
        shell.run(
            [sys.executable, "-m", "venv", paths.VENV],
            log=log,
            what="Making the virtual environment",
        )
        return
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as target:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "virtualenv"]
        shell.run(pip, log=log, what="Fetching virtualenv (python3-venv is not installed)")
        env = shell.environment(PYTHONPATH=target)
        shell.run(
            [sys.executable, "-m", "virtualenv", paths.VENV], log=log, what="virtualenv", env=env
        )


def _ensure_requirements(path):
    name = f"requirements-{path.stem}"
    identity = files.digest(path)
    if files.stamped(name, identity):
        return
    files.unstamp(name)
    pip = [
        paths.PYTHON,
        "-m",
        "pip",
        "install",
        "--prefer-binary",
        "--disable-pip-version-check",
        *(["--no-deps"] if path.stem in WITHOUT_DEPENDENCIES else []),
        "-r",
        path,
    ]
    with console.step(f"Installing the Python packages of {path.relative_to(paths.ROOT)}"):
        shell.run(pip, log=paths.LOG / f"pip-{path.stem}.log", what="Installing Python packages")
    files.stamp(name, identity)


def write_path_file(folder):
    """Make ``folder`` (which holds the package odoo) importable, after the environment's own packages."""
    command = [paths.PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(
        [str(c) for c in command], check=True, capture_output=True, text=True
    ).stdout.strip()
    target = os.path.join(site, "fleet_odoo.pth")
    text = f"{folder}\n"
    if not os.path.exists(target) or open(target).read() != text:
        files.write(type(paths.ROOT)(target), text)
