from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .test_life import LifeCase


@tagged("post_install", "-at_install")
class TestDomains(LifeCase):
    """Which host names of a customer's own are reserved, routed, free again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.birch = cls.hosted("birch")

    def lead(self, *names, target="acme"):
        return self.submit("domains", target, names=list(names))

    def names(self, database=None):
        found = (database or self.acme).domain_ids
        self.env.invalidate_all()
        return {each.name: each.is_routed for each in found}

    def test_names_are_reserved_when_asked_for_and_routed_at_the_end(self):
        operation = self.lead("b.example", "a.example", "a.example")
        self.assertEqual(operation.request["names"], ["a.example", "b.example"])
        self.assertEqual(self.names(), {"a.example": False, "b.example": False})
        with self.assertRaisesRegex(UserError, "leads to another database"):
            self.lead("a.example", target="birch")
        self.end(operation)
        self.assertEqual(self.names(), {"a.example": True, "b.example": True})
        self.assertEqual(self.acme._get_inventory()["domains"], ["a.example", "b.example"])
        self.end(self.lead("b.example"))
        self.assertEqual(self.names(), {"b.example": True})
        self.lead("a.example", target="birch")

    def test_what_failed_is_free_again_and_what_was_there_stays(self):
        self.end(self.lead("a.example"))
        self.end(self.lead("b.example"), state="failed")
        self.assertEqual(self.names(), {"a.example": True})

    def test_what_is_asked_for_meanwhile_stays_reserved(self):
        first = self.lead("a.example")
        second = self.lead("a.example", "b.example")
        self.end(first)
        self.assertEqual(self.names(), {"a.example": True, "b.example": False})
        self.end(second)
        self.assertEqual(self.names(), {"a.example": True, "b.example": True})

    def test_a_name_of_the_server_is_refused(self):
        domain = self.env["saas.operation"]._get_host().domain
        with self.assertRaisesRegex(UserError, "own domain"):
            self.lead(f"shop.birch.{domain}.x.{domain}")

    def test_a_database_that_is_gone_holds_no_name(self):
        self.end(self.lead("a.example"))
        self.acme._set_state("archived")
        self.assertEqual(self.names(), {"a.example": True})
        self.acme._set_state("dropped")
        self.assertEqual(self.names(), {})
        self.lead("a.example", target="birch")

    def test_nobody_writes_them_by_hand(self):
        self.end(self.lead("a.example"))
        operator = new_test_user(
            self.env, "operator", groups="fleet_saas_server.group_hosting_operator"
        )
        one = self.acme.domain_ids.with_user(operator)
        self.assertEqual(one.name, "a.example")
        for act in (lambda: one.write({"name": "b.example"}), one.unlink):
            with self.assertRaises(AccessError):
                act()
