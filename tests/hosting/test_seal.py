"""The seal on a booby-trapped database: nothing of the source is live, and nothing opens it."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import trap
from hosting import seal_plan
from hosting.errors import HostingError
from hosting.seal import RULES, SealReport, SourceFacts, seal, seal_in
from hosting.seal_rules import KEEP, Rule
from hosting.verify import verify, verify_in
from psycopg2.extensions import connection, cursor

from fleetdev import postgres

ADDONS = trap.addons_path()
NEW = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def trapped() -> Iterator[connection]:
    """One armed database for all tests, each of which rolls back what it did."""
    with trap.database("seal") as name, trap.connected(name) as opened:
        yield opened


@pytest.fixture
def cr(trapped: connection) -> Iterator[cursor]:
    with trapped.cursor() as cr:
        yield cr
    trapped.rollback()


def sealed(cr: cursor, **options: object) -> SealReport:
    options.setdefault("purpose", "customer")
    return seal_in(cr, addons=ADDONS, identity=NEW, **options)


def problem(cr: cursor, report: SealReport, keep_logins: bool = False) -> str:
    """Return what verification says, or what the report could not place, or ""."""
    try:
        verify_in(cr, identity=NEW, source=report.source, keep_logins=keep_logins)
    except HostingError as error:
        return str(error)
    return json.dumps(report.unknown) if report.unknown else ""


def test_a_sealed_clone_passes_on_a_second_connection_and_holds_no_planted_secret() -> None:
    with trap.database("sealed") as name:
        with trap.connected(name) as opened:
            report = seal(opened, addons=ADDONS, identity=NEW, purpose="customer")
        with trap.connected(name) as second:
            evidence = verify(second, identity=NEW, source=report.source)
            assert len(evidence["checked"]) > 50 and evidence["tokens"] > 5
            assert report.unknown == []
            with second.cursor() as cr:
                assert _cells_with(cr, trap.SECRET) == []


def _cells_with(cr: cursor, text: str) -> list[str]:
    """Return every column of every table that holds ``text``, found without knowing any rule."""
    cr.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN "
        "information_schema.tables USING (table_schema, table_name) WHERE table_schema = 'public' "
        "AND table_type = 'BASE TABLE' AND data_type IN ('text', 'character varying', 'jsonb')"
    )
    found = []
    for table, column in cr.fetchall():
        cr.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text LIKE %s', [f"%{text}%"])
        if cr.fetchone()[0]:
            found.append(f"{table}.{column}")
    return found


def test_the_trap_itself_is_refused(cr: cursor) -> None:
    with pytest.raises(HostingError, match="not sealed"):
        verify_in(cr, identity=NEW, source=SourceFacts("x", "y"))


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.action != KEEP], ids=lambda rule: rule.key
)
def test_without_any_one_rule_somebody_complains(cr: cursor, rule: Rule) -> None:
    assert trap.value(cr, "SELECT to_regclass(%s) IS NOT NULL", rule.table) or rule.table == "*", (
        "the trap has no such table"
    )
    others = tuple(each for each in RULES if each != rule)
    report = sealed(cr, rules=others)
    assert problem(cr, report), f"nobody noticed that {rule.key} is missing"


def test_with_all_rules_nobody_complains(cr: cursor) -> None:
    assert problem(cr, sealed(cr)) == ""


@pytest.mark.parametrize(
    ("undo", "named"),
    [
        ("UPDATE ir_cron SET active = true WHERE cron_name LIKE 'Mail%'", "ir_cron"),
        ("UPDATE ir_mail_server SET active = true", "ir_mail_server"),
        ("DELETE FROM ir_mail_server WHERE smtp_host = 'invalid'", "ir_mail_server"),
        ("UPDATE fetchmail_server SET active = true", "fetchmail_server"),
        ("UPDATE mail_mail SET state = 'outgoing'", "mail_mail"),
        ("UPDATE sms_sms SET state = 'outgoing'", "sms_sms"),
        ("UPDATE res_users SET password = 'x' WHERE id = 2", "res_users"),
        ("UPDATE auth_oauth_provider SET enabled = true", "auth_oauth_provider"),
        ("UPDATE payment_provider SET state = 'enabled'", "payment_provider"),
        ("DELETE FROM ir_config_parameter WHERE key = 'database.is_neutralized'", "neutralised"),
        ("UPDATE ir_config_parameter SET value = 'x' WHERE key = 'database.uuid'", "uuid"),
        ("UPDATE ir_config_parameter SET value = 'x' WHERE key = 'database.secret'", "secret"),
        ("DELETE FROM ir_config_parameter WHERE key = 'fleet.sealed'", "recorded"),
        (
            "INSERT INTO mail_push_device (partner_id, endpoint, keys) VALUES (3, 'u', 'k')",
            "mail_push_device",
        ),
    ],
)
def test_what_comes_alive_again_is_named(cr: cursor, undo: str, named: str) -> None:
    report = sealed(cr)
    cr.execute(undo)
    with pytest.raises(HostingError, match=named) as caught:
        verify_in(cr, identity=NEW, source=report.source)
    assert caught.value.code == "not_sealed"


@pytest.mark.parametrize("column", ["mail_guest.access_token", "base_automation.webhook_uuid"])
def test_a_token_of_the_source_is_recognised(cr: cursor, column: str) -> None:
    table, name = column.split(".")
    old = trap.value(cr, f"SELECT min({name}) FROM {table}")
    report = sealed(cr)
    cr.execute(f"UPDATE {table} SET {name} = %s", [old])
    with pytest.raises(HostingError, match=table):
        verify_in(cr, identity=NEW, source=report.source)


def test_the_identity_of_the_source_is_refused(cr: cursor) -> None:
    report = sealed(cr)
    secret = trap.parameter(cr, "database.secret")
    for facts, named in (
        (replace(report.source, uuid=NEW), "uuid"),
        (replace(report.source, secret=hashlib.sha256(secret.encode()).hexdigest()), "secret"),
    ):
        with pytest.raises(HostingError, match=named):
            verify_in(cr, identity=NEW, source=facts)


class WatchedCursor(cursor):
    """A cursor that notes whether its transaction may write, after each statement."""

    seen: ClassVar[list[str]] = []

    def execute(self, *arguments: object) -> None:
        super().execute(*arguments)
        with self.connection.cursor(cursor_factory=cursor) as other:
            other.execute("SHOW transaction_read_only")
            self.seen.append(other.fetchone()[0])


def test_verification_can_write_nothing() -> None:
    with trap.database("watched") as name:
        with trap.connected(name) as opened:
            report = seal(opened, addons=ADDONS, identity=NEW, purpose="trial")
        with trap.connected(name) as second:
            second.cursor_factory = WatchedCursor
            verify(second, identity=NEW, source=report.source)
    assert set(WatchedCursor.seen) == {"on"} and len(WatchedCursor.seen) > 3


@pytest.mark.parametrize("point", ["seal.neutralised", "seal.before_commit"])
def test_a_failure_in_the_middle_leaves_the_clone_as_it_was(
    monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setenv("FLEET_TEST_FAILPOINTS_ALLOWED", "1")
    monkeypatch.setenv("FLEET_FAILPOINTS", f"{point}=error")
    with trap.database("middle") as name, trap.connected(name) as opened:
        with pytest.raises(HostingError, match="failure"):
            seal(opened, addons=ADDONS, identity=NEW, purpose="trial")
        with opened.cursor() as cr:
            assert trap.parameter(cr, "database.is_neutralized") is None
            assert trap.value(cr, "SELECT count(*) FROM res_users_apikeys") == 1


def test_a_second_seal_keeps_what_was_live_and_adds_no_second_dummy(cr: cursor) -> None:
    live = trap.value(cr, "SELECT count(*) FROM ir_cron WHERE active")
    first, second = sealed(cr), sealed(cr)
    assert len(first.crons) == live - 1  # all but the clean-up
    assert second.crons == first.crons and second.ribbons == first.ribbons != []
    assert trap.record(cr)["crons"] == first.crons
    assert trap.value(cr, "SELECT count(*) FROM ir_mail_server WHERE smtp_host = 'invalid'") == 1


def test_a_staging_copy_may_keep_logins_but_nothing_else(cr: cursor) -> None:
    report = sealed(cr, purpose="staging", keep_logins=True)
    assert problem(cr, report, keep_logins=True) == ""
    assert trap.value(cr, "SELECT password FROM res_users WHERE id = 2") == trap.SECRET
    assert trap.value(cr, "SELECT count(*) FROM res_users_apikeys") == 0
    assert trap.value(cr, "SELECT totp_secret FROM res_users WHERE id = 2") is None
    assert {"password", "cron"} <= {entry["what"] for entry in report.left_on}
    with pytest.raises(HostingError, match="res_users"):
        verify_in(cr, identity=NEW, source=report.source)


def test_only_a_staging_copy_may_keep_logins(cr: cursor) -> None:
    with pytest.raises(ValueError):
        sealed(cr, keep_logins=True)
    with pytest.raises(ValueError):
        sealed(cr, purpose="snapshot")


def test_the_report_counts_what_was_switched_off(cr: cursor) -> None:
    counts = {entry["what"]: entry["count"] for entry in sealed(cr).switched_off}
    assert counts["queued mail"] == 50 and counts["queued SMS"] == 5
    assert counts["mail server"] == 1 and counts["cron"] > 20
    assert counts["API key"] == counts["passkey"] == counts["trusted device"] == 1


def test_an_unknown_credential_is_reported_with_its_table_and_module(cr: cursor) -> None:
    cr.execute("CREATE TABLE acme_shop (id serial, api_token varchar, title varchar)")
    cr.execute("INSERT INTO acme_shop (api_token) VALUES ('x'), ('y'), (''), (NULL)")
    [entry] = sealed(cr).unknown
    assert (entry["what"], entry["count"]) == ("acme_shop.api_token", 2)


def test_a_foreign_module_with_crons_and_no_neutralize_sql_is_reported(cr: cursor) -> None:
    cr.execute("UPDATE ir_module_module SET author = 'Acme' WHERE name = 'mass_mailing'")
    [entry] = sealed(cr).unknown
    assert entry["what"] == "mass_mailing"


def test_a_parameter_that_is_a_setting_stays_and_a_secret_one_goes(cr: cursor) -> None:
    cr.execute(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('acme.token_days', '30'), "
        "('acme.webhook_password', 'x') ON CONFLICT DO NOTHING"
    )
    sealed(cr)
    assert trap.parameter(cr, "auth_signup.reset_password") == "True"
    assert trap.parameter(cr, "acme.token_days") == "30"
    assert trap.parameter(cr, "acme.webhook_password") is None
    assert trap.parameter(cr, "acme.api_key") is None


def test_saved_mails_of_the_past_stay(cr: cursor) -> None:
    messages = trap.value(cr, "SELECT count(*) FROM mail_message")
    sealed(cr)
    assert trap.value(cr, "SELECT count(*) FROM mail_message") == messages
    assert trap.value(cr, "SELECT count(*) FROM mail_mail WHERE state = 'cancel'") == 50


def test_a_module_without_a_folder_stops_the_clone_with_its_name(cr: cursor) -> None:
    cr.execute("UPDATE ir_module_module SET name = 'acme_lost' WHERE name = 'sms'")
    assert ADDONS.missing(cr) == ["acme_lost"]
    with pytest.raises(HostingError, match="acme_lost") as caught:
        sealed(cr)
    assert caught.value.code == "module_missing"


def test_a_neutralize_sql_that_fails_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    addons = trap.addons_with(tmp_path, "UPDATE sms_sms SET state = 'x'; SELECT 1/0")
    with trap.database("fails") as name, trap.connected(name) as opened:
        with pytest.raises(HostingError, match="sms") as caught:
            seal(opened, addons=addons, identity=NEW, purpose="trial")
        assert caught.value.code == "neutralize_failed"
        with opened.cursor() as cr:
            assert trap.parameter(cr, "fleet.sealed") is None
            assert trap.value(cr, "SELECT count(*) FROM mail_mail WHERE state = 'outgoing'") == 50


def test_a_neutralize_sql_that_commits_is_refused(tmp_path: Path) -> None:
    addons = trap.addons_with(tmp_path, "COMMIT; BEGIN")
    with trap.database("commits") as name, trap.connected(name) as opened:
        with pytest.raises(HostingError) as caught:
            seal(opened, addons=addons, identity=NEW, purpose="trial")
        assert caught.value.code == "neutralize_commits"


def test_a_database_that_is_not_odoo_is_refused() -> None:
    name = f"{postgres.prefix()}test_plain_{uuid.uuid4().hex[:8]}"
    postgres.copy("template1", name)
    try:
        with trap.connected(name) as opened, pytest.raises(HostingError) as caught:
            seal(opened, addons=ADDONS, identity=NEW, purpose="trial")
        assert caught.value.code == "not_odoo"
    finally:
        postgres.drop(name)


def test_a_clone_of_a_neutralised_source_says_that_it_does_not_know_what_was_live(
    cr: cursor,
) -> None:
    cr.execute("UPDATE ir_cron SET active = false")
    cr.execute(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')"
    )
    report = sealed(cr)
    assert report.crons == [] and [entry["what"] for entry in report.unknown] == ["source"]


def test_identity_of_a_module_changes_with_its_files_only(tmp_path: Path) -> None:
    addons = trap.addons_with(tmp_path, "SELECT 1")
    before = addons.identity("sms")
    assert before.version == "1.0" and addons.identity("sms") == before
    (tmp_path / "sms" / "static.png").write_bytes(b"picture")
    assert addons.identity("sms") == before
    (tmp_path / "sms" / "models.py").write_text("x = 1")
    longer = addons.identity("sms")
    assert longer != before
    (tmp_path / "sms" / "models.py").write_text("x = 2")
    assert addons.identity("sms") not in (before, longer)


def test_sealing_and_verifying_are_fast(capsys: pytest.CaptureFixture[str]) -> None:
    seals, checks = [], []
    seal_plan.plan.cache_clear()
    for _round in range(4):
        with trap.database("speed") as name:
            with trap.connected(name) as opened:
                start = time.perf_counter()
                report = seal(opened, addons=ADDONS, identity=NEW, purpose="customer")
                seals.append(time.perf_counter() - start)
            with trap.connected(name) as second:
                start = time.perf_counter()
                verify(second, identity=NEW, source=report.source)
                checks.append(time.perf_counter() - start)
    with capsys.disabled():
        print(f"\n  seal {_ms(seals)}, verify {_ms(checks)} on a database of 700 tables")
    # Far above what it takes, so that a busy machine does not fail it.
    assert min(seals) < 2 and min(checks) < 2


def _ms(times: list[float]) -> str:
    return (
        f"{statistics.median(times[1:]) * 1000:.0f} ms (the first {times[0] * 1000:.0f} ms, "
        f"the fastest {min(times) * 1000:.0f} ms)"
    )
