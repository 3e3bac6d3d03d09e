"""A second thing beside the first: its result, its progress and its end."""

from __future__ import annotations

import threading
import time

import pytest
from hosting.beside import Beside
from hosting.errors import HostingError


def nothing(_done, _total, _what):
    """Take a progress report."""


def test_both_are_done_at_once_and_the_result_comes_back():
    met = threading.Barrier(2, timeout=10)
    with Beside(lambda _tell: met.wait() is not None) as beside:
        met.wait()
        assert beside.result(nothing) is True


def test_what_it_tells_is_passed_on_by_the_thread_that_waits():
    heard, passed_on = [], threading.Event()

    def slow(tell):
        tell(1, 2, "half")
        passed_on.wait(30)

    def hear(*told):
        heard.append((*told, threading.current_thread()))
        if told == (1, 2, "half"):
            passed_on.set()

    with Beside(slow) as beside:
        beside.result(hear)
    assert (1, 2, "half", threading.current_thread()) in heard


def test_where_the_block_fails_the_other_stops_and_the_blocks_error_is_the_one():
    begun, ended = threading.Event(), threading.Event()

    def endless(tell):
        begun.set()
        try:
            while True:
                tell(0, 1, "")
                time.sleep(0.01)
        finally:
            ended.set()

    with pytest.raises(HostingError) as raised, Beside(endless):
        assert begun.wait(10)
        raise HostingError("cancelled")
    assert raised.value.code == "cancelled" and ended.is_set()


def test_its_own_error_is_raised_where_its_result_is_asked_for():
    def failing(_tell):
        raise HostingError("no_backup", backup="x")

    with pytest.raises(HostingError) as raised, Beside(failing) as beside:
        time.sleep(0.05)
        beside.result(nothing)
    assert raised.value.code == "no_backup"
