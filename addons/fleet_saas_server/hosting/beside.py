"""A second thing that is done while the first one runs; it ends no later than the block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from .children import POLL_S, Progress

Result = TypeVar("Result")


class _StoppedError(Exception):
    """The block failed, so that nobody wants the result any more."""


class Beside(Generic[Result]):
    """Runs ``call`` in a thread of its own while the block runs.

    ``call`` is given a progress function, which it has to call now and then: an operation's own
    belongs to the thread of the operation. That function stops ``call`` once the block failed, and
    what it is told is passed on while `result` waits. The error of the block comes first.
    """

    def __init__(self, call: Callable[[Progress], Result]) -> None:
        self._call = call
        self._stop = threading.Event()
        self._told = (0.0, 1.0, "")
        self._pool = ThreadPoolExecutor(1)
        self._future: Future[Result] | None = None

    def __enter__(self) -> Beside[Result]:
        self._future = self._pool.submit(self._call, self._tell)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind:
            self._stop.set()
        self._pool.shutdown()

    def result(self, progress: Progress) -> Result:
        """Wait for the result inside the block; ``progress`` is called as `children.run` beats."""
        while not wait([self._future], POLL_S).done:
            progress(*self._told)
        return self._future.result()

    def _tell(self, done: float, total: float, what: str) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._told = (done, total, what)
