from datetime import timedelta

from freezegun import freeze_time

from odoo import fields

from .common import SaasCase


class SubscriptionCase(SaasCase):
    """A company with accounts, and a customer who can be written to, at a day that stands still."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        company = cls.env.company
        if not company.chart_template:
            cls.env["account.chart.template"].try_loading(
                "generic_coa", company=company, install_demo=False
            )
        cls.plan.write({"price": 30, "trial_days": 14, "grace_days": 7, "keep_days": 30})
        cls.partner.email = "acme@example.com"
        cls.big = cls.env["saas.plan"].create(
            {
                "name": "Big",
                "code": "big",
                "template_id": cls.template.id,
                "price": 90,
                "trial_days": 0,
            }
        )

    def setUp(self):
        super().setUp()
        self.go_to("2027-01-01")

    def go_to(self, day):
        """Have it be ``day`` (a date or its ISO text) from now on."""
        frozen = freeze_time(f"{day} 09:00:00")
        frozen.start()
        self.addCleanup(frozen.stop)
        self.env.invalidate_all()

    def go_on(self, days):
        """Have it be some days later."""
        self.go_to(fields.Date.today() + timedelta(days=days))

    def subscribe(self, name="acme", **values):
        """Return the subscription of a database that the server has made."""
        return self.make_active(name, **values).subscription_id

    def paying(self, name="acme", **values):
        """Return a subscription whose first month, from today on, is paid."""
        self.plan.trial_days = 0
        subscription = self.subscribe(name, **values)
        subscription.action_invoice()
        self.pay(subscription._get_open_invoice())
        return subscription

    def run_cron(self, name="ir_cron_subscriptions", times=2):
        """Run a scheduled action as the scheduler does; twice, as it must bear it."""
        for _time in range(times):
            with self.enter_registry_test_mode():
                result = self.env.ref(f"fleet_saas_portal.{name}").method_direct_trigger()
            self.assertIs(result, True)
            self.env.invalidate_all()
            # The job had a cursor of its own: this one does not know the numbers it has used.
            self.env["account.move"]._get_sequence_cache().clear()

    def pay(self, invoice, amount=None):
        """Register a payment of the invoice, all of it unless told otherwise."""
        wizard = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=invoice.ids
        )
        values = {"amount": amount} if amount else {}
        wizard.create(values)._create_payments()
        self.env.invalidate_all()

    def mails(self, subscription):
        """Return the subjects of the mails about a subscription, the oldest first."""
        found = self.env["mail.mail"].search(
            [("model", "=", "saas.subscription"), ("res_id", "=", subscription.id)], order="id"
        )
        return found.mapped("subject")

    def asked(self, instance):
        """Return the kinds of what the server was asked for after the creation."""
        kinds = instance.request_ids.sorted("id").mapped("kind")
        return [kind for kind in kinds if kind not in ("create", "document")]
