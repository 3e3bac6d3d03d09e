"""Run other programs with their output in a log file."""

import os
import subprocess

from . import console

TAIL_LINES = 15


def run(command, *, log, what, env=None, **options):
    """Run ``command`` with its output in ``log``; fail with its last lines.

    :param what: the words for the sentence of a failure ("Installing Python packages").
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        result = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            check=False,
            **options,
        )
    if result.returncode:
        console.say(tail(log))
        raise console.Failure(
            f"{what} ended with code {result.returncode}; the whole output is in {log}"
        )


def output(command, **options):
    """Return what ``command`` prints, or None when it fails or is not there."""
    try:
        result = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            **options,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout


def tail(log, lines=TAIL_LINES):
    """Return the last lines of a log file, indented."""
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"   | {line}" for line in text)


def environment(**changes):
    """Return this process's environment with changes; None removes a name."""
    env = dict(os.environ)
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env
