from unittest.mock import patch

from freezegun import freeze_time

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestClock(TransactionCase):
    """What is done with templates and their clones by the clock."""

    def asked(self, kind):
        return self.env["saas.operation"].search([("kind", "=", kind)])

    def test_a_clone_that_could_not_be_dropped_is_dropped_the_next_hour(self):
        clones = self.env["saas.pool.clone"]
        ready, leaving, _taken = (
            clones.create(
                {
                    "physical": f"fleet_x_clone_{letter * 32}",
                    "source": "fleet_t_former",
                    "state": state,
                }
            )
            for letter, state in (("a", "ready"), ("b", "leaving"), ("c", "taken"))
        )
        for moment, count in (("03:10:00", 2), ("03:50:00", 2), ("04:10:00", 4)):
            with freeze_time(f"2026-01-02 {moment}"):
                clones._drain()
            self.assertEqual(len(self.asked("pool_drop")), count)
        targets = set(self.asked("pool_drop").mapped("target"))
        self.assertEqual(targets, {ready.physical, leaving.physical})

    def test_a_clone_that_could_not_be_dropped_is_dropped_although_its_version_is_back(self):
        template = self.env["saas.database.template"].create(
            {"name": "Tiny", "code": "tiny", "module_names": "base_setup", "pool_size": 1}
        )
        version = self.env["saas.database.template.version"].create(
            {"template_id": template.id, "number": 1, "physical": "fleet_t_tiny_" + "0" * 32}
        )
        version.state = "published"
        clones = self.env["saas.pool.clone"]
        names = {"ready": f"fleet_x_clone_{'a' * 32}", "leaving": f"fleet_x_clone_{'b' * 32}"}
        for state, physical in names.items():
            clones.create({"physical": physical, "source": version.physical, "state": state})
        clones._drain()
        self.assertEqual(self.asked("pool_drop").mapped("target"), [names["leaving"]])

    def test_a_version_that_cannot_be_dropped_holds_up_no_other(self):
        template = self.env["saas.database.template"].create({"name": "Shop", "code": "shop-one"})
        for number, letter in ((2, "a"), (1, "b")):
            self.env["saas.database.template.version"].create(
                {
                    "template_id": template.id,
                    "number": number,
                    "physical": f"fleet_t_shop_{letter * 32}",
                    "state": "retired",
                }
            )
        prepare = type(template)._prepare_template_drop

        def refuse(model, target, arguments):
            if arguments["version"] == 2:
                raise UserError("It stays.")
            return prepare(model, target, arguments)

        with (
            patch.object(type(template), "_prepare_template_drop", refuse),
            mute_logger("odoo.addons.fleet_saas_server.models.saas_operation_run"),
        ):
            template._cron_look_after()
        self.assertEqual(self.asked("template_drop").mapped("request")[0]["versions"], [
            template.version_ids.filtered(lambda each: each.number == 1).id
        ])  # fmt: skip
