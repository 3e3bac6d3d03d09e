import uuid

from odoo import fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import NO_ACCESS

from .saas_instance_ask import OURS

MOVING = ("hand_over", "take_over", "take_back")
OPENING = ("publish", "route")  # steps of the other server; while both are done it is open there
OURS.update({"move_server_id", "move_key", "move_refused", "former_ids"})


class SaasInstance(models.Model):
    """How an instance moves to another server, and stays where it was when that fails.

    One server hands the database over and keeps it closed, the other one takes it over; only when
    that one says that it did not, the first one takes it back. Each of the three follows from the
    end of the one before, in the transaction that writes that end.
    """

    _inherit = "saas.instance"

    move_server_id = fields.Many2one(
        "saas.server", "Moving To", readonly=True, copy=False, ondelete="restrict"
    )
    move_key = fields.Char(
        readonly=True, copy=False, groups=NO_ACCESS, export_string_translation=False
    )
    move_refused = fields.Boolean(
        readonly=True,
        copy=False,
        export_string_translation=False,
        help="Its server would not take it back: the other one may have it open.",
    )

    # --- asking

    def _get_move_refusal(self, server):
        """Return in words why this instance cannot move to ``server`` now, False when it can."""
        self.ensure_one()
        name = self.name
        if self.state == "suspended":
            return self.env._("%s is suspended: resume it, then it can be moved.", name)
        if self.state != "active" or self.request_id or self.is_deleting:
            return self.env._("Only an active database with nothing under way can be moved.")
        if not self.uuid:
            return self.env._(
                "The identity of %s is not known yet: synchronise its server first.", name
            )
        if server == self.server_id:
            return self.env._("%s is on this server already.", name)
        if not server.active or not server.accepts_new:
            return self.env._("%s takes no new databases.", server.name)
        if self.former_ids.filtered(
            lambda copy: copy.server_id == server and copy.state != "dropped"
        ):
            return self.env._("The former copy of %s is still kept there; delete it first.", name)
        return self._get_server_refusal(server)

    def _get_server_refusal(self, server):
        """Return why ``server`` itself, or the way to it, does not allow the move."""
        if server.state != "ok":
            reason = server.error or self.env._("it was never asked")
            return self.env._(
                "%(server)s does not answer: %(reason)s", server=server.name, reason=reason
            )
        if server._get_free_places() < 1:
            return server._get_room_refusal()
        if not server.sudo()._is_open_to(self):
            return self.env._(
                "%s is the server of one customer alone, or the plan wants one without others.",
                server.name,
            )
        if not server.sudo().handover_key:
            return self.env._(
                "%s can take nothing over yet: update its app Hosting Server, give it an encryption "
                "key, then synchronise it.",
                server.name,
            )
        if not self.server_id._get_common_places(server):
            return self.env._(
                "%(one)s and %(two)s have no backup place in common. On both, under Backups → "
                "Places, enter the same S3 bucket or the same SFTP folder; then synchronise both.",
                one=self.server_id.name,
                two=server.name,
            )
        return False

    def _move(self, server):
        """Have the database moved to ``server``; return the first request.

        :raises UserError: it cannot be, in words
        """
        self.ensure_one()
        self.check_access("write")
        server.check_access("read")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_manager"):
            raise AccessError(self.env._("Only SaaS managers move databases."))
        refusal = self._get_move_refusal(server)
        if refusal:
            raise UserError(refusal)
        self._check_name_free(server, self.name)
        key = f"move:{uuid.uuid4().hex}"
        self._set_state(
            "moving", move_server_id=server.id, move_key=key, move_refused=False, problem=False
        )
        target = server.sudo()
        arguments = {"key": target.handover_key, "places": list(target.handover_places)}
        return self._ask_server(
            self.server_id, "hand_over", self.name, arguments, f"{key}:hand_over"
        )

    def action_move(self):
        """Ask to which server, and say what that means."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Move to Another Server"),
            "res_model": "saas.instance.move.wizard",
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_instance_id": self.id},
        }

    def action_take_back(self):
        """Have its server serve it again; refused there while the other one may have it open."""
        for instance in self:
            instance._check_take_back()
            instance._take_back()

    def action_take_back_by_force(self):
        """Have its server serve it again although nobody knows what the other one does with it."""
        if not self.env.user.has_group("fleet_saas_portal.group_saas_admin"):
            raise AccessError(self.env._("Only SaaS administrators take databases back by force."))
        for instance in self:
            instance._check_take_back()
            instance._take_back(force=True)

    def _check_take_back(self):
        self.check_access("write")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_manager"):
            raise AccessError(self.env._("Only SaaS managers move databases."))
        if self.state != "moving" or self.request_id:
            raise UserError(
                self.env._(
                    "%s is not waiting between two servers: there is nothing to do.", self.name
                )
            )

    def _take_back(self, *, force=False):
        arguments = {"force": True} if force else {}
        return self._ask_server(self.server_id, "take_back", self.name, arguments)

    # --- hearing

    def _request_ended(self, request):
        if request.kind not in MOVING:
            return super()._request_ended(request)
        current = self.state == "moving" and (
            request.kind == "take_back" or request.key.startswith(f"{self.sudo().move_key}:")
        )
        if not current:
            return self._hear_late(request)
        if request.state == "lost":
            return self._call_for_help(request)
        return getattr(self, f"_hear_{request.kind}")(request)

    def _hear_hand_over(self, request):
        package = request._get_evidence("package", "package")
        if request.state != "done" or not package:
            self._stay(request.error)
            return
        arguments = {"package": package, "document": self._prepare_document()}
        key = f"{self.sudo().move_key}:take_over"
        self._ask_server(self.move_server_id, "take_over", self.name, arguments, key)

    def _hear_take_over(self, request):
        # What failed after its first page, or could not be undone, has left it open there.
        if request._are_steps_done(*OPENING):
            self._arrive(request)
            return
        self.sudo().problem = request.error
        self._take_back()

    def _hear_take_back(self, request):
        if request._are_steps_done("open"):
            self._stay(self.problem or self.env._("It was taken back."))
            return
        self.sudo().write({"problem": request.error, "move_refused": True})
        self._call_for_help(request)

    def _hear_late(self, request):
        """Hear of a move that is over here already: nothing may stay closed for it."""
        if request.kind == "hand_over" and request.state == "done" and self.state != "moving":
            self._take_back()
        elif request.kind == "take_over" and request._are_steps_done(*OPENING):
            self._call_for_help(request)

    def _stay(self, reason):
        """It is served where it was."""
        target = self.move_server_id
        self._set_state(
            "active", problem=reason, move_server_id=False, move_key=False, move_refused=False
        )
        self._tell_team(
            self.env._(
                "%(name)s was not moved to %(server)s and is served where it was. %(reason)s",
                name=self.name,
                server=target.name or "",
                reason=reason or "",
            )
        )

    def _arrive(self, request):
        """It is served by the other server from now on; what stayed behind is kept for a while."""
        source, target, old = self.server_id, self.move_server_id, self.url
        url = request._get_evidence("route", "url") or old
        drafts = self.sudo().search(
            [("name", "=", self.name), ("server_id", "=", target.id), ("state", "=", "draft")]
        )
        drafts.server_id = False
        drafts.flush_recordset()
        self._set_state(
            "active",
            server_id=target.id,
            url=url,
            problem=False,
            is_missing=False,
            move_server_id=False,
            move_key=False,
            move_refused=False,
        )
        self._note_told(request.arguments.get("document"))
        self._follow_address(old, url)
        # Snapshots stayed behind; which backups there are now, the inventory tells.
        self.sudo().point_ids.unlink()
        self.env["saas.instance.former"].sudo()._keep(self, source)
        self.message_post(
            body=self.env._("Moved from %(old)s to %(new)s.", old=source.name, new=target.name)
        )
        self.env.ref("fleet_saas_portal.ir_cron_servers").sudo()._trigger()

    def _follow_address(self, old, url):
        """Write the new address into the fleet list."""
        project = self.project_id.sudo()
        if project and project.database_url == old and url != old:
            project.write({"database_url": url})

    def _call_for_help(self, request):
        """Leave it as it is and make it somebody's task."""
        self.activity_schedule(
            "mail.mail_activity_data_todo",
            user_id=request.user_id.id or self.user_id.id or self.env.uid,
            summary=self.env._("%s waits between two servers", self.name),
            note=request.error or "",
        )

    def _tell_team(self, text):
        self.message_post(body=text)
        if self.user_id:
            self.activity_schedule(
                "mail.mail_activity_data_todo", user_id=self.user_id.id, summary=text[:200]
            )

    def _take_hosted(self, hosted):
        # Two servers have it meanwhile; what happens to it, its operations say.
        if self.state != "moving":
            super()._take_hosted(hosted)


class SaasRequest(models.Model):
    _inherit = "saas.request"

    def _are_steps_done(self, *names):
        """Tell whether the server has done these steps, whatever became of those after them."""
        self.ensure_one()
        done = {each["name"] for each in self.steps or [] if each["state"] == "done"}
        return done >= set(names)
