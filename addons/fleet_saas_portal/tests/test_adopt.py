from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .test_operate import OperateCase

USAGE = {"internal_users": 4, "database_bytes": 3 << 20}


@tagged("post_install", "-at_install")
class TestAdopt(OperateCase):
    """A database that exists on a server becomes an instance."""

    def found(self):
        return self.env["saas.instance.found"].search([("server_id", "=", self.server.id)])

    def adopt(self, found, user="manager", **values):
        action = found.with_user(self.people[user]).action_adopt()
        Wizard = self.env["saas.instance.adopt"].with_user(self.people[user])
        action = Wizard.with_context(**action["context"]).create(values).action_adopt()
        return self.env["saas.instance"].search(action["domain"])

    def test_databases_that_nobody_knows_are_listed_until_they_are_gone(self):
        self.make_active()
        inventory = [
            self.hosted("acme"),
            self.hosted("stray", figures=USAGE),
            self.hosted("unborn", state="creating"),
            self.hosted("left", state="released"),
        ]
        self.env["saas.instance"]._take_inventory(self.server, inventory)
        [stray] = self.found()
        self.assertEqual((stray.name, stray.user_count, stray.storage_mb), ("stray", 4, 3))
        self.env["saas.instance"]._take_inventory(self.server, inventory[:1])
        self.assertFalse(self.found())

    def test_one_that_is_being_created_is_nobodys_stray(self):
        self.make_instance().action_create()
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        self.assertFalse(self.found())

    def test_a_found_database_becomes_an_instance_with_its_state_and_customer(self):
        hosted = [self.hosted("stray", figures=USAGE), self.hosted("asleep", state="suspended")]
        self.env["saas.instance"]._take_inventory(self.server, hosted)
        instances = self.adopt(self.found(), partner_id=self.partner.id, plan_id=self.plan.id)
        asleep, stray = instances.sorted("name")
        self.assertEqual((stray.state, stray.url), ("active", "https://stray.example.com"))
        self.assertEqual((stray.uuid, stray.partner_id), ("uuid-of-stray", self.partner))
        self.assertEqual((stray.max_users, stray.user_count), (3, 4))
        self.assertTrue(stray.project_id)
        self.assertEqual(asleep.state, "suspended")
        self.assertFalse(self.found())
        self.env["saas.instance"]._take_inventory(self.server, hosted)
        self.assertFalse(self.found())

    def test_who_only_looks_makes_no_instances(self):
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("stray")])
        with self.assertRaises(AccessError):
            self.adopt(self.found(), user="user")

    def test_the_server_takes_over_a_database_that_it_does_not_host_yet(self):
        instance = self.make_instance("old")
        manager = self.people["manager"]
        with self.assertRaisesRegex(UserError, "Choose the server"):
            instance.with_user(manager).action_adopt_database()
        instance.server_id = self.server
        instance.with_user(manager).action_adopt_database()
        self.assertEqual((instance.request_id.kind, instance.state), ("adopt", "creating"))
        self.answer(instance.request_id, "done")
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("old")])
        self.assertEqual((instance.state, instance.uuid), ("active", "uuid-of-old"))
        self.assertTrue(instance.project_id)

    def test_a_take_over_that_was_refused_can_be_tried_again(self):
        instance = self.make_instance("old", server_id=self.server.id)
        instance.action_adopt_database()
        self.answer(instance.request_id, "failed", error="There is no database old.")
        self.assertEqual(
            (instance.state, instance.problem), ("failed", "There is no database old.")
        )
        instance.action_adopt_database()
        self.assertEqual(instance.state, "creating")


@tagged("post_install", "-at_install")
class TestImport(OperateCase):
    """A fleet from a CSV file."""

    FIELDS = ("name", "partner_id", "plan_id", "server_id", "admin_login")

    def load(self, *rows, user="manager"):
        """Import rows as the import screen does; return the ids and the messages."""
        Instance = self.env["saas.instance"].with_user(self.people[user])
        result = Instance.with_context(import_file=True).load(list(self.FIELDS), list(rows))
        return result["ids"], [message["message"] for message in result["messages"]]

    def test_rows_are_drafts_with_the_limits_of_their_plan(self):
        ids, messages = self.load(
            ("https://Bakery.example.com/", "Acme", "Small", "", "ann@example.com"),
            ("cafe", "Acme", "Small", "One", ""),
        )
        self.assertEqual(messages, [])
        bakery, cafe = self.env["saas.instance"].browse(ids)
        self.assertEqual((bakery.name, bakery.state, bakery.max_users), ("bakery", "draft", 3))
        self.assertEqual((bakery.template_id, bakery.partner_id), (self.template, self.partner))
        self.assertEqual((cafe.server_id, cafe.state), (self.server, "draft"))

    def test_a_row_whose_database_exists_stands_for_it(self):
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("stray")])
        ids, messages = self.load(("stray", "Acme", "", "One", ""))
        self.assertEqual(messages, [])
        stray = self.env["saas.instance"].browse(ids)
        self.assertEqual((stray.state, stray.uuid), ("active", "uuid-of-stray"))

    def test_rows_that_cannot_be_right_are_refused_in_words(self):
        self.make_active()
        for row, message in (
            (("acme", "", "Small", "One", ""), "has the name acme"),
            (("fresh", "", "", "", ""), "needs a plan or a template"),
            (("fresh", "", "Small", "", "nobody"), "no e-mail address"),
            (("f", "", "Small", "", ""), "3 to 42"),
        ):
            with self.subTest(row=row):
                ids, messages = self.load(row)
                self.assertFalse(ids)
                self.assertRegex(messages[0], message)

    def test_the_same_name_twice_in_a_file_is_refused(self):
        ids, messages = self.load(("twin", "", "Small", "", ""), ("twin", "", "Small", "", ""))
        self.assertFalse(ids)
        self.assertRegex(messages[0], "has the name twin")

    def test_a_file_does_not_say_what_only_servers_know(self):
        Instance = self.env["saas.instance"].with_user(self.people["manager"])
        result = Instance.with_context(import_file=True).load(
            ["name", "plan_id", "state"], [["fresh", "Small", "Active"]]
        )
        self.assertFalse(result["ids"])
        self.assertIn("Only the portal itself", result["messages"][0]["message"])

    def test_the_file_that_the_screen_offers_can_be_imported(self):
        [template] = self.env["saas.instance"].get_import_templates()
        self.assertEqual(template["template"].rsplit("/", 1)[1], "saas_instance.csv")
