from odoo.tests import TransactionCase, new_test_user

from ..contract.values import Hosted, Status


class SaasCase(TransactionCase):
    """A server, a template that is ready on it, a plan, and a person of each group."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        cls.server = cls.env["saas.server"].create(
            {"name": "One", "url": "https://one.example.com", "database": "server"}
        )
        cls.server._write_contact()
        cls.template = cls.env["saas.template"].create({"name": "Tiny", "code": "tiny"})
        cls.line = cls.env["saas.template.server"].create(
            {"template_id": cls.template.id, "server_id": cls.server.id, "state": "ready"}
        )
        cls.plan = cls.env["saas.plan"].create(
            {"name": "Small", "code": "small", "template_id": cls.template.id, "max_users": 3}
        )
        cls.partner = cls.env["res.partner"].create({"name": "Acme"})
        groups = "fleet_saas_portal.group_saas_%s"
        cls.people = {
            name: cls.make_user(f"saas_{name}", groups % name)
            for name in ("user", "manager", "admin")
        }
        cls.people["outsider"] = cls.make_user("saas_outsider", "base.group_user")

    @classmethod
    def make_user(cls, login, groups, **values):
        """Return a new user, to whom no invitation is written."""
        quiet = {"no_reset_password": True}
        return new_test_user(cls.env, login, groups, context=quiet, **values).with_env(cls.env)

    def make_instance(self, name="acme", **values):
        values = {"name": name, "plan_id": self.plan.id, "partner_id": self.partner.id} | values
        return self.env["saas.instance"].create(values)

    def make_active(self, name="acme", **values):
        """Return an instance whose database the server has made."""
        instance = self.make_instance(name, **values)
        instance.action_create()
        self.answer(
            instance.request_id, "done", steps=[("personalise", {"url": f"https://{name}"})]
        )
        return instance

    def status(self, request, state, steps=(), **values):
        """Return what a server says of a request."""
        return Status(
            key=request.key,
            operation=7,
            kind=request.kind,
            target=request.target,
            state=state,
            steps=tuple(
                {"name": name, "state": "done", "evidence": evidence} for name, evidence in steps
            ),
            **values,
        )

    def answer(self, request, state, steps=(), **values):
        """Write what a server says of a request."""
        request._take_status(self.status(request, state, steps, **values))

    def hosted(self, name, **values):
        """Return an entry of a server's inventory."""
        return Hosted(
            **{
                "name": name,
                "uuid": f"uuid-of-{name}",
                "state": "active",
                "purpose": "customer",
                "url": f"https://{name}.example.com",
                "neutralized": False,
                "protected": False,
            }
            | values
        )
