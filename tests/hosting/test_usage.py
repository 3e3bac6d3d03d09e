"""Usage measured on a real Odoo database, with rows that were put there for it."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import pytest
from hosting import files, usage
from hosting.errors import HostingError, Retryable
from hosting.postgres import Cluster

from fleetdev import databases, postgres

NAME = f"fleet_test_usage_{os.getpid()}"
ROWS = """
INSERT INTO res_users (login, active, share, company_id, partner_id, notification_type)
SELECT v.login, v.active, v.share, u.company_id, u.partner_id, u.notification_type
  FROM res_users u,
       (VALUES ('ann', true, false), ('bob', true, false), ('gone', false, false),
               ('portal', true, true), ('visitor', true, true), ('other', true, true))
       AS v(login, active, share)
 WHERE u.id = 2;
INSERT INTO res_groups_users_rel (gid, uid)
SELECT d.res_id, u.id FROM ir_model_data d, res_users u
 WHERE d.module = 'base'
   AND (d.name, u.login) IN (('group_portal', 'portal'), ('group_public', 'visitor'));
UPDATE res_users SET active = true WHERE login = '__system__';
DELETE FROM res_users_log;
INSERT INTO res_users_log (create_uid, create_date)
SELECT id, '2026-01-02 03:04:05' FROM res_users WHERE login = 'ann';
INSERT INTO res_device_log (user_id, session_identifier, last_activity)
SELECT id, 'x', now() AT TIME ZONE 'UTC' - interval '3 days' FROM res_users WHERE login = 'bob';
DELETE FROM ir_attachment;
INSERT INTO ir_attachment (name, type, file_size) VALUES
    ('a', 'binary', 1000), ('b', 'binary', 234), ('empty', 'binary', 0), ('link', 'url', NULL);
UPDATE ir_cron SET failure_count = 0;
UPDATE ir_cron SET failure_count = 2, active = true WHERE id IN (SELECT min(id) FROM ir_cron);
UPDATE ir_cron SET failure_count = 5, active = false WHERE id IN (SELECT max(id) FROM ir_cron);
INSERT INTO mail_message (message_type, date) VALUES ('email', now());
INSERT INTO mail_mail (mail_message_id, state)
SELECT max(m.id), s FROM mail_message m, (VALUES ('exception'), ('sent'), ('cancel')) AS v(s)
 GROUP BY s;
