"""Named places where a test makes the bad day happen: killed, failing, slow.

They do nothing unless the environment has both ``FLEET_TEST_FAILPOINTS_ALLOWED=1`` and
``FLEET_FAILPOINTS``, comma separated ``NAME=ACTION``; an action is ``kill`` (SIGKILL to this
process), ``error`` (a `HostingError`), ``retry`` (a `Retryable`) or ``sleep:SECONDS``.
``NAME`` may end in ``*``. Add ``@FILE`` to make it happen once: the file is created when it does.
"""

from __future__ import annotations

import fnmatch
import os
import signal
import time

from .errors import HostingError, Retryable, sentences

ALLOWED = "FLEET_TEST_FAILPOINTS_ALLOWED"
VARIABLE = "FLEET_FAILPOINTS"
SEEN = "FLEET_FAILPOINTS_SEEN"  # a file to which the names are appended as they are passed

sentences(failpoint="The test asked for a failure at %(name)s.")


def failpoint(name: str) -> None:
    """Let a test interfere here; nothing at all outside tests."""
    if os.environ.get(ALLOWED) != "1":
        return
    seen = os.environ.get(SEEN)
    if seen:
        with open(seen, "a") as handle:
            handle.write(name + "\n")
    for entry in filter(None, os.environ.get(VARIABLE, "").split(",")):
        pattern, _, action = entry.partition("=")
        action, _, once = action.partition("@")
        if fnmatch.fnmatchcase(name, pattern) and _first_time(once):
            _act(name, action)


def _first_time(marker: str) -> bool:
    if not marker:
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _act(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "error":
        raise HostingError("failpoint", name=name)
    elif action == "retry":
        raise Retryable("failpoint", name=name)
    elif action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    else:
        raise ValueError(f"unknown action of a failpoint: {action}")
