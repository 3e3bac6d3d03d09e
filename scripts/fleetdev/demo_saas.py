"""What the demo sells: its hosting server, a template, plans, and customers who have signed up."""

import time
import uuid

from . import console, demo_sync, parallel, postgres
from .demo_fleet import CUSTOMERS, HOSTER, TEMPLATE, TEMPLATE_DESCRIPTION
from .demo_server import LABEL
from .demo_visitor import Visitor

PASSWORD = "customer"
# Odoo's scheduled actions that send mails, and invoices by mail with a PDF.
SENDING = ("ir_cron_mail_scheduler_action", "ir_cron_account_move_send")
TOLD_S = 120
POLL_S = 0.3


def hold_mails(demo):
    """Let mails wait in the portal, where people can read them: nobody would take them here."""
    with postgres.cursor(demo.database("portal")) as cr:
        cr.execute(
            "UPDATE ir_cron SET active = false WHERE id IN (SELECT res_id FROM ir_model_data "
            "WHERE model = 'ir.cron' AND name = ANY(%s))",
            [list(SENDING)],
        )


def customers(demo):
    """Return the customers, with the name that each one's database has."""
    return [each | {"name": demo.hosting.hosted_name(each["label"])} for each in CUSTOMERS]


def sell(demo):
    """Register the server in the portal, offer its template, and have the customers sign up."""
    shop = Shop(demo)
    with console.step("Registering the hosting server in the portal"):
        shop.open()
    people = customers(demo)
    with console.step(f"Signing up {len(people)} customers, as visitors would"):
        parallel.run(*(lambda each=each: shop.sign_up(each) for each in people))
    for each in people:
        if each["pays"]:
            with console.step(f"Invoicing {each['company']}, and paying the invoice"):
                shop.pay(each)


class Shop:
    """The SaaS app of the portal, as its operator uses it."""

    def __init__(self, demo):
        self._demo = demo
        self._portal = demo_sync.Portal(demo)
        self.call = self._portal.call

    # --- before anybody comes

    def open(self):
        """Enter what an operator enters once: the address, the server, the template, the plans."""
        parameters = {
            # Nobody who looks at the demo by another address shall make databases be told of it.
            "web.base.url": self._demo.url("portal"),
            "web.base.url.freeze": "True",
            "database.uuid": str(uuid.uuid4()),
        }
        for name, value in parameters.items():
            self.call("ir.config_parameter", "set_param", name, value)
        server = self._add_server()
        template = self._add_template(server)
        self.call("saas.server", "action_synchronize", [server])
        plans = self.call("saas.plan", "search", [])
        values = {"template_id": template, "other_template_ids": [[5, 0, 0]]}
        self.call("saas.plan", "write", plans, values)

    def _add_server(self):
        values = {
            "name": HOSTER,
            "url": self._demo.url(LABEL),
            "database": self._demo.hosting.database,
            "api_key": self._demo.hosting.key,
        }
        [server] = self.call("saas.server", "create", [values])
        return server

    def _add_template(self, server):
        values = {
            "name": "Accounting",
            "code": TEMPLATE,
            "sequence": 1,
            "description": TEMPLATE_DESCRIPTION,
            "line_ids": [[0, 0, {"server_id": server}]],
        }
        [template] = self.call("saas.template", "create", [values])
        return template

    # --- customers

    def sign_up(self, customer):
        """Have a visitor become a customer, and give him the password that the demo tells."""
        Visitor(self._demo.url("portal")).sign_up(customer, self.read_mail)
        users = self.call("res.users", "search", [["login", "=", customer["email"]]])
        self.call("res.users", "write", users, {"password": PASSWORD})

    def read_mail(self, email):
        """Return the text of the last mail to an address; it waits for a mail server."""
        mails = self.call(
            "mail.mail",
            "search_read",
            [["email_to", "=", email]],
            ["body_html"],
            limit=1,
            order="id DESC",
        )
        if not mails:
            raise console.Failure(f"The portal has not written to {email}")
        return mails[0]["body_html"]

    def pay(self, customer):
        """Have a customer's next period invoiced, note that it was paid, and his database told."""
        [subscription] = self.call("saas.subscription", "search", [["name", "=", customer["name"]]])
        self.call("saas.subscription", "action_invoice", [subscription])
        invoices = self.call(
            "account.move", "search", [["saas_subscription_id", "=", subscription]]
        )
        context = {"active_model": "account.move", "active_ids": invoices}
        [payment] = self.call("account.payment.register", "create", [{}], context=context)
        self.call("account.payment.register", "action_create_payments", [payment])
        self._wait_told(customer["name"])

    def _wait_told(self, name):
        told = [["kind", "=", "document"], ["target", "=", name], ["state", "=", "done"]]
        end = time.monotonic() + TOLD_S
        while not self.call("saas.request", "search_count", told):
            if time.monotonic() > end:
                raise console.Failure(f"After {TOLD_S} s {name} was not told that it is paid")
            time.sleep(POLL_S)
