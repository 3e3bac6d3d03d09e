"""Going live: exactly the scheduled actions of the source, the host's mail server, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trap
from hosting.activate import Activated, MailServer, activate, activate_in
from hosting.errors import HostingError
from hosting.seal import seal, seal_in
from psycopg2.extensions import connection, cursor

ADDONS = trap.addons_path()
NEW = "11111111-2222-4333-8444-555555555555"
URL = "https://alpine.example.com"
SERVER = MailServer("127.0.0.1", 2525, "alpine", "mail-password", "starttls", "alpine.example.com")


@pytest.fixture(scope="module")
def trapped() -> Iterator[connection]:
    with trap.database("activate") as name, trap.connected(name) as opened:
        yield opened


@pytest.fixture
def cr(trapped: connection) -> Iterator[cursor]:
    with trapped.cursor() as cr:
        yield cr
    trapped.rollback()


def sealed(cr: cursor, purpose: str = "customer") -> None:
    seal_in(cr, addons=ADDONS, identity=NEW, purpose=purpose)


def live(cr: cursor) -> set[int]:
    cr.execute("SELECT id FROM ir_cron WHERE active")
    return {row[0] for row in cr.fetchall()}


def snapshot(cr: cursor) -> dict[str, list[tuple]]:
    """Return every row of the tables that decide what a database does by itself."""
    queries = {
        "crons": "SELECT * FROM ir_cron ORDER BY id",
        "views": "SELECT id, active FROM ir_ui_view ORDER BY id",
        "servers": "SELECT * FROM ir_mail_server ORDER BY id",
        "fetchmail": "SELECT * FROM fetchmail_server ORDER BY id",
        "mails": "SELECT id, state FROM mail_mail ORDER BY id",
        "parameters": "SELECT key, value FROM ir_config_parameter ORDER BY key",
        "actions": "SELECT id, webhook_url FROM ir_act_server ORDER BY id",
        "providers": "SELECT id, state FROM payment_provider ORDER BY id",
        "sign-in": "SELECT id, enabled FROM auth_oauth_provider ORDER BY id",
        "users": "SELECT id, password FROM res_users ORDER BY id",
        "websites": "SELECT id, domain, robots_txt FROM website ORDER BY id",
    }
    result = {}
    for name, query in queries.items():
        cr.execute(query)
        result[name] = cr.fetchall()
    return result


def test_exactly_the_scheduled_actions_of_the_source_come_back(cr: cursor) -> None:
    cr.execute("UPDATE ir_cron SET active = false WHERE id IN (SELECT max(id) FROM ir_cron)")
    before = live(cr)
    sealed(cr)
    assert len(live(cr)) == 1
    done = activate_in(cr, base_url=URL, mail_server=SERVER)
    assert live(cr) == before
    assert done == Activated(False, len(before) - 1, 0, 2, True)


def test_nothing_else_changes(cr: cursor) -> None:
    sealed(cr)
    before = snapshot(cr)
    activate_in(cr, base_url=URL, mail_server=SERVER)
    after = snapshot(cr)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"crons", "views", "servers", "parameters"}
    gone = {"database.is_neutralized", "fleet.sealed"}
    new = {"web.base.url": URL, "web.base.url.freeze": "True"}
    kept = {key: value for key, value in before["parameters"] if key not in gone}
    assert dict(after["parameters"]) == kept | new
    assert {
        row[0]: row[1] for row in before["views"] if row not in after["views"]
    } == dict.fromkeys(_ribbons(cr), True)


def _ribbons(cr: cursor) -> list[int]:
    cr.execute("SELECT id FROM ir_ui_view WHERE key LIKE '%.neutralize\\_%'")
    return [row[0] for row in cr.fetchall()]


def test_overdue_actions_are_spread_and_later_ones_keep_their_time(cr: cursor) -> None:
    cr.execute("UPDATE ir_cron SET nextcall = now() + interval '3 days' WHERE id = 2")
    later = trap.value(cr, "SELECT nextcall FROM ir_cron WHERE id = 2")
    cleaning = (
        "SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND name = 'autovacuum_job'"
    )
    cr.execute(f"UPDATE ir_cron SET nextcall = now() - interval '1 day' WHERE id IN ({cleaning})")
    cr.execute("UPDATE ir_cron SET interval_type = 'minutes', interval_number = 5 WHERE id = 3")
    sealed(cr)
    activate_in(cr, base_url=URL, mail_server=None)
    assert trap.value(cr, "SELECT nextcall FROM ir_cron WHERE id = 2") == later
    cr.execute(
        "SELECT id, extract(epoch FROM nextcall - now() AT TIME ZONE 'UTC') FROM ir_cron "
        "WHERE active AND id <> 2"
    )
    waits = {cron: float(seconds) for cron, seconds in cr.fetchall()}
    assert all(59 <= wait <= 1861 for wait in waits.values())
    assert trap.value(cr, cleaning) in waits
    assert waits[3] <= 361
    assert len({round(wait) for wait in waits.values()}) > len(waits) / 2


def test_without_a_mail_server_of_the_host_the_dummy_stays(cr: cursor) -> None:
    sealed(cr)
    activate_in(cr, base_url=URL, mail_server=None)
    cr.execute("SELECT smtp_host FROM ir_mail_server WHERE active")
    assert cr.fetchall() == [("invalid",)]


def test_the_mail_server_of_the_host_takes_the_place_of_the_dummy(cr: cursor) -> None:
    sealed(cr)
    activate_in(cr, base_url=URL, mail_server=SERVER)
    cr.execute(
        "SELECT smtp_host, smtp_port, smtp_user, smtp_pass, smtp_encryption, from_filter "
        "FROM ir_mail_server WHERE active"
    )
    assert cr.fetchall() == [
        ("127.0.0.1", 2525, "alpine", "mail-password", "starttls", "alpine.example.com")
    ]
    assert "mail-password" not in repr(SERVER)


def test_queued_mail_of_the_source_stays_cancelled(cr: cursor) -> None:
    sealed(cr)
    activate_in(cr, base_url=URL, mail_server=SERVER)
    assert trap.value(cr, "SELECT count(*) FROM mail_mail WHERE state = 'outgoing'") == 0
    assert trap.value(cr, "SELECT count(*) FROM fetchmail_server WHERE active") == 0


def test_the_second_time_nothing_changes(cr: cursor) -> None:
    sealed(cr)
    activate_in(cr, base_url=URL, mail_server=SERVER)
    before = snapshot(cr)
    assert activate_in(cr, base_url=URL, mail_server=SERVER) == Activated(already=True)
    assert snapshot(cr) == before


def test_a_staging_copy_is_never_activated(cr: cursor) -> None:
    sealed(cr, "staging")
    with pytest.raises(HostingError) as caught:
        activate_in(cr, base_url=URL, mail_server=SERVER)
    assert caught.value.code == "staging_stays"
    assert len(live(cr)) == 1


def test_a_database_that_somebody_else_neutralised_is_not_activated(cr: cursor) -> None:
    cr.execute(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')"
    )
    with pytest.raises(HostingError) as caught:
        activate_in(cr, base_url=URL, mail_server=SERVER)
    assert caught.value.code == "not_recorded"


def test_a_clone_of_a_sealed_clone_goes_live_with_what_the_first_source_had(cr: cursor) -> None:
    before = live(cr)
    sealed(cr)
    seal_in(cr, addons=ADDONS, identity=NEW.replace("1", "9"), purpose="customer")
    activate_in(cr, base_url=URL, mail_server=SERVER)
    assert live(cr) == before


def test_a_ribbon_of_another_module_goes_too_even_when_sealed_twice(
    cr: cursor, tmp_path: Path
) -> None:
    cr.execute("UPDATE ir_ui_view SET active = false, key = 'acme.test_copy' WHERE id = 100")
    show = "UPDATE ir_ui_view SET active = true WHERE key = 'acme.test_copy'"
    addons = trap.addons_with(tmp_path, show)
    for _time in range(2):
        seal_in(cr, addons=addons, identity=NEW, purpose="customer")
    shown = "SELECT active FROM ir_ui_view WHERE id = 100"
    assert trap.value(cr, shown) is True
    assert activate_in(cr, base_url=URL, mail_server=None).ribbons == 3
    assert trap.value(cr, shown) is False


def test_a_failure_leaves_the_clone_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_TEST_FAILPOINTS_ALLOWED", "1")
    monkeypatch.setenv("FLEET_FAILPOINTS", "activate.before_commit=error")
    with trap.database("half") as name, trap.connected(name) as opened:
        seal(opened, addons=ADDONS, identity=NEW, purpose="customer")
        with pytest.raises(HostingError, match="failure"):
            activate(opened, base_url=URL, mail_server=SERVER)
        with opened.cursor() as cr:
            assert len(live(cr)) == 1
            assert trap.parameter(cr, "database.is_neutralized") == "true"
        monkeypatch.delenv("FLEET_FAILPOINTS")
        assert activate(opened, base_url=URL, mail_server=SERVER).crons > 20
