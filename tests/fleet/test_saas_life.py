"""From the order to the last trace: a portal and two servers that share nothing, real processes.

Real processes cannot be told another day: what the portal has dated is moved into the past instead,
and its scheduled actions run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.saas_fleet import SaasFleet
from support.sinks import SmtpSink
from support.visitors import mails, send_to, sign_up, wait_for

from fleetdev import hosted, postgres

pytestmark = pytest.mark.timeout(400)
TRIAL, GRACE, KEPT = 14, 7, 30
# The test runs the scheduled actions beside the portal's own runs of them; both try again. So does
# Odoo's queue of mails when somebody posts on the record whose mail it has just sent.
ALLOWED = (
    r"Job '.*' already executing",
    r"Failed processing mail queue",
    r"current transaction is aborted",
)
DATED = {
    "saas_subscription": ("start", "trial_end", "paid_until", "state_since", "deadline"),
    "saas_instance": ("end_date", "undelete_until", "deadline"),
    "account_move": ("saas_period_start", "saas_period_end"),
}


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def saas(sink: SmtpSink) -> Iterator[SaasFleet]:
    options = {"source": "hosted", "apart": True, "crons": ("Mail: Email Queue Manager%",)}
    with SaasFleet("saas_life", servers=("one", "two"), allowed=ALLOWED, **options) as saas:
        send_to(saas, sink)
        days = {"trial_days": TRIAL, "grace_days": GRACE, "keep_days": KEPT}
        plan = {"name": "Tiny", "code": "tiny", "template_id": saas.template, "price": 30, **days}
        saas.call("saas.plan", "create", vals_list=[plan])
        yield saas


class Life:
    """The subscription of one instance, and the mails of its customer."""

    def __init__(self, saas: SaasFleet, sink: SmtpSink, instance: int) -> None:
        self.saas, self.sink, self.instance = saas, sink, instance
        self.name = saas.read("saas.instance", instance, "name")["name"]
        [self.id] = saas.call(
            "saas.subscription", "search", domain=[("instance_id", "=", instance)]
        )
        self.told: list[str] = []

    def state(self) -> str:
        return self.saas.read("saas.subscription", self.id, "state")["state"]

    def pass_days(self, days: int) -> None:
        """Let days pass, then have the scheduled actions run twice, as they must bear it."""
        for table, columns in DATED.items():
            moved = ", ".join(f"{name} = {name} - interval '{days} days'" for name in columns)
            self.saas.rows(f"UPDATE {table} SET {moved} RETURNING id")
        # What was told is known by the day that it was about.
        self.saas.rows(
            "UPDATE saas_subscription SET reminders = (SELECT jsonb_agg(split_part(key, ':', 1) || "
            "':' || split_part(key, ':', 2)::date - %s || ':' || split_part(key, ':', 3)) "
            "FROM jsonb_array_elements_text(reminders) key) WHERE reminders IS NOT NULL "
            "RETURNING id",
            days,
        )
        for name in ("end", "subscriptions", "subscriptions", "end"):
            run_cron(self.saas, f"fleet_saas_portal.ir_cron_{name}")

    def news(self) -> list[str]:
        """Return the subjects of the mails that the customer got since the last time."""

        def sent() -> bool:
            # A run that meets somebody who posts leaves its mails to the next one.
            run_cron(self.saas, "mail.ir_cron_mail_scheduler_action")
            return not self.saas.rows("SELECT 1 FROM mail_mail WHERE state = 'outgoing'")

        wait_for(sent)
        subjects = [mail["subject"] for mail in mails(self.sink, f"{self.name}@example.com")]
        news = subjects[len(self.told) :]
        self.told = subjects
        return news

    def pay(self) -> int:
        """Have the next period invoiced and the invoice paid; return it."""
        self.saas.call("saas.subscription", "action_invoice", ids=[self.id])
        domain = [("saas_subscription_id", "=", self.id), ("payment_state", "=", "not_paid")]
        [move] = self.saas.call("account.move", "search", domain=domain)
        context = {"active_model": "account.move", "active_ids": [move]}
        [wizard] = self.saas.call(
            "account.payment.register", "create", vals_list=[{}], context=context
        )
        self.saas.call(
            "account.payment.register", "action_create_payments", ids=[wizard], context=context
        )
        return move


def run_cron(saas: SaasFleet, name: str) -> None:
    """Run a scheduled action now; once more when it is just running."""
    module, _dot, name = name.partition(".")
    query = "SELECT res_id FROM ir_model_data WHERE module = %s AND name = %s"
    [[cron]] = saas.rows(query, module, name)
    for _again in range(100):
        answer = saas.portal.ask("portal", saas.key, "ir.cron", "method_direct_trigger", ids=[cron])
        if answer.ok:
            return
        time.sleep(0.2)
    answer.raise_for_status()


def begin(saas: SaasFleet, sink: SmtpSink, name: str) -> tuple[Life, object]:
    visitor, instance = sign_up(saas, sink, "tiny", name)
    life = Life(saas, sink, instance)
    # To confirm the address, to say that the database is there, and to choose a password here.
    assert (life.state(), len(life.news())) == ("trial", 3), life.told
    assert life.told[1] == f"Your database {name} is ready"
    return life, visitor


def where(saas: SaasFleet, name: str) -> dict[str, bool]:
    """Tell in the PostgreSQL of which server there is a database of this very name."""
    found = {}
    for label, server in saas.servers.items():
        with server.reached():
            found[label] = postgres.exists(name)
    return found


def test_it_is_reminded_suspended_and_back_when_it_is_paid(saas: SaasFleet, sink: SmtpSink) -> None:
    life, _visitor = begin(saas, sink, "bakery")
    label = server_of(saas, life.instance)
    assert where(saas, "bakery") == {each: each == label for each in saas.servers}
    assert not postgres.exists("bakery"), "the portal's own PostgreSQL has no part in it"
    for days in (7, 4, 2):
        life.pass_days(days)
        assert life.news() == ["The trial of bakery ends soon"]
    life.pass_days(1)
    assert (life.state(), life.news()) == ("grace", ["The trial of bakery has ended"])
    assert saas.servers[label].get("bakery").status_code == 200
    life.pass_days(GRACE)
    assert (life.state(), life.news()) == ("suspended", ["bakery is suspended"])
    saas.wait_state(life.instance, "suspended")
    assert where(saas, "bakery") == dict.fromkeys(saas.servers, False), "it is hidden"
    page = saas.servers[label].get("bakery")
    assert page.status_code == 503 and "suspended" in page.text.lower()
    life.pass_days(KEPT // 2)
    assert life.news() == []
    life.pay()
    saas.wait_state(life.instance, "active")
    assert (life.state(), life.news()) == ("active", [])
    assert where(saas, "bakery")[label]
    assert saas.servers[label].get("bakery").status_code == 200
    run_cron(saas, "fleet_saas_portal.ir_cron_audit")
    assert saas.rows("SELECT kind FROM saas_audit_line") == []


def server_of(saas: SaasFleet, instance: int) -> str:
    record = saas.read("saas.instance", instance, "server_id")["server_id"][0]
    return next(label for label, known in saas.records.items() if known == record)


def test_who_leaves_leaves_nothing_behind_but_the_invoices(saas: SaasFleet, sink: SmtpSink) -> None:
    life, visitor = begin(saas, sink, "leaver")
    server = saas.servers[server_of(saas, life.instance)]
    invoice = life.pay()
    uuid = saas.read("saas.instance", life.instance, "uuid")["uuid"]
    page = f"/my/databases/{uuid}"
    assert visitor.send(page, f"{page}/cancel", name="leaver").status_code == 200
    life.pass_days(TRIAL)
    assert server.get("leaver").status_code == 200, "it is paid until the end"
    life.pass_days(29)
    life.pass_days(5)
    saas.wait_state(life.instance, "archived")
    assert (life.state(), life.news()) == ("closed", [])
    assert server.get("leaver").status_code in (404, 503)
    life.pass_days(KEPT + 1)
    assert "undelete" not in visitor.get(page).text, "the days to bring it back are over"
    vals = {"instance_id": life.instance, "kind": "delete", "typed": "leaver"}
    [wizard] = saas.call("saas.instance.wizard", "create", vals_list=[vals])
    saas.call("saas.instance.wizard", "action_submit", ids=[wizard])
    saas.wait_state(life.instance, "deleted")
    assert_gone(saas, "leaver", uuid)
    final = "SELECT b.reason, b.state FROM saas_backup b JOIN saas_database d ON d.id = database_id"
    assert server.rows(f"{final} WHERE d.uuid = %s", uuid) == [("final", "verified")]
    kept = saas.read("account.move", invoice, "state", "amount_untaxed", "partner_id")
    assert (kept["state"], kept["amount_untaxed"]) == ("posted", 30)
    assert "INV/" in visitor.get("/my/invoices").text


def assert_gone(saas: SaasFleet, name: str, uuid: str) -> None:
    """Check that no server has anything of a database but its record and its backups."""
    for server in saas.servers.values():
        rows = server.rows("SELECT state, physical FROM saas_database WHERE uuid = %s", uuid)
        assert rows in ([], [("dropped", None)])
        with server.reached():
            names = set(hosted.marks()) | set(postgres.names())
        assert not [each for each in names if name in each]
        known = {row[0] for row in server.rows("SELECT physical FROM saas_database")}
        folders = {path.name for path in (server.data_dir / "filestore").iterdir()}
        left = folders - known - {server.database}
        assert not [each for each in left if not each.startswith("fleet_t_")]
        assert server.get(name).status_code == 404