"""


def execute(query: str) -> None:
    connection = psycopg2.connect(dbname=NAME)
    with connection, connection.cursor() as cr:
        cr.execute(query)
    connection.close()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    postgres.copy(databases.template("base"), NAME)
    try:
        execute(ROWS)
        yield NAME
    finally:
        postgres.drop(NAME)


def measure(filestore: Path, **counts: Counter[str]) -> usage.Usage:
    return usage.measure(
        Cluster(),
        NAME,
        filestore,
        sessions=counts.get("sessions", Counter()),
        answered=counts.get("answered", Counter()),
    )


def test_every_figure_of_a_database(database: str, tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "abc").write_bytes(b"12345")
    (tmp_path / "checklist").mkdir()
    (tmp_path / "checklist" / "abc").write_bytes(b"")
    open_one = psycopg2.connect(dbname=database)
    found = measure(tmp_path, sessions=Counter({NAME: 7}), answered=Counter({NAME: 9, "x": 1}))
    open_one.close()
    # The administrator, ann and bob work in it; Odoo's own user and visitors count nowhere.
    assert (found.internal_users, found.portal_users, found.other_users) == (3, 1, 1)
    assert found.active_users == 1, "bob, by his device"
    assert found.last_login == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert found.database_bytes > 10_000_000
    assert (found.filestore_files, found.filestore_bytes) == (1, 5)
    assert (found.attachments, found.attachment_bytes) == (2, 1234)
    assert (found.sessions, found.requests, found.connections) == (7, 9, 1)
    assert (found.failing_crons, found.failed_mails) == (1, 1)


def test_a_database_without_mail_is_measured_too(database: str, tmp_path: Path) -> None:
    execute("ALTER TABLE mail_mail RENAME TO mail_mail_away")
    try:
        assert measure(tmp_path).failed_mails == 0
    finally:
        execute("ALTER TABLE mail_mail_away RENAME TO mail_mail")


def test_a_locked_database_is_given_up_and_tried_later(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "STATEMENT_S", 0.3)
    holder = psycopg2.connect(dbname=database)
    with holder, holder.cursor() as cr:
        cr.execute("LOCK res_users IN ACCESS EXCLUSIVE MODE")
        begin = time.monotonic()
        with pytest.raises(Retryable, match="longer than 0.3 seconds"):
            measure(tmp_path)
        assert time.monotonic() - begin < 5
    holder.close()


@pytest.mark.parametrize(
    ("spoil", "repair"),
    [
        (
            "ALTER TABLE res_users_log ALTER create_date TYPE text",
            "ALTER TABLE res_users_log ALTER create_date TYPE timestamp "
            "USING create_date::timestamp",
        ),
        (
            "ALTER TABLE ir_attachment ALTER file_size TYPE text",
            "ALTER TABLE ir_attachment ALTER file_size TYPE integer USING file_size::integer",
        ),
        (
            "ALTER TABLE res_users_log ALTER create_date TYPE date",
            "ALTER TABLE res_users_log ALTER create_date TYPE timestamp",
        ),
    ],
)
def test_what_people_changed_inside_is_told_of_that_database_alone(
    database: str, tmp_path: Path, spoil: str, repair: str
) -> None:
    execute(spoil)
    try:
        with pytest.raises(HostingError) as caught:
            measure(tmp_path)
        assert caught.value.code == "usage_not_odoo"
    finally:
        execute(repair)


def test_a_connection_that_breaks_is_tried_again_later(database: str, tmp_path: Path) -> None:
    holder = psycopg2.connect(dbname=database)
    with holder, holder.cursor() as locked, ThreadPoolExecutor(1) as pool:
        locked.execute("LOCK res_users IN ACCESS EXCLUSIVE MODE")
        measured = pool.submit(measure, tmp_path)
        with Cluster().cursor() as cr:
            while not measured.done():
                cr.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = %s AND wait_event_type = 'Lock'",
                    [database],
                )
                time.sleep(0.05)
        with pytest.raises(Retryable) as caught:
            measured.result()
        assert caught.value.code == "postgres_down"
    holder.close()


def test_files_that_go_meanwhile_hinder_no_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"123")
    walk = os.walk

    def walk_and_remove(folder: Path) -> Iterator[tuple]:
        for found in walk(folder):
            (tmp_path / "one").unlink(missing_ok=True)
            yield found

    monkeypatch.setattr(os, "walk", walk_and_remove)
    assert files.usage(tmp_path) == (1, 3)


def test_what_is_not_odoo_or_not_there_is_named(tmp_path: Path) -> None:
    for name, code in (("postgres", "usage_not_odoo"), ("fleet_nowhere", "no_database")):
        with pytest.raises(HostingError) as caught:
            usage.measure(Cluster(), name, tmp_path, sessions={}, answered={})
        assert caught.value.code == code


def test_a_role_that_is_missing_is_no_missing_database(database: str, tmp_path: Path) -> None:
    stranger = Cluster({"options": "-c role=nobody_made_this"})
    with pytest.raises(Retryable) as caught:
        usage.measure(stranger, database, tmp_path, sessions={}, answered={})
    assert caught.value.code == "postgres_down"


def test_sessions_count_for_their_database(tmp_path: Path) -> None:
    stored = {
        "aa/one": json.dumps({"db": "acme", "uid": 2}),
        "aa/two": json.dumps({"db": "acme", "uid": 5}),
        "ab/visitor": json.dumps({"db": "acme", "uid": None}),
        "ab/renewed": json.dumps({"db": "acme", "uid": 2, "next_sid": "two"}),
        "ab/old": json.dumps({"db": "acme", "uid": 2}),
        "ac/half": '{"db": "ac',
        "ac/list": "[]",
        "ac/birch": json.dumps({"db": "birch", "uid": 2}),
        "tmpfile.__wz_sess": json.dumps({"db": "birch", "uid": 2}),
    }
    for name, text in stored.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    week_ago = time.time() - usage.SESSION_S - 10
    os.utime(tmp_path / "ab/old", (week_ago, week_ago))
    assert usage.sessions_by_database(tmp_path) == {"acme": 2, "birch": 1}
    assert usage.sessions_by_database(tmp_path / "none") == {}
