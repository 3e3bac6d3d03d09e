from odoo import fields

from .common import SaasCase


class CustomerCase(SaasCase):
    """Two customers with a database each: Acme with people of every role, Beta with its owner."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.beta = cls.env["res.partner"].create({"name": "Beta"})
        cls.ann = cls.make_person("ann", partner_id=cls.partner.id, name="Acme")
        cls.bob = cls.make_person("bob", partner_id=cls.beta.id, name="Beta")
        cls.victor, cls.max, cls.wilma, cls.olga = (
            cls.make_person(name) for name in ("victor", "max", "wilma", "olga")
        )
        cls.acme = cls.make_hosted("acme", cls.partner)
        cls.other = cls.make_hosted("beta", cls.beta)
        cls.members = {
            user.login: cls.make_member(user, role, instance)
            for user, role, instance in (
                (cls.victor, "viewer", cls.acme),
                (cls.max, "manager", cls.acme),
                (cls.olga, "owner", cls.acme),
                (cls.wilma, "owner", cls.env["saas.instance"]),
            )
        }

    @classmethod
    def make_person(cls, login, **values):
        return cls.make_user(login, "base.group_portal", email=f"{login}@example.com", **values)

    @classmethod
    def make_hosted(cls, name, partner):
        """Return an instance that is on the air, known by its identity."""
        return cls.env["saas.instance"].create(
            {
                "name": name,
                "plan_id": cls.plan.id,
                "partner_id": partner.id,
                "server_id": cls.server.id,
                "state": "active",
                "uuid": f"uuid-of-{name}",
                "url": f"https://{name}.example.com",
            }
        )

    @classmethod
    def make_member(cls, user, role, instance, partner=None):
        return cls.env["saas.member"].create(
            {
                "partner_id": (partner or cls.partner).id,
                "instance_id": instance.id,
                "user_id": user.id,
                "role": role,
            }
        )

    def make_backup(self, instance, code):
        return self.env["saas.instance.point"].create(
            {
                "instance_id": instance.id,
                "kind": "backup",
                "code": code,
                "taken_at": fields.Datetime.now(),
                "size_mb": 5,
            }
        )
