"""How many places there are at which the tests kill a runner."""

from __future__ import annotations

import importlib

from deaths import PLACES

TESTS = (
    "test_adopt",
    "test_backup_work",
    "test_clone",
    "test_going_back",
    "test_life",
    "test_move_work",
)


def test_runners_are_killed_at_forty_places_at_least(capsys):
    for name in TESTS:
        importlib.import_module(name)
    with capsys.disabled():
        print(f"\n  runners are killed at {len(PLACES)} places")
    assert len(PLACES) >= 40
