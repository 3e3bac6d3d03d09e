"""What the browser tests of the SaaS portal look at: a hoster with a server, customers and mail."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from email import message_from_string, policy
from typing import Any

from playwright.sync_api import Page
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import SaasFleet
from support.sinks import SmtpSink, wait_until

ANN = "ann@acme.example"
# Told on the screen, and in the log.
ALLOWED = (
    # Two requests of Odoo's own Discuss mark the same message as read; the server tries again.
    r'odoo\.sql_db: bad query: b.\s*UPDATE "discuss_channel_member"',
    # Somebody signs up with a name that only the server knows to be taken.
    r"odoo\.http: The name \S+ is taken",
)
END_CRON = "ir_cron_end"
ACME, BIRCH, CEDAR = (f"{label}-{os.getpid()}" for label in ("acme-co", "birch-co", "cedar-co"))


class SaasScreens(SaasFleet):
    """A portal with public plans, one hosting server, and a mail server that keeps what it gets.

    Acme pays for a database, Birch tries one, Cedar's is suspended; Ann looks after Acme's.
    """

    def __init__(self) -> None:
        super().__init__("browser_saas", source="hosted", allowed=ALLOWED)
        self.mail = SmtpSink()
        self.instances: dict[str, int] = {}
        self.partners: dict[str, int] = {}

    def __enter__(self) -> SaasScreens:
        resolve_localhost_names()
        self.mail.__enter__()
        super().__enter__()
        try:
            self._configure()
            self._sell()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            self.mail.__exit__()

    def url(self) -> str:
        """Return the portal's address."""
        return self.portal.url("portal")

    def _configure(self) -> None:
        server = {"name": "Sink", "smtp_host": "127.0.0.1", "smtp_port": self.mail.port}
        self.call("ir.mail_server", "create", vals_list=[server | {"smtp_encryption": "none"}])
        # Mails need a sender.
        company = {"name": "Northwind Hosting", "email": "hello@northwind.example"}
        # Nor is anybody outside asked who that is.
        company["iap_enrich_auto_done"] = True
        self.call("res.company", "write", ids=[1], vals=company)
        [base] = self.call("ir.config_parameter", "search", domain=[["key", "=", "web.base.url"]])
        self.call("ir.config_parameter", "write", ids=[base], vals={"value": self.url()})
        self.rows(
            "UPDATE ir_cron SET active = true, nextcall = now() WHERE id = (SELECT res_id FROM "
            "ir_model_data WHERE module = 'mail' AND name = 'ir_cron_mail_scheduler_action') "
            "RETURNING id"
        )
        users = self.call("res.users", "search", domain=[])
        # Its greeting would open a chat window over the first screen of each user.
        self.call("res.users", "write", ids=users, vals={"odoobot_state": "disabled"})
        self.call("saas.template", "write", ids=[self.template], vals={"name": "Blank Odoo"})
        plans = self.call("saas.plan", "search", domain=[])
        values = {"template_id": self.template, "other_template_ids": [[5]]}
        self.call("saas.plan", "write", ids=plans, vals=values)

    # --- customers

    def _sell(self) -> None:
        user = self.add_customer("Ann Archer", ANN, "Acme Outdoor")
        self.partners["acme"] = user
        for name, partner, plan in (
            (ACME, user, "starter"),
            (BIRCH, self.add_partner("Birch Bakery"), "pro"),
            (CEDAR, self.add_partner("Cedar Consulting"), "starter"),
        ):
            self.instances[name] = self.create(
                name, partner_id=partner, plan_id=self.plan(plan), admin_login=ANN
            )
        for instance in self.instances.values():
            self.wait_state(instance, "active")
        self.call("saas.instance", "action_suspend", ids=[self.instances[CEDAR]])
        self.wait_state(self.instances[CEDAR], "suspended")

    def plan(self, code: str) -> int:
        """Return the id of a plan."""
        return self.call("saas.plan", "search", domain=[["code", "=", code]])[0]

    def add_partner(self, name: str, **values: Any) -> int:
        """Make a company; return its id."""
        return self.call("res.partner", "create", vals_list=[{"name": name, **values}])[0]

    def add_customer(self, name: str, login: str, company: str) -> int:
        """Make a portal user whose password is the login; return the company."""
        [[group]] = self.rows(
            "SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'group_portal'"
        )
        parent = self.add_partner(company, is_company=True, email=login)
        [partner] = self.call(
            "res.partner",
            "create",
            vals_list=[{"name": name, "email": login, "parent_id": parent}],
        )
        values = {"name": name, "login": login, "password": login, "partner_id": partner}
        values["group_ids"] = [[6, 0, [group]]]
        [user] = self.call("res.users", "create", vals_list=[values])
        member = {"partner_id": parent, "user_id": user, "role": "owner"}
        self.call("saas.member", "create", vals_list=[member])
        return parent

    def instance(self, name: str) -> int:
        """Return the id of an instance."""
        return self.call("saas.instance", "search", domain=[["name", "=", name]])[0]

    def pay(self, name: str) -> None:
        """Invoice the next period of an instance's subscription, and register its payment."""
        domain = [["instance_id", "=", self.instance(name)]]
        subscriptions = self.call("saas.subscription", "search", domain=domain)
        self.call("saas.subscription", "action_invoice", ids=subscriptions)
        domain = [["saas_subscription_id", "in", subscriptions], ["payment_state", "=", "not_paid"]]
        invoices = self.call("account.move", "search", domain=domain)
        context = {"active_model": "account.move", "active_ids": invoices}
        [wizard] = self.call("account.payment.register", "create", vals_list=[{}], context=context)
        self.call("account.payment.register", "action_create_payments", ids=[wizard])

    def synchronize(self, until: Callable[[], object]) -> None:
        """Have the portal look at its server until it knows something."""

        def looked() -> object:
            self.call("saas.server", "action_synchronize", ids=list(self.records.values()))
            return until()

        wait_until(looked, "what the server has", every=0.5)

    def set_password(self, login: str) -> None:
        """Make the login the password of a user."""
        users = self.call("res.users", "search", domain=[["login", "=", login]])
        self.call("res.users", "write", ids=users, vals={"password": login})

    def end(self, name: str) -> None:
        """Have a cancelled database's last day be over."""
        self.rows(
            "UPDATE saas_instance SET end_date = current_date - 1 WHERE name = %s RETURNING id",
            name,
        )
        [[cron]] = self.rows(
            "SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND name = %s", END_CRON
        )
        self.call("ir.cron", "method_direct_trigger", ids=[cron])
        self.wait_state(self.instance(name), "archived")

    def wait_mail(self, to: str) -> str:
        """Return the text of the last mail to ``to``, waiting until there is one."""
        wait_until(lambda: self._mails(to), f"a mail to {to}")
        return self._mails(to)[-1]

    def _mails(self, to: str) -> list[str]:
        parsed = [message_from_string(mail, policy=policy.default) for mail in self.mail.mails]
        return [
            mail.get_body(("html", "plain")).get_content() for mail in parsed if to in mail["To"]
        ]


def link_in(mail: str, path: str) -> str:
    """Return the address in a mail that has ``path`` in it."""
    return re.search(rf'https?://[^\s"<>]*{path}[^\s"<>]*', mail).group()


def fits(page: Page) -> bool:
    """Tell whether nothing is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def who(page: Page) -> str:
    """Return the login of the session that the page is in."""
    asked = "{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }"
    return page.evaluate(
        f"fetch('/web/session/get_session_info', {asked})"
        ".then(answer => answer.json()).then(answer => answer.result.username)"
    )
