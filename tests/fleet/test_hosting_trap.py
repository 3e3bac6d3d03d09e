"""A booby-trapped database, copied in every way: not one byte of it reaches anybody.

The trap is due now: fifty queued mails with the credentials of a mail server, a webhook fired by
an automation rule, a mailbox to be read, a known password, a live API key. All of them lead to
sinks on the loopback interface.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from support import hosting_templates, sinks
from support.hosting_fleet import HostingFleet
from support.odoo_fleet import json2
from support.sinks import HttpSink, Pop3Sink, SmtpSink, wait_until

from fleetdev import databases, postgres

PLANT = Path(sinks.__file__).with_name("in_odoo_trap.py")
PASSWORD = "known-password"
ALLOWED = (
    r"Login failed for db",
    r"odoo\.http: (Access Denied|Invalid apikey)",
    r"Webhook call failed: Invalid URL 'neutralization",
    # Without a mail server of the host there is the neutralised one, which nobody can reach.
    r"odoo\.addons\.(base\.models\.ir_mail_server|mail\.models\.mail_mail): .*",
    # The plain copy's own scheduled actions meet each other; that they run is what it is for.
    r"trap-plain-\d+ odoo\.sql_db: bad query: .*DELETE FROM ir_cron_trigger",
    r"trap-plain-\d+ odoo\.addons\.base\.models\.ir_cron: Exception in cron",
)
# A cron thread keeps its list of databases for a minute, unless its connection is that old.
LOOK_OFTEN = ("--limit-time-worker-cron=1",)
VACUUM = "Base: Auto-vacuum internal data"


@dataclass
class Trap:
    """The sinks, the armed database, and the server that copies it.

    :param key: the API key of its administrator
    :param crons: the scheduled actions that are due, by name
    """

    fleet: HostingFleet
    mail: SmtpSink
    web: HttpSink
    box: Pop3Sink
    host_mail: SmtpSink
    source: str
    key: str
    crons: dict[str, int]

    def sinks(self) -> tuple[SmtpSink, HttpSink, Pop3Sink]:
        return self.mail, self.web, self.box

    def make_due(self, *names: str) -> None:
        """Make the actions of these databases due again, and tell the process that serves them."""
        due = list(self.crons.values())
        for name in names:
            with self.fleet.psql(name) as cr:
                cr.execute(
                    "UPDATE ir_cron SET nextcall = '2020-01-01', lastcall = NULL WHERE id = ANY(%s)",
                    [due],
                )
                cr.execute(
                    "INSERT INTO ir_cron_trigger (cron_id, call_at) "
                    "SELECT id, now() AT TIME ZONE 'utc' FROM ir_cron WHERE id = ANY(%s)",
                    [due],
                )
        self.wake(*names)

    def wake(self, *names: str) -> None:
        """Tell the processes that something is due in these databases."""
        for name in names:
            self.fleet.rows(
                "SELECT 1 FROM pg_notify('cron_trigger', %s)", name, database="postgres"
            )

    def ran(self, name: str) -> set[str]:
        """Return which of the actions of a database have run since they were made due."""
        rows = self.fleet.rows("SELECT id FROM ir_cron WHERE lastcall IS NOT NULL", database=name)
        return {label for label, number in self.crons.items() if (number,) in rows}

    def run_crons(self, *names: str, expected: set[str]) -> None:
        """Have everything run that is due; exactly the expected actions may."""
        self.make_due(*names)
        for name in names:
            self.wait_ran(name, expected)
        for name in names:
            assert self.ran(name) == expected

    def wait_ran(self, name: str, expected: set[str]) -> None:
        """Wait until these actions have run."""

        def ran() -> bool:
            self.wake(name)
            return self.ran(name) >= expected

        wait_until(ran, f"{expected} of {name} ran", every=0.3)

    def opens(self, name: str) -> tuple[bool, bool]:
        """Tell whether the password and the API key of the trap open a database."""
        answer = requests.post(
            f"http://127.0.0.1:{self.fleet.hosted.port}/web/session/authenticate",
            json={"params": {"db": name, "login": "admin", "password": PASSWORD}},
            headers={"Host": self.host(name)},
            timeout=60,
        )
        key = json2(
            self.fleet.hosted.port,
            f"{name}.localhost",
            name,
            self.key,
            "res.users",
            "search_count",
            {"domain": []},
        )
        assert key.status_code in (200, 401), key.text
        return "result" in answer.json(), key.ok

    def host(self, name: str) -> str:
        return f"{name}.localhost:{self.fleet.hosted.port}"

    def states(self, name: str) -> dict[str, int]:
        """Return how many of the trap's queued mails are in which state."""
        rows = self.fleet.rows(
            "SELECT state, count(*) FROM mail_mail m JOIN mail_message s ON s.id = "
            "m.mail_message_id WHERE s.subject LIKE 'old %%' GROUP BY 1",
            database=name,
        )
        return dict(rows)


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    with ExitStack() as stack:
        fleet = stack.enter_context(
            HostingFleet("trap", allowed=ALLOWED, hosted_options=LOOK_OFTEN)
        )
        hosting_templates.settle(fleet)
        mail, host_mail = (stack.enter_context(SmtpSink()) for _sink in range(2))
        web, box = stack.enter_context(HttpSink()), stack.enter_context(Pop3Sink())
        source = f"{postgres.prefix()}{fleet.name}_armed"
        stack.callback(postgres.drop, source)
        databases.copy(databases.template("sender"), source, fleet.data_dir)
        ports = map(str, (mail.port, web.port, box.port))
        planted = json.loads(
            fleet.script(PLANT.read_text(), *ports, PASSWORD, database=source).splitlines()[-1]
        )
        rows = fleet.rows("SELECT cron_name, id FROM ir_cron", database=source)
        crons = {name: number for name, number in rows if number in planted["crons"]}
        hosting_templates.publish(fleet, "trap", source)
        yield Trap(fleet, mail, web, box, host_mail, source, planted["key"], crons)


