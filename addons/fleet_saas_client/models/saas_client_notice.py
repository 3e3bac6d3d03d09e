from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.tools import SQL, format_date

# A trial with so many days left, today included, is not put out of sight any more.
PRESSING_DAYS = 4
LEVELS = {"trial": "info", "news": "info", "maintenance": "warning", "warning": "danger"}


class SaasClient(models.AbstractModel):
    """What people are told on top of every page."""

    _inherit = "saas.client"

    @api.model
    def _get_banner(self):
        """Return what the web client shows, None where nobody has signed for the database.

        Shape: ``{"notices": [{"id", "kind", "level", "text", "link", "link_text",
        "dismissible"}]}``. ``level`` is ``info``, ``warning`` or ``danger``; one with the same id
        that was dismissed stays away.
        """
        standing = self._get_standing()
        if not standing.is_enforced:
            return None
        found = [*self._get_state_notices(standing), *self._get_signed_notices(standing)]
        if self.env.user._is_system():
            found += [*self._get_users_notices(standing), *self._get_storage_notices(standing)]
        return {"notices": found}

    @api.model
    def _prepare_notice(self, standing, key, kind, text, **values):
        link = self._get_upgrade_link(standing)
        return {
            "id": key,
            "kind": kind,
            "level": LEVELS.get(kind, "info"),
            "text": text,
            "link": link,
            "link_text": self.env._("Change the plan") if link else "",
            "dismissible": False,
            **values,
        }

    @api.model
    def _get_state_notices(self, standing):
        if standing.error:
            if self.env.user._is_system():
                text = self.env._(
                    "What your provider has signed for this database cannot be verified: %s Until "
                    "it can, no user or app can be added.",
                    self._explain(standing.error),
                )
                yield self._prepare_notice(standing, "unverified", "warning", text)
            return
        state, ends = standing.document.state.value, standing.document.ends
        if state == "trial" and ends:
            yield self._prepare_trial_notice(standing, ends)
        elif state == "grace":
            text = self.env._("Your subscription has ended. Renew it to keep this database open.")
            if ends:
                text = self.env._(
                    "Your subscription has ended. Renew it by %s to keep this database open.",
                    format_date(self.env, ends),
                )
            values = {"link_text": self.env._("Renew")}
            yield self._prepare_notice(standing, "grace", "warning", text, **values)
        elif state == "suspended":
            text = self._get_suspended_text()
            yield self._prepare_notice(standing, "suspended", "warning", text)

    @api.model
    def _prepare_trial_notice(self, standing, ends):
        # Today counts: a trial of 15 days has 15 on its first day, as its plan promises.
        days = (ends - fields.Date.context_today(self)).days + 1
        if days > 1:
            text = self.env._("Your trial has %s days left, today included.", days)
        elif days == 1:
            text = self.env._("Today is the last day of your trial.")
        else:
            text = self.env._("Your trial has ended.")
        pressing = days <= PRESSING_DAYS
        return self._prepare_notice(
            standing,
            # It comes back every day, even to who has put it away.
            f"trial-{days}",
            "trial",
            text,
            level="warning" if pressing else "info",
            dismissible=not pressing,
            link_text=self.env._("Choose a plan") if self._get_upgrade_link(standing) else "",
        )

    @api.model
    def _get_signed_notices(self, standing):
        now = fields.Datetime.now()
        for notice in standing.document.notices if standing.document else ():
            if notice.is_due(now):
                yield self._prepare_notice(
                    standing,
                    f"notice-{notice.id}",
                    notice.kind,
                    notice.text,
                    link=notice.link,
                    link_text=(notice.link_text or self.env._("Read more")) if notice.link else "",
                    dismissible=notice.kind in ("news", "trial"),
                )

    @api.model
    def _get_users_notices(self, standing):
        limits = standing.document and standing.document.limits
        if not limits or limits.users is None:
            return
        count = self._count_users()
        soft = limits.users if limits.users_soft is None else limits.users_soft
        if count >= min(soft, limits.users):
            text = self.env._(
                "%(count)s of the %(limit)s users of your plan %(plan)s are taken.",
                count=count,
                limit=limits.users,
                plan=standing.document.plan,
            )
            yield self._prepare_notice(
                standing,
                f"users-{count}",
                "limit",
                text,
                level="warning",
                dismissible=count <= limits.users,
            )

    @api.model
    def _get_storage_notices(self, standing):
        limits = standing.document and standing.document.limits
        if not limits or limits.storage_mb is None:
            return
        used = self.env["ir.attachment"]._get_used_bytes() >> 20
        soft = limits.storage_mb if limits.storage_soft_mb is None else limits.storage_soft_mb
        if used >= min(soft, limits.storage_mb):
            full = used >= limits.storage_mb
            text = self.env._(
                "%(used)s of the %(limit)s MB of your plan %(plan)s are used.",
                used=used,
                limit=limits.storage_mb,
                plan=standing.document.plan,
            )
            if full:
                text += " " + self.env._("No more files can be added.")
            # By the day: it comes back tomorrow to who has put it away.
            key = f"storage-{fields.Date.today()}"
            level = "danger" if full else "warning"
            yield self._prepare_notice(
                standing, key, "limit", text, level=level, dismissible=not full
            )

    @api.model
    def _cron_post_notices(self):
        """Send each notice that asks for it once to the channel of the whole company."""
        standing = self._get_standing()
        if not standing.is_enforced or not standing.document:
            return
        now = fields.Datetime.now()
        for notice in standing.document.notices:
            if notice.post and notice.is_due(now) and self._mark_posted(notice):
                self._post(notice)

    @api.model
    def _mark_posted(self, notice):
        self.env.cr.execute(
            SQL(
                "INSERT INTO fleet_notice (id, posted) VALUES (%s, now() AT TIME ZONE 'UTC') "
                "ON CONFLICT DO NOTHING",
                notice.id,
            )
        )
        return bool(self.env.cr.rowcount)

    @api.model
    def _post(self, notice):
        channel = self.env.ref("mail.channel_all_employees", raise_if_not_found=False)
        if not channel:
            return
        body = Markup("<p>%s</p>") % notice.text
        if notice.link:
            text = notice.link_text or notice.link
            body += Markup('<p><a href="%s" target="_blank">%s</a></p>') % (notice.link, text)
        channel.sudo().message_post(
            body=body,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            author_id=self.env.ref("base.partner_root").id,
        )

    @api.autovacuum
    def _gc_notices(self):
        """Forget notices long after they were posted; a document repeats none for years."""
        limit = fields.Datetime.now() - timedelta(days=730)
        self.env.cr.execute(SQL("DELETE FROM fleet_notice WHERE posted < %s", limit))
