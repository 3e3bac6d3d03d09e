from odoo import api, fields, models

GIB = 1 << 30


class SaasServer(models.Model):
    """How much room a server has, in a person's words."""

    _inherit = "saas.server"

    free_places = fields.Integer(compute="_compute_capacity", compute_sudo=True)
    capacity_text = fields.Char("Room", compute="_compute_capacity", compute_sudo=True)

    @api.depends("capacity", "max_instances", "instance_count")
    @api.depends_context("lang")
    def _compute_capacity(self):
        for server in self:
            server.free_places = max(0, server._get_free_places())
            server.capacity_text = server._get_capacity_text()

    def _get_capacity_text(self):
        """Return what the server told of its machine, False when it told nothing."""
        self.ensure_one()
        told = self.capacity or {}
        if told.get("refusal"):
            return str(told["refusal"])[:500]
        parts = []
        if self._is_number(told.get("disk_free")):
            size = round(told["disk_free"] / GIB, 1)
            parts.append(self.env._("%s GB of disk free", size))
        if self._is_number(told.get("memory_free")):
            size = round(told["memory_free"] / GIB, 1)
            parts.append(self.env._("%s GB of memory free", size))
        if self._is_number(told.get("databases")):
            count = told["databases"]
            one = self.env._("1 database")
            parts.append(one if count == 1 else self.env._("%s databases", count))
        return ", ".join(parts) or False

    def _get_room_refusal(self):
        """Return in words why no further database fits on this server."""
        self.ensure_one()
        if self.max_instances and self.instance_count >= self.max_instances:
            return self.env._(
                "%(server)s has no room: its limit of instances, %(count)s, is reached.",
                server=self.name,
                count=self.max_instances,
            )
        room = self.capacity_text or ""
        return self.env._("%(server)s has no room: %(room)s", server=self.name, room=room)

    @api.model
    def _is_number(self, value):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