@pytest.fixture
def silent(trap: Trap) -> Iterator[None]:
    """Check that nobody came to the sinks of the trap during the test."""
    assert all(sink.untouched for sink in trap.sinks())
    yield
    assert [sink.received for sink in trap.sinks()] == [b"", b"", b""]
    assert all(sink.untouched for sink in trap.sinks())


def name_of(label: str) -> str:
    return f"trap-{label}-{os.getpid()}"


def test_a_plain_copy_of_the_trap_sends_everything_and_opens_with_its_secrets(trap: Trap) -> None:
    """What all the other tests are worth: the trap works."""
    plain = name_of("plain")
    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{plain}" TEMPLATE "{trap.source}"')
    trap.fleet.run("adopt", plain)
    trap.make_due(plain)
    wait_until(lambda: len(trap.mail.mails) >= 50 and trap.mail.logins, "the mails went out")
    wait_until(lambda: b"hook" in trap.web.received, "the webhook was called")
    wait_until(lambda: b"pop-secret" in trap.box.received, "the mailbox was read")
    assert sum(subject.startswith("old ") for subject in trap.mail.subjects()) == 50
    assert trap.opens(plain) == (True, True)
    quieten(trap, plain)


def quieten(trap: Trap, name: str) -> None:
    """Stop what runs in an armed database; it stays as live as any other one."""
    with trap.fleet.psql(name) as cr:
        trap.wait_ran(name, set(trap.crons))
        cr.execute("UPDATE ir_cron SET nextcall = '2099-01-01'")
        cr.execute("DELETE FROM ir_cron_trigger")
        cr.execute("UPDATE mail_mail SET state = 'outgoing'")
    for sink in trap.sinks():
        sink.forget()


