"""What the tests of the remote client share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fake_odoo import DATABASE, KEY, LOGIN
from remote import Access, NetworkPolicy, RemoteDatabase, RemoteError
from support.rogue import Rogue

QUICK = 0.7  # seconds: the timeout where the other side never finishes
POLICY = NetworkPolicy(allow_private=True, timeout=10.0)
HASTY = NetworkPolicy(allow_private=True, timeout=QUICK)


def access(server: Rogue | str, **values: Any) -> Access:
    url = server if isinstance(server, str) else server.url
    return Access(**{"url": url, "database": DATABASE, "login": LOGIN, "key": KEY, **values})


def database(server: Rogue | str, policy: NetworkPolicy = POLICY, **values: Any) -> RemoteDatabase:
    return RemoteDatabase(access(server, **values), policy)


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error that ``call`` raises."""
    with pytest.raises(RemoteError) as caught:
        call()
    assert str(caught.value)  # the sentence has all its values
    return caught.value.code


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds
