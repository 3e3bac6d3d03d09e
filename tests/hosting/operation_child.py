"""What a process of `operations.HostingServer` does: run one stored operation."""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

from hosting import runner


def run(
    host: Any, operation: int, secrets: dict[str, str], environment: dict[str, str], told: Path
) -> None:
    """Write the outcome of the run to ``told``, and what is logged beside it.

    The process is a fork: what the test has open is not its own to close.
    """
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = sys.stderr = told.with_suffix(".log").open("w", buffering=1)
    for number in (1, 2):
        os.dup2(sys.stderr.fileno(), number)
    logging.basicConfig(level=logging.INFO, force=True)
    told.write_text(runner.run(host, operation, secrets))
