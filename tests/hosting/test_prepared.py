"""Templates that were sealed before they were closed: their clones renew what none may share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import trap
from hosting import seal as sealing
from hosting.activate import activate
from hosting.errors import HostingError
from hosting.seal import SealReport, prepare, seal
from hosting.verify import verify

from fleetdev import databases, postgres

ADDONS = trap.addons_path()


@pytest.fixture(scope="module")
def template() -> Iterator[str]:
    """A trap that was sealed as a template is, before it is closed."""
    with trap.database("prepared") as name:
        with trap.connected(name) as opened:
            prepare(opened, addons=ADDONS, identity=uuid.uuid4())
        yield name


@pytest.fixture
def clone(template: str) -> Iterator[str]:
    name = f"{postgres.prefix()}test_prepared_{uuid.uuid4().hex[:8]}"
    databases.copy(template, name)
    yield name
    databases.drop(name)


def sealed(name: str, template: str, identity: uuid.UUID, **options: object) -> SealReport:
    options.setdefault("purpose", "customer")
    with trap.connected(name) as opened:
        return seal(opened, addons=ADDONS, identity=identity, source=template, **options)


def rows(name: str, query: str) -> list[tuple]:
    with trap.connected(name) as opened, opened.cursor() as cr:
        cr.execute(query)
        return cr.fetchall()


def change(name: str, statement: str) -> None:
    with trap.connected(name) as opened, opened.cursor() as cr:
        cr.execute(statement)
        opened.commit()


@pytest.mark.parametrize("known", [False, True])
def test_a_clone_of_a_prepared_template_has_nothing_of_it_that_identifies(
    template, clone, known
) -> None:
    if not known:
        sealing._KNOWN.clear()
    identity = uuid.uuid4()
    report = sealed(clone, template, identity)
    with trap.connected(clone) as second:
        evidence = verify(second, identity=identity, source=report.source)
    assert evidence["tokens"] > 0
    token = "SELECT access_token FROM ir_attachment WHERE name = 'file'"
    assert rows(clone, token) != rows(template, token)
    assert {entry["what"] for entry in report.switched_off} >= {"cron", "mail server"}


def test_two_clones_of_a_prepared_template_share_no_token(template, clone) -> None:
    second = f"{clone}_b"
    databases.copy(template, second)
    try:
        for name in (clone, second):
            sealed(name, template, uuid.uuid4())
        query = (
            "SELECT (SELECT access_token FROM ir_attachment WHERE name = 'file'), "
            "(SELECT value FROM ir_config_parameter WHERE key = 'database.secret')"
        )
        assert not set(rows(clone, query)[0]) & set(rows(second, query)[0])
    finally:
        databases.drop(second)


def test_going_live_turns_on_what_the_template_had(template, clone) -> None:
    report = sealed(clone, template, uuid.uuid4())
    assert len(report.crons) > 5
    with trap.connected(clone) as opened:
        activate(opened, base_url="https://acme.example")
    active = {row[0] for row in rows(clone, "SELECT id FROM ir_cron WHERE active")}
    assert set(report.crons) <= active


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO res_users_apikeys (name, user_id, scope, index, key) "
        "VALUES ('late', 2, 'rpc', 'abcdefgh', 'x')",
        "UPDATE res_users SET password = 'late' WHERE id = 2",
        "UPDATE mail_mail SET state = 'outgoing'",
        "UPDATE fetchmail_server SET active = true",
    ],
)
def test_what_was_turned_on_after_the_template_was_sealed_is_refused(
    template, clone, statement
) -> None:
    change(clone, statement)
    identity = uuid.uuid4()
    report = sealed(clone, template, identity)
    with trap.connected(clone) as second, pytest.raises(HostingError, match="not sealed"):
        verify(second, identity=identity, source=report.source)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ir_cron SET active = true WHERE id = (SELECT max(id) FROM ir_cron)",
        "UPDATE ir_mail_server SET active = true",
        "DELETE FROM ir_config_parameter WHERE key = 'database.is_neutralized'",
    ],
)
def test_a_template_that_lives_again_is_sealed_as_a_whole(template, clone, statement) -> None:
    change(clone, statement)
    change(clone, "UPDATE res_users SET password = 'late' WHERE id = 2")
    identity = uuid.uuid4()
    report = sealed(clone, template, identity)
    with trap.connected(clone) as second:
        verify(second, identity=identity, source=report.source)
    assert rows(clone, "SELECT password FROM res_users WHERE id = 2") == [(None,)]


def test_a_missing_module_stops_a_clone_of_a_prepared_template_too(template, clone) -> None:
    change(
        clone, "INSERT INTO ir_module_module (name, state) VALUES ('gone_from_disk', 'installed')"
    )
    with pytest.raises(HostingError, match="gone_from_disk"):
        sealed(clone, template, uuid.uuid4())
