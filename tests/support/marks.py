"""Owner marks of the databases that tests have a hosting server make."""

from __future__ import annotations

import os
import uuid


def server_uuid() -> str:
    """Return a new uuid for a hosting server of this process's tests.

    It begins with the number of the process: by that `fleetdev.hosted.left_by` finds what the
    tests left.
    """
    return f"{os.getpid():08x}{str(uuid.uuid4())[8:]}"