@pytest.mark.usefixtures("silent")
def test_nothing_leaves_a_clone_that_waits_hidden_in_the_pool(trap: Trap) -> None:
    fleet = trap.fleet
    fleet.rows("UPDATE saas_database_template SET pool_size = 1 RETURNING id")
    fleet.rows(
        "UPDATE ir_cron SET nextcall = '2020-01-01' WHERE cron_name LIKE '%%clones ready' RETURNING id"
    )
    trap.wake(fleet.database)
    ready = "SELECT physical FROM saas_pool_clone WHERE state = 'ready'"
    wait_until(lambda: fleet.rows(ready), "a clone is ready")
    fleet.rows("UPDATE saas_database_template SET pool_size = 0 RETURNING id")
    [(hidden,)] = fleet.rows(ready)
    trap.make_due(hidden)
    assert fleet.get(hidden.replace("_", "-")).status_code == 404
    name = name_of("pool")
    done = fleet.run("create", name, {"template": "trap", "activate": False})
    assert {step["name"]: step for step in done["steps"]}["copy"]["evidence"]["pooled"] is True
    assert trap.ran(name) == set(), "nobody ran anything in a hidden database"
    trap.run_crons(name, expected={VACUUM})
    assert trap.opens(name) == (False, False)


@pytest.mark.usefixtures("silent")
def test_nothing_leaves_a_clone_that_is_not_activated(trap: Trap) -> None:
    inert, staging, copy = (name_of(label) for label in ("inert", "staging", "copy"))
    fleet = trap.fleet
    keys = [
        fleet.submit("create", inert, {"template": "trap", "activate": False}),
        fleet.submit("create", staging, {"template": "trap", "purpose": "staging"}),
        fleet.submit("duplicate", copy, {"source": name_of("plain"), "purpose": "staging"}),
    ]
    assert [fleet.wait(key)["state"] for key in keys] == ["done"] * 3
    for _again in range(2):
        trap.run_crons(inert, staging, copy, expected={VACUUM})
    for name in (inert, staging, copy):
        assert trap.opens(name) == (False, False)
        assert trap.states(name) == {"cancel": 50}
        assert fleet.get(name).status_code == 200


@pytest.mark.usefixtures("silent")
def test_a_live_clone_without_a_mail_server_of_the_host_sends_nothing(trap: Trap) -> None:
    name = name_of("live")
    trap.fleet.run("create", name, {"template": "trap"})
    trap.run_crons(name, expected=set(trap.crons))
    assert trap.opens(name) == (False, False)
    assert trap.states(name) == {"cancel": 50}


@pytest.mark.usefixtures("silent")
def test_a_live_clone_sends_its_own_new_mail_by_the_host_s_mail_server_only(trap: Trap) -> None:
    trial, copy = name_of("trial"), name_of("second")
    fleet = trap.fleet
    fleet.control.restart(
        FLEET_SMTP_HOST="127.0.0.1",
        FLEET_SMTP_PORT=str(trap.host_mail.port),
        FLEET_SMTP_USER="customer",
        FLEET_SMTP_PASSWORD="host-secret",
    )
    fleet.wait_runner()
    keys = [
        fleet.submit("create", trial, {"template": "trap", "purpose": "trial"}),
        fleet.submit("duplicate", copy, {"source": name_of("plain"), "purpose": "customer"}),
    ]
    assert [fleet.wait(key)["state"] for key in keys] == ["done"] * 2
    trap.run_crons(trial, copy, expected=set(trap.crons))
    identities = {new_identity(trap, name) for name in (trial, copy)}
    wait_until(lambda: len(trap.host_mail.mails) >= 2, "new mails arrived")
    assert trap.host_mail.logins >= 1
    assert set(trap.host_mail.subjects()) == {f"new {identity}" for identity in identities}
    for name in (trial, copy):
        assert trap.opens(name) == (False, False)
        assert trap.states(name) == {"cancel": 50}
    assert b"host-secret" not in json.dumps(fleet.status(*keys)).encode()


def new_identity(trap: Trap, name: str) -> str:
    """Return the uuid of a clone, which is not the trap's."""
    query = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    [(old,)] = trap.fleet.rows(query, database=trap.source)
    [(new,)] = trap.fleet.rows(query, database=name)
    assert new != old
    return new
