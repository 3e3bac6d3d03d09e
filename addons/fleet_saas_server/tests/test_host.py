from tempfile import TemporaryDirectory

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from ..hosting import capacity
from .test_archive import config_option
from .test_life import LifeCase


@tagged("post_install", "-at_install")
class TestHost(LifeCase):
    """What other machines are told of this one and of its databases."""

    def test_the_capacity_is_that_of_the_machine_and_counts_the_free_places(self):
        told = self.agent_host().capabilities()["capacity"]
        machine = capacity.facts(self.env["saas.operation"]._get_host())
        self.assertEqual(told["connection_limit"], machine.connection_limit)
        self.assertEqual(told["memory_total"], machine.memory_total)
        self.assertIsInstance(told["free_places"], int)
        self.assertEqual(bool(told["refusal"]), not told["free_places"])
        self.assertNotIn("processes", told)

    def test_what_is_broken_on_the_machine_is_told_in_words(self):
        with TemporaryDirectory() as folder, config_option("data_dir", folder):
            routes = self.env["saas.operation"]._get_host().routes
            routes.parent.mkdir(parents=True)
            routes.write_text("{ half a file")
            with self.assertRaisesRegex(UserError, "routes.json"):
                self.agent_host().capabilities()

    def test_the_inventory_tells_to_what_a_database_can_go_back(self):
        hidden = "fleet_x_0123456789abcdef"
        self.acme._keep_snapshot(
            hidden, reason="Before", size=5, taken_at="2026-01-31 08:00:00", keep_hours=0
        )
        self.back_up()
        self.back_up(state="failed")
        [row] = [row for row in self.agent_host().inventory()["databases"] if row["name"] == "acme"]
        [snapshot] = row["snapshots"]
        self.assertEqual((snapshot["snapshot"], snapshot["keep_until"]), (hidden, None))
        self.assertEqual(snapshot["taken_at"], "2026-01-31 08:00:00")
        self.assertEqual(len(row["backups"]), 1)

    def agent_host(self):
        agent = new_test_user(self.env, "agent_host", "fleet_saas_server.group_hosting_agent")
        return self.env["saas.host"].with_user(agent)
