"""PostgreSQL restarts while operations run: they end, and leave nothing."""

from __future__ import annotations

import os
import time

import pytest
from support import hosting_templates
from support.hosting_fleet import HostingFleet
from support.own_postgres import OwnPostgres

from fleetdev import databases

ALLOWED = (
    # Whoever is connected at that moment has something to say about it.
    r"odoo\.sql_db: ",
    r"odoo\.addons\.queue_job\.",
    r"odoo\.addons\.fleet_saas_server\.hosting\.",
    r"odoo\.(http|service\.server|registry): ",
    r"odoo\.addons\.base\.models\.ir_cron: ",
    # Anybody else names the cause in the last line of the traceback.
    r"psycopg2\.(OperationalError|InterfaceError|errors\.AdminShutdown)",
    r"terminating connection|server closed the connection|connection (already )?closed",
)


GO_ON_S = 60


def test_operations_go_on_when_postgresql_restarts_in_the_middle(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet = HostingFleet("restart", allowed=ALLOWED)
    with OwnPostgres("restart", "server_users", "tiny") as own, fleet:
        hosting_templates.settle(fleet)
        hosting_templates.publish(fleet, "tiny", databases.template("tiny"))
        source = f"restart-source-{os.getpid()}"
        fleet.run("create", source, {"template": "tiny"})
        copy = {"source": source}
        keys = [
            fleet.submit("create", f"restart-new-{os.getpid()}", {"template": "tiny"}),
            fleet.submit("duplicate", f"restart-copy-{os.getpid()}", copy),
        ]
        time.sleep(0.3)
        own.restart()
        began = time.monotonic()
        states = hosting_templates.assert_settled(fleet, *keys, seconds=GO_ON_S)
        with capsys.disabled():
            print(f"\n  ended {time.monotonic() - began:.1f} s after the restart of PostgreSQL")
        assert set(states.values()) == {"done"}
        assert fleet.get(source).status_code == 200
