import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The package under test, tests/ for support.rogue, and this folder for its own helpers.
sys.path[:0] = [str(ROOT / "addons" / "fleet_databases"), str(ROOT / "tests"), str(HERE)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A socket that is left open is a failure of the test that left it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error::ResourceWarning"))
            unraisable = "error::pytest.PytestUnraisableExceptionWarning"
            item.add_marker(pytest.mark.filterwarnings(unraisable))
