from markupsafe import Markup

from odoo import api, fields, models


class SaasInstanceMoveWizard(models.TransientModel):
    """Choose the server that an instance moves to, and see what that means."""

    _name = "saas.instance.move.wizard"
    _description = "Move to Another Server"

    instance_id = fields.Many2one("saas.instance", required=True, readonly=True, ondelete="cascade")
    from_id = fields.Many2one("saas.server", "From", related="instance_id.server_id")
    allowed_ids = fields.Many2many("saas.server", compute="_compute_allowed_ids")
    server_id = fields.Many2one("saas.server", "To", ondelete="cascade")
    room = fields.Char(related="server_id.capacity_text")
    refusal = fields.Char("Why Not", compute="_compute_refusal")
    preview = fields.Html("What Happens", compute="_compute_preview")

    @api.depends("instance_id")
    def _compute_allowed_ids(self):
        servers = self.env["saas.server"].search([("accepts_new", "=", True)])
        for wizard in self:
            company = wizard.instance_id.company_id
            wizard.allowed_ids = servers.filtered(
                lambda server, company=company, wizard=wizard: (
                    server != wizard.from_id and server.company_id in (company, company.browse())
                )
            )

    @api.depends("instance_id", "server_id")
    @api.depends_context("lang")
    def _compute_refusal(self):
        for wizard in self:
            server = wizard.server_id
            wizard.refusal = wizard.instance_id._get_move_refusal(server) if server else False

    @api.depends("instance_id", "server_id", "refusal")
    @api.depends_context("lang")
    def _compute_preview(self):
        for wizard in self:
            ready = wizard.server_id and not wizard.refusal
            lines = wizard._get_preview() if ready else []
            items = Markup("").join(Markup("<li>%s</li>") % line for line in lines)
            wizard.preview = Markup("<ul>%s</ul>") % items if lines else False

    def _get_preview(self):
        """Return what happens, a sentence each."""
        instance, server = self.instance_id, self.server_id
        days = self.env["saas.instance.former"]._get_keep_days()
        found = [
            self.env._(
                "It is saved to “%s” first, while people go on working.",
                instance.server_id._get_common_places(server)[0],
            ),
            self._get_time_words(),
            self.env._("Users, passwords, files, scheduled actions and waiting mails go with it."),
            self._get_address_words(),
        ]
        if names := ", ".join(instance.domain_ids.mapped("name")):
            found.append(
                self.env._(
                    "%s must lead to the other server: change them in the DNS afterwards.", names
                )
            )
        if any(point.kind == "snapshot" for point in instance.point_ids):
            found.append(self.env._("Its snapshots and former backups stay on the former server."))
        found += [
            self.env._(
                "The former server keeps its copy closed for %s days, then deletes it.", days
            ),
            self.env._("If anything fails it is served where it is now, as it was."),
        ]
        return found

    def _get_time_words(self):
        if not self.instance_id.storage_mb:
            return self.env._(
                "Then it is off the air until it answers on the other server: what changed is saved, "
                "all of it is restored and compared. Less than a minute for a small database."
            )
        return self.env._(
            "Then it is off the air until it answers on the other server: what changed is saved, "
            "all of it is restored and compared. Less than a minute for a small database; for "
            "%s MB about as long as restoring a backup of it takes.",
            self.instance_id.storage_mb,
        )

    def _get_address_words(self):
        name, old, new = self.instance_id.name, self.from_id.domain, self.server_id.domain
        if old == new:
            return self.env._(
                "Its address stays %s: make sure that it leads to the other server.",
                f"{name}.{old}",
            )
        return self.env._("Its new address is %s; the old one ends.", f"{name}.{new}")

    def action_move(self):
        """Have it moved; the form of the instance, below the dialog, shows how far it is."""
        self.ensure_one()
        self.instance_id._move(self.server_id)
        return {"type": "ir.actions.act_window_close"}
