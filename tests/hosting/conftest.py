"""Plain tests of the package ``hosting`` on a real PostgreSQL server, without Odoo's ORM."""

import sys

import pytest
from support.odoo_fleet import services

from fleetdev import paths

sys.path.insert(0, str(paths.ADDONS / "fleet_saas_server"))
sys.path.append(str(paths.TESTS / "hosting"))  # what these tests share
sys.pycache_prefix = str(paths.PYCACHE)  # for the Odoo that the package starts


@pytest.fixture(scope="session", autouse=True)
def _services() -> None:
    services()
