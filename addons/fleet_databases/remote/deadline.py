"""The end of a whole call, on the monotonic clock."""

from __future__ import annotations

import time


class Deadline:
    """Counts down from the moment it is made.

    :param seconds: for everything together, however many steps it takes
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def part(self, steps: int) -> Deadline:
        """Return a nearer deadline: this one's time left, divided by ``steps`` still to be done."""
        return Deadline(self.left() / steps)

    def left(self) -> float:
        """Return the seconds left.

        Never returns zero or less, which sockets take for "non-blocking".

        :raises TimeoutError: when nothing is left
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds
