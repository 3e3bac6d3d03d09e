"""What the administrator of a hosted database may not do, although Odoo would let him."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hosting.postgres import Mark
from hosting.routes import Routes
from psycopg2 import sql
from support.gated_odoo import GatedOdoo

from fleetdev import odoo_run, postgres

ACORN, BEECH = "acorn", "beech"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedOdoo]:
    with GatedOdoo(tmp_path_factory.mktemp("tenants"), ACORN, BEECH) as odoo:
        routes = Routes(odoo.work_dir / "routes.json")
        for label in (ACORN, BEECH):
            routes.put(odoo.host(label), odoo.database(label))
        odoo.start()
        odoo.server.wait(odoo.host(ACORN))
        yield odoo


def call(hosted: GatedOdoo, model: str, method: str, *arguments: Any) -> dict:
    """Call a method as the administrator of ACORN; return the answer."""
    who = [hosted.database(ACORN), 2, "admin"]
    params = {"service": "object", "method": "execute", "args": [*who, model, method, *arguments]}
    return hosted.json_rpc(ACORN, "/jsonrpc", params=params)


def test_no_hosted_database_becomes_a_hosting_server(hosted: GatedOdoo) -> None:
    found = call(hosted, "ir.module.module", "search", [("name", "=", "fleet_saas_server")])
    answer = call(hosted, "ir.module.module", "button_immediate_install", found["result"])
    assert "hosted database" in answer["error"]["data"]["message"]
    state = "SELECT state FROM ir_module_module WHERE name = 'fleet_saas_server'"
    assert hosted.sql(ACORN, state) == [("uninstalled",)]
    assert hosted.sql(ACORN, "SELECT to_regclass('saas_operation')") == [(None,)]


@pytest.mark.parametrize(
    "code",
    [
        "env.cr.execute('COMMENT ON DATABASE \"%s\" IS NULL')",
        "env.registry.cursor().execute('SELECT 1')",
        "log(str(env['res.users']._search([]).add_where('true')))",
    ],
)
def test_a_server_action_does_not_reach_the_cursor(hosted: GatedOdoo, code: str) -> None:
    model = call(hosted, "ir.model", "search", [("model", "=", "res.partner")])["result"][0]
    values = {"name": "Break out", "model_id": model, "state": "code"}
    made = call(hosted, "ir.actions.server", "create", values)["result"]
    code = code.replace("%s", hosted.database(BEECH))
    hosted.sql(ACORN, "UPDATE ir_act_server SET code = %s WHERE id = %s", code, made)
    answer = call(hosted, "ir.actions.server", "run", [made])
    assert "forbidden name" in answer["error"]["data"]["message"]


def test_a_server_action_that_keeps_to_odoos_records_works(hosted: GatedOdoo) -> None:
    model = call(hosted, "ir.model", "search", [("model", "=", "res.partner")])["result"][0]
    code = "env['res.partner'].search([('name', 'ilike', 'admin')]).write({'ref': 'seen'})"
    values = {"name": "Refer", "model_id": model, "state": "code", "code": code}
    made = call(hosted, "ir.actions.server", "create", values)["result"]
    assert "error" not in call(hosted, "ir.actions.server", "run", [made])
    assert hosted.sql(ACORN, "SELECT true FROM res_partner WHERE ref = 'seen'")


def test_a_template_does_not_reach_the_cursor(hosted: GatedOdoo) -> None:
    (user,) = call(hosted, "res.users", "read", [2], ["all_group_ids"])["result"]
    values = {"name": "x", "type": "qweb", "group_ids": user["all_group_ids"]}
    for key, expression in (
        ("base.stay_in", "env.user.login"),
        ("base.break_out", "env.cr.dbname"),
    ):
        arch = f"<t t-name='x'><t t-out='{expression}'/></t>"
        call(hosted, "ir.ui.view", "create", values | {"key": key, "arch": arch})
    assert call(hosted, "ir.ui.view", "render_public_asset", "base.stay_in")["result"] == "admin"
    shown = call(hosted, "ir.ui.view", "render_public_asset", "base.break_out")
    assert "forbidden name" in shown["error"]["data"]["debug"]


def test_no_other_process_makes_a_hosting_server_of_a_hosted_database(hosted: GatedOdoo) -> None:
    database, comment = hosted.database(BEECH), Mark("somebody's", "hosted").text()
    with postgres.cursor() as cr:
        comment_on = sql.SQL("COMMENT ON DATABASE {} IS {}")
        cr.execute(comment_on.format(sql.Identifier(database), sql.Literal(comment)))
    arguments = ("-d", database, "-i", "fleet_saas_server", "--stop-after-init", "--no-http")
    ended = subprocess.run(
        odoo_run.command(*arguments),
        env=odoo_run.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "This is a hosted database" in ended.stdout + ended.stderr
    assert hosted.sql(BEECH, "SELECT to_regclass('saas_operation')") == [(None,)]
