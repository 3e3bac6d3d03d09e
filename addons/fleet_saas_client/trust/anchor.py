"""The trust anchor: a file of public keys that lies outside every database."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import TrustError, sentences

MAX_BYTES = 1_000_000
sentences(
    no_anchor="The keys of the hosting server cannot be read (%(reason)s). "
    "Your provider has to repair the file that holds them.",
)
# What each path held when its file last changed, so that a request costs one look at the file.
_read: dict[Path, tuple[tuple[int, int, int], str]] = {}


def read_anchor(path: Path) -> str | None:
    """Return the text of the trust anchor, None when there is no such file.

    :raises TrustError: ``no_anchor`` when there is one that cannot be read
    """
    try:
        found = os.stat(path)
        mark = (found.st_mtime_ns, found.st_size, found.st_ino)
        if path in _read and _read[path][0] == mark:
            return _read[path][1]
        # A pipe would hold every request until somebody writes into it.
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            raise TrustError("no_anchor", reason="it is no file, or too large")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TrustError("no_anchor", reason=type(error).__name__) from error
    _read[path] = (mark, text)
    return text
