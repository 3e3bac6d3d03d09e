from datetime import timedelta
from urllib.parse import quote

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .saas_instance import GONE

MAX_STAGING = 2  # copies that customers make for themselves, a database
MAX_BACKUPS = 5  # that customers ask for, a database and day
PLENTY = 80  # percent of a limit from which on it is shown as nearly full
LONGEST = 42  # characters of a name
KEEP_DAYS = 30  # of a database without a plan, such as a staging copy
IN_ORDER = ("trial", "active")  # states of a subscription that owes nothing


class SaasInstance(models.Model):
    """What a customer sees of a database, and what they may ask for it.

    Nothing here asks who it is: callers come through ``_find_for_user``.
    """

    _inherit = "saas.instance"

    end_date = fields.Date(
        "Cancelled For", readonly=True, copy=False, tracking=True, index="btree_not_null"
    )
    end_in_order = fields.Boolean(
        readonly=True, copy=False, export_string_translation=False, help="Nothing was owed then."
    )
    undelete_until = fields.Date(
        "Can Be Brought Back Until",
        readonly=True,
        copy=False,
        help="By the customer, who has cancelled it; operators can as long as the server has it.",
    )

    # --- what they see

    def _get_state_words(self):
        """Return the state in a sentence for people who do not operate databases."""
        self.ensure_one()
        if self.state == "active" and self.end_date:
            return self.env._("It works. You have cancelled it; it ends soon.")
        words = {
            "draft": self.env._("It has been ordered and is not there yet."),
            "creating": self.env._("It is being created; that takes a minute."),
            "active": self.env._("It works."),
            "suspended": self.env._("It is suspended: nobody can open it. Nothing is lost."),
            "moving": self.env._("It is being moved to another server and is back soon."),
            "archived": self.env._("It has ended: nobody can open it."),
            "failed": self.env._("It could not be created. We have been told."),
            "deleted": self.env._("It is deleted."),
        }
        return words[self.state]

    def _get_state_style(self):
        """Return the colour of the state's badge, as Bootstrap calls it."""
        self.ensure_one()
        styles = {"active": "success", "creating": "info", "moving": "info"}
        return styles.get(self.state, "secondary" if self.state == "draft" else "warning")

    def _get_customer_url(self):
        """Return the path of the customer's page, False before the server has given an identity."""
        self.ensure_one()
        return bool(self.uuid) and f"/my/databases/{quote(self.uuid, safe='')}"

    def _get_operation_words(self):
        """Return what is being done for it right now, "" for nothing."""
        self.ensure_one()
        request = self.request_id
        if not request:
            return ""
        words = {
            "backup": self.env._("A backup is being taken."),
            "restore_as": self.env._("A copy is being made of a backup."),
            "archive": self.env._("It is being closed."),
            "undelete": self.env._("It is being brought back."),
        }
        return words.get(request.kind) or self.env._("Your provider is working on it.")

    def _get_usage(self):
        """Return what is used of each limit.

        :return: ``{"name", "used", "most", "percent", "style"}`` of each; without a limit ``most``
            is 0 and ``percent`` None
        """
        self.ensure_one()
        figures = (
            (self.env._("Users"), self.user_count, self.max_users),
            (self.env._("Storage (MB)"), self.storage_mb, self.max_storage_mb),
        )
        return [self._prepare_usage(*figure) for figure in figures]

    def _prepare_usage(self, name, used, most):
        percent = min(100, used * 100 // most) if most else None
        style = "success"
        if most and percent >= PLENTY:
            style = "danger" if used >= most else "warning"
        return {"name": name, "used": used, "most": most, "percent": percent, "style": style}

    def _get_backups(self):
        """Return the backups that a customer may choose from, the newest first.

        :return: ``{"id": its number on the server, "date": datetime UTC, "bytes": int}`` of each;
            here none, the inventory's are added where points are known
        """
        return []

    # --- what they pay

    def _get_subscription(self):
        """Return the subscription of this instance, None where there is none."""
        self.ensure_one()
        Subscription = self.env.get("saas.subscription")
        if Subscription is None:
            return None
        return Subscription.sudo().search([("instance_id", "=", self.id)], limit=1) or None

    def _get_invoices(self, everything=False):
        """Return the last invoices of this instance, or of its customer; who asks is not checked.

        :param bool everything: those for other databases of the customer too
        """
        self.ensure_one()
        Move = self.env["account.move"]
        customer = self.partner_id.commercial_partner_id
        if everything and customer:
            owner = Domain("commercial_partner_id", "=", customer.id)
        elif subscription := self._get_subscription():
            owner = Domain("id", "in", subscription.invoice_ids.ids)
        else:
            return Move
        posted = Domain("state", "=", "posted")
        kinds = Domain("move_type", "in", ("out_invoice", "out_refund"))
        return Move.search(owner & posted & kinds, order="invoice_date DESC, id DESC", limit=12)

    @api.model
    def _get_invoice_url(self, invoice):
        """Return the address of an invoice; an owner who is no contact of the customer needs the key.

        Looking makes no key: it is there as soon as the invoice was sent.
        """
        return invoice.get_portal_url() if invoice.access_token else invoice.access_url

    # --- what they do

    def _restore_staging(self, backup):
        """Have a backup restored as a staging copy beside this database; return the copy.

        :param str backup: the number of one of ``_get_backups``
        :raises UserError: it is none of them, or there are enough copies
        """
        self.ensure_one()
        point = self._find_backup(backup)
        # Not of one that is suspended: its copy would be on the air.
        self._check_state("active")
        copies = self.child_ids.filtered(lambda each: each.state not in GONE)
        if len(copies) >= MAX_STAGING:
            raise UserError(
                self.env._("%s has staging copies enough: cancel one of them first.", self.name)
            )
        try:
            with self.env.cr.savepoint():
                staging = self._copy_database(self._get_staging_name(), backup=point)
        except UniqueViolation as error:
            # Somebody else has begun one since this transaction looked for a name.
            raise UserError(
                self.env._("Another copy of %s has just been begun; look at the list.", self.name)
            ) from error
        staging.user_id = self.user_id
        # Who looks after the database looks after its copy.
        self.env["saas.member"].create(
            [{**member._prepare_copy(), "instance_id": staging.id} for member in self.member_ids]
        )
        return staging

    def _back_up_for_customer(self):
        """Have a backup taken, not more often a day than a person needs: each takes room."""
        self.ensure_one()
        since = fields.Datetime.now() - timedelta(days=1)
        asked = self.request_ids.filtered(
            lambda each: each.kind == "backup" and each.user_id.share and each.create_date > since
        )
        if len(asked) >= MAX_BACKUPS:
            raise UserError(
                self.env._(
                    "The limit of backups that are asked for is reached: %(number)s a day. "
                    "Try again tomorrow.",
                    number=MAX_BACKUPS,
                )
            )
        self.action_backup()

    def _find_backup(self, backup):
        if backup not in [each["id"] for each in self._get_backups()]:
            raise UserError(self.env._("This backup is not there any more; choose another one."))
        return self.point_ids.filtered(lambda x: x.kind == "backup" and x.code == backup)

    def _get_staging_name(self):
        same = self.with_context(active_test=False).search([("server_id", "=", self.server_id.id)])
        taken = set(same.mapped("name"))
        for number in range(1, 100):
            ending = "-staging" if number == 1 else f"-staging{number}"
            name = self.name[: LONGEST - len(ending)].rstrip("-") + ending
            if name not in taken:
                return name
        raise UserError(self.env._("%s has had staging copies enough.", self.name))

    def _get_end_date(self):
        """Return the last day of the database if it were cancelled now."""
        self.ensure_one()
        today = fields.Date.context_today(self)
        return max(self._get_paid_until() or today, today)

    def _cancel(self, typed):
        """Let the database end with what is paid; today when nothing is.

        :param str typed: its name, as the customer typed it
        :raises UserError: the name is another one, or it has ended
        """
        self.ensure_one()
        if (typed or "").strip() != self.name:
            raise UserError(self.env._("Type the name “%s” to cancel it.", self.name))
        self._check_state("active", "suspended")
        if self.end_date:
            raise UserError(self.env._("%s is cancelled already.", self.name))
        self.write({"end_date": self._get_end_date(), "end_in_order": self._is_in_order()})
        self.message_post(body=self.env._("The customer has cancelled it for %s.", self.end_date))
        copies = self.child_ids.filtered(lambda each: each.state in ("active", "suspended"))
        copies.write({"end_date": self.end_date, "end_in_order": True})
        if self.end_date <= fields.Date.context_today(self):
            self._ask("archive", {}, "active", "suspended")

    def _is_in_order(self):
        """Tell whether it runs and is paid or on trial: only then it may be brought back."""
        subscription = self._get_subscription()
        return self.state == "active" and (not subscription or subscription.state in IN_ORDER)

    def _keep(self):
        """Take a cancellation back: before its day, or after it within the grace period."""
        self.ensure_one()
        if self.state == "archived":
            if not self._can_undelete():
                raise UserError(self.env._("%s cannot be brought back; ask us.", self.name))
            self._ask("undelete", {}, "archived")
            return
        self._check_state("active", "suspended")
        if not self.end_date:
            raise UserError(self.env._("%s is not cancelled.", self.name))
        self._check_quiet()
        copies = self.child_ids.filtered(
            lambda each: each.state in ("active", "suspended") and each.end_date == self.end_date
        )
        (self | copies).end_date = False

    def _can_undelete(self):
        """Tell whether its customer may bring it back."""
        self.ensure_one()
        today = fields.Date.context_today(self)
        return (
            self.state == "archived"
            and not self.is_deleting
            and bool(self.undelete_until)
            and self.undelete_until >= today
        )

    def _apply_archive(self, request):
        # What was suspended or owed is not had back by cancelling and undoing it.
        if self.end_date and self.end_in_order and self.state == "active":
            days = timedelta(days=self.plan_id.keep_days if self.plan_id else KEEP_DAYS)
            self.undelete_until = fields.Date.context_today(self) + days
        return super()._apply_archive(request)

    def _apply_undelete(self, request):
        self.write({"end_date": False, "undelete_until": False})
        return super()._apply_undelete(request)

    @api.model
    def _cron_end(self):
        """Close the databases whose last day is over; one that fails holds up no other."""
        today = fields.Date.context_today(self)
        ended = self.search(
            [("end_date", "<", today), ("state", "in", ("active", "suspended"))], order="end_date"
        )
        for instance in ended.filtered(lambda each: not each.request_id):
            try:
                with self.env.cr.savepoint():
                    instance._ask("archive", {}, "active", "suspended")
            except UserError as error:
                instance.problem = str(error)
