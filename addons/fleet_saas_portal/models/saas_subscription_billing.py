from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..billing import period_end, unused

PAID = ("paid", "in_payment")


class SaasSubscription(models.Model):
    """Invoices: of the next period, and of what a change of plan costs or gives back."""

    _inherit = "saas.subscription"

    # --- the next period

    def _get_open_invoice(self):
        """Return the invoice of a period that is not paid yet; there is one at most."""
        return self.sudo().invoice_ids.filtered(
            lambda move: (
                move.saas_kind == "period"
                and move.state != "cancel"
                and move.payment_state not in (*PAID, "reversed")
            )
        )[:1]

    def action_invoice(self):
        """Invoice the next period now; a trial becomes a paid subscription when it is paid."""
        self.check_access("write")
        for subscription in self:
            if subscription.state == "closed":
                raise UserError(self.env._("The subscription of %s is closed.", subscription.name))
            subscription.sudo()._make_invoice()

    def _make_invoice(self):
        """Return the posted invoice of the next period; the open one while there is one."""
        self.ensure_one()
        if known := self._get_open_invoice():
            return known
        start = self._get_next_start()
        end = period_end(start, self.period, self.anchor_day)
        line = self._prepare_line(self.plan_id, self.price, start, end)
        move = self._make_move(
            "out_invoice", [line], saas_kind="period", saas_period_start=start, saas_period_end=end
        )
        self._send_invoice(move)
        return move

    def _get_next_start(self):
        """Return the first day of the next period: whoever is off the air pays from today on."""
        end = self._get_end()
        return max(end, fields.Date.today()) if self.state == "suspended" else end

    def _prepare_line(self, plan, amount, start, end):
        """Return the values of an invoice line for ``plan`` from ``start`` to before ``end``."""
        lang = {"lang_code": self.partner_id.lang}
        name = self.env._(
            "%(plan)s, %(instance)s: %(start)s to %(end)s",
            plan=plan.with_context(lang=self.partner_id.lang).name,
            instance=self.name,
            start=format_date(self.env, start, **lang),
            end=format_date(self.env, fields.Date.subtract(end, days=1), **lang),
        )
        return {"product_id": plan._get_product().id, "name": name, "price_unit": amount}

    def _make_move(self, move_type, lines, **values):
        """Return a posted invoice or credit note with ``lines``."""
        if not self.partner_id:
            raise UserError(self.env._("%s has no customer to invoice.", self.name))
        Move = self.env["account.move"].sudo().with_company(self.company_id)
        invoiced = self.partner_id.address_get(["invoice"])["invoice"]
        move = Move.with_context(lang=self.partner_id.lang or self.env.lang).create(
            {
                "move_type": move_type,
                "partner_id": invoiced,
                "currency_id": self.currency_id.id,
                "company_id": self.company_id.id,
                "invoice_date": fields.Date.today(),
                "invoice_user_id": self.user_id.id,
                "saas_subscription_id": self.id,
                "invoice_line_ids": [Command.create(line) for line in lines],
                **values,
            }
        )
        move.action_post()
        self.message_post(body=self.env._("Invoiced: %s", move.name))
        return move

    def _send_invoice(self, move):
        """Have Odoo's own job make the PDF and mail it, with the link to pay."""
        if move.partner_id.email:
            author = self.env.user
            move.sending_data = {
                "author_user_id": author.id,
                "author_partner_id": author.partner_id.id,
            }
            self.env.ref("account.ir_cron_account_move_send").sudo()._trigger()

    def _shift_open_invoice(self, start):
        """Have the period that is invoiced and not paid begin on ``start``."""
        if move := self._get_open_invoice():
            end = period_end(start, self.period)
            move.write({"saas_period_start": start, "saas_period_end": end})

    def _is_free(self):
        return self.currency_id.is_zero(self.price)

    def _move_free(self):
        """Renew what costs nothing, for as many periods as have passed."""
        end, today = self._get_end(), fields.Date.today()
        anchor = self.anchor_day or end.day
        end = period_end(end, self.period, anchor)
        while end <= today:
            end = period_end(end, self.period, anchor)
        self.write({"paid_until": end, "anchor_day": anchor})
        if self.state != "active":
            self._set_state("active", self.env._("It costs nothing."))

    # --- payment

    def _count_paid(self):
        """Count the paid invoices that no hook has told of, such as those paid before a crash."""
        for move in self.invoice_ids:
            self._count(move)

    def _count(self, move):
        """Move *Paid Until* on for the paid invoice ``move`` of a period, once."""
        self.ensure_one()
        if move.saas_kind != "period" or move.saas_is_counted or move.payment_state not in PAID:
            return
        start, end = move.saas_period_start, move.saas_period_end
        today = fields.Date.today()
        if self.state in ("suspended", "closed") and start < today:
            # Nobody pays for days off the air.
            start, end = today, period_end(today, self.period)
        move.write({"saas_is_counted": True, "saas_period_start": start, "saas_period_end": end})
        anchor = self.anchor_day if start == self.paid_until else 0
        self.write(
            {
                "paid_until": max(self.paid_until or end, end),
                "anchor_day": anchor or start.day,
                "problem": False,
            }
        )
        self._resume_paid(move)

    def _resume_paid(self, move):
        """Have the subscription active again after a payment, if there is a database to pay for."""
        if self.state == "active" or self.paid_until <= fields.Date.today():
            return
        if self.instance_id.state in ("failed", "deleted"):
            self.activity_schedule(
                "mail.mail_activity_data_todo",
                user_id=self.instance_id._get_responsible().id,
                summary=self.env._("%s was paid, and its database is gone", move.name),
            )
            return
        self._set_state("active", self.env._("%s is paid.", move.name))

    # --- change of plan

    def _prepare_change(self, plan):
        """Return what the days that are paid and not used are worth in both plans.

        :return: ``credit`` for the plan that is left, ``charge`` for ``plan``; without taxes
        """
        self.ensure_one()
        today, until = fields.Date.today(), self.paid_until
        if self.state not in ("active", "grace") or not until or until <= today:
            return {"credit": 0.0, "charge": 0.0}
        credit = self.price * unused(today, until, self.period, self.anchor_day)
        charge = self._get_plan_price(plan) * unused(today, until, plan.period, self.anchor_day)
        credit, charge = self.currency_id.round(credit), self.currency_id.round(charge)
        # Days given by an extension are no money: never more back than was paid for them.
        back = min(credit - charge, self._get_paid_ahead())
        return {"credit": charge + back if credit > charge else credit, "charge": charge}

    def _get_paid_ahead(self):
        """Return the amount without taxes that days which are not over have cost until now.

        The periods that were paid, and what changes of plan since have added or given back.
        """
        today, moves = fields.Date.today(), self.sudo().invoice_ids
        periods = moves.filtered(lambda x: x.saas_is_counted and x.saas_period_end > today)
        if not periods:
            return 0.0
        since = min(periods.mapped("invoice_date"))
        changes = moves.filtered(
            lambda x: x.saas_kind == "change" and x.state == "posted" and x.invoice_date >= since
        )
        total = sum(periods.mapped("amount_untaxed"))
        return total + sum(changes.mapped("amount_untaxed_in_currency_signed"))

    def _change_plan(self, plan):
        """Have the instance go to ``plan`` now; `_take_plan` is what it costs."""
        self.ensure_one()
        if plan == self.plan_id:
            raise UserError(
                self.env._(
                    "%(name)s has the plan %(plan)s already.", name=self.name, plan=plan.name
                )
            )
        self.instance_id.plan_id = plan

    def _take_plan(self, plan):
        """Follow the instance to ``plan``: invoice or credit the difference, tell the customer.

        What is invoiced and not paid is credited, and invoiced at the new price.

        :raises UserError: the open invoice is paid in part, or it is another company's plan
        """
        self.ensure_one()
        self._check_change(plan)
        figures, old, unpaid = self._prepare_change(plan), self.plan_id, self._get_open_invoice()
        if self.state != "closed":
            self._take_back(unpaid, self.env._("The plan has changed: instead of %s", unpaid.name))
            self._make_change_move(plan, figures)
        self.plan_id = plan
        self.message_post(body=self.env._("Plan: %(old)s → %(new)s", old=old.name, new=plan.name))
        if self.state != "closed":
            self._send_mail("mail_template_plan_changed")
            if unpaid and not self._is_free():
                self._make_invoice()
        self.instance_id._subscription_changed()

    def _check_change(self, plan):
        if not plan:
            raise UserError(self.env._("%s has a subscription: it needs a plan.", self.name))
        if plan.company_id != self.company_id:
            raise UserError(self.env._("%s is a plan of another company.", plan.name))
        open_invoice = self._get_open_invoice()
        if open_invoice.payment_state == "partial":
            raise UserError(
                self.env._("%s is paid in part: have the rest paid first.", open_invoice.name)
            )

    def _take_back(self, move, ref):
        """Credit the unpaid invoice ``move``, for the reason ``ref``; none is fine too."""
        if move.state == "draft":
            move.button_cancel()
        elif move:
            move._reverse_moves([{"invoice_date": fields.Date.today(), "ref": ref}], cancel=True)

    def _take_back_after(self, last):
        """Credit what is invoiced, not paid, and begins after ``last``, the database's last day."""
        for subscription in self:
            move = subscription._get_open_invoice()
            if not move or move.payment_state == "partial" or move.saas_period_start <= last:
                continue
            subscription._take_back(move, self.env._("Cancelled: instead of %s", move.name))

    def _make_change_move(self, plan, figures):
        """Return the invoice or the credit note of the difference, an empty one when there is none."""
        total = figures["charge"] - figures["credit"]
        if self.currency_id.is_zero(total):
            return self.env["account.move"]
        sign = 1 if total > 0 else -1
        today, until = fields.Date.today(), self.paid_until
        lines = [
            self._prepare_line(plan, sign * figures["charge"], today, until),
            self._prepare_line(self.plan_id, -sign * figures["credit"], today, until),
        ]
        kind = "out_invoice" if sign > 0 else "out_refund"
        move = self._make_move(kind, [x for x in lines if x["price_unit"]], saas_kind="change")
        if kind == "out_refund":
            self._set_off(move)
        self._send_invoice(move)
        return move

    def _set_off(self, credit):
        """Take a credit note off what earlier changes of plan have cost and nobody has paid yet."""
        owed = self.sudo().invoice_ids.filtered(
            lambda move: (
                (move.saas_kind, move.move_type, move.state) == ("change", "out_invoice", "posted")
                and move.partner_id == credit.partner_id
                and move.payment_state in ("not_paid", "partial")
            )
        )
        if not owed:
            return
        lines = (owed | credit).line_ids.filtered(
            lambda line: line.account_type == "asset_receivable" and not line.reconciled
        )
        for same_account in lines.grouped("account_id").values():
            same_account.reconcile()

    @api.model
    def _get_uncounted_domain(self):
        """Return the paid invoices of periods that have not moved *Paid Until* yet."""
        return [
            ("saas_kind", "=", "period"),
            ("saas_is_counted", "=", False),
            ("state", "=", "posted"),
            ("payment_state", "in", PAID),
        ]
