import json
import os

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..hosting import handover
from .test_life import LifeCase

HIDDEN = f"fleet_x_suspended_{'0123456789abcdef' * 2}"


@tagged("post_install", "-at_install")
class TestMove(LifeCase):
    def setUp(self):
        super().setUp()
        self.key = handover.new_key()
        self.places = list(self.env["saas.backup.place"]._get_shared())

    def hand_over(self, **values):
        arguments = {"key": handover.public_text(self.key), "places": self.places} | values
        return self.submit("hand_over", **arguments)

    def handed_over(self):
        operation = self.hand_over()
        self.end(operation, hide={"physical": HIDDEN})
        return operation

    def package(self, **values):
        identity = self.databases._get_new_uuid()
        package = {
            "name": "guest",
            "uuid": identity,
            "purpose": "customer",
            "place": self.places[0],
            "folder": f"{identity}-abcd1234",
            "backup": "20260101-abcdef",
            "password": "a secret",
            "public_key": "a key",
            "url": "https://guest.former.example",
            "source": "former",
        } | values
        return handover.Package(**package)

    def take_over(self, package, target="guest", **arguments):
        public = self.databases._get_handover_public_key()
        return self.submit("take_over", target, package=handover.seal(package, public), **arguments)

    # --- what a server tells

    def test_capabilities_tell_the_key_and_the_places_and_no_secret(self):
        group = self.env.ref("fleet_saas_server.group_hosting_agent")
        self.env.user.group_ids |= group
        able = self.env["saas.host"].capabilities()
        self.assertEqual(able["handover_key"], self.databases._get_handover_public_key())
        self.assertEqual(able["handover_places"][0]["place"], self.places[0])
        stored = self.env["ir.config_parameter"].sudo().get_param("fleet_saas_server.handover_key")
        private = self.databases._get_handover_key()
        self.assertNotIn(private, stored)
        self.assertNotIn(private, json.dumps(able, default=str))

    # --- handing over

    def test_what_is_handed_over_is_closed_and_nothing_but_taking_back_opens_it(self):
        self.handed_over()
        self.assertEqual((self.acme.state, self.acme.physical), ("suspended", HIDDEN))
        self.assertTrue(self.acme.handed_over)
        for kind in ("resume", "parameters", "snapshot", "administrator"):
            arguments = {"values": {"a": "b"}} if kind == "parameters" else {}
            with self.subTest(kind=kind):
                self.refused("handed over", kind, **arguments)
        self.end(self.submit("archive"), hide={"physical": HIDDEN})
        self.assertEqual(self.acme.state, "archived")
        self.refused("handed over", "undelete")
        self.end(self.submit("take_back"), show={"physical": "acme"})
        self.assertEqual((self.acme.state, self.acme.physical), ("active", "acme"))
        self.assertFalse(self.acme.handed_over or self.acme.handover_folder)
        self.submit("suspend")

    def test_while_it_is_being_handed_over_nobody_resumes_or_suspends_it(self):
        self.hand_over()
        self.refused("handed over", "suspend")
        self.refused("handed over", "hand_over", key="k" * 43, places=self.places)

    def test_a_hand_over_that_failed_leaves_the_record_as_it_was(self):
        self.end(self.hand_over(), "failed")
        self.assertEqual((self.acme.state, self.acme.handover_folder), ("active", False))
        self.submit("suspend")

    def test_what_was_handed_over_goes_the_usual_way_in_the_end(self):
        self.handed_over()
        self.end(self.submit("archive"), hide={"physical": HIDDEN})
        self.back_up(physical=HIDDEN)
        self.submit("drop", without_grace=True)

    def test_without_a_common_place_it_is_said_what_to_configure(self):
        self.refused("S3 bucket", "hand_over", key="k" * 43, places=["f" * 32])

    def test_protected_and_suspended_databases_are_not_handed_over(self):
        self.acme.is_protected = True
        self.refused("protected", "hand_over", key="k" * 43, places=self.places)
        self.acme.is_protected = False
        self.acme.state = "suspended"
        self.refused("in the state", "hand_over", key="k" * 43, places=self.places)

    def test_the_password_is_kept_encrypted_and_no_operation_stores_it(self):
        operation = self.hand_over()
        secrets = self.databases._get_operation_secrets(operation)
        password = secrets["repository.handover.password"]
        self.assertNotIn(password, self.acme.sudo().handover_secret)
        self.assertNotIn(password, json.dumps(operation.request))

    def test_the_credentials_of_a_bucket_are_each_servers_own(self):
        place = self.env["saas.backup.place"].create(
            {
                "name": "Bucket",
                "kind": "s3",
                "location": "https://s3.example/bucket",
                "access_key": "ours",
                "secret_key": "our secret",
            }
        )
        identity = handover.remote_place("s3", "https://s3.example/bucket")
        operation = self.hand_over(places=[identity])
        self.assertTrue(operation.request["repositories"][0]["location"].startswith("s3:"))
        self.assertNotIn("our secret", json.dumps(operation.request))
        package = self.package(place=identity)
        taken = self.take_over(package)
        env = json.loads(
            self.databases._get_operation_secrets(taken)[
                f"repository.{taken.request['repositories'][0]['id']}.env"
            ]
        )
        self.assertEqual(env["AWS_ACCESS_KEY_ID"], place.access_key)

    # --- taking over

    def test_what_is_taken_over_has_its_identity_and_its_first_backup(self):
        package = self.package()
        operation = self.take_over(package, document={"plan": "Pro"})
        guest = self.databases.search([("name", "=", "guest")])
        self.assertEqual((guest.state, guest.uuid), ("creating", package.uuid))
        self.assertNotIn("a secret", json.dumps(operation.request))
        secrets = self.databases._get_operation_secrets(operation)
        self.assertIn("a secret", secrets.values())
        self.end(
            operation,
            publish={"physical": "guest"},
            load={"bytes": 5, "files": 1, "rows": 9, "missing": 0},
            sign={"signed": True},
        )
        self.assertEqual((guest.state, guest.physical), ("active", "guest"))
        self.assertEqual(guest.document, {"plan": "Pro"})
        self.assertEqual(guest.backup_ids.mapped("state"), ["verified"])
        self.assertEqual(guest._get_inventory()["backups"][0]["backup"], package.backup)

    def test_what_failed_after_the_first_page_is_there(self):
        operation = self.take_over(self.package())
        results = {"publish": {"physical": "guest"}}
        for step in operation.step_ids:
            late = step.name in ("first_request", "sign")
            step.write({"state": "undone" if late else "done"})
            step.evidence = results.get(step.name, {})
        operation.write({"state": "failed", "ended": fields.Datetime.now()})
        operation._apply()
        self.assertEqual(self.databases.search([("name", "=", "guest")]).state, "active")

    def test_what_failed_gives_name_and_identity_free_for_another_try(self):
        package = self.package()
        operation = self.take_over(package)
        self.end(operation, "failed")
        self.assertFalse(self.databases.search([("uuid", "=", package.uuid)]))
        with self.assertRaisesRegex(UserError, "portal"):
            operation.action_retry()
        self.take_over(self.package(uuid=package.uuid, folder=f"{package.uuid}-00000000"))

    def test_it_is_refused_where_its_name_or_its_identity_is(self):
        with self.assertRaisesRegex(UserError, "has the database guest already"):
            self.take_over(self.package(uuid=self.acme.uuid))
        with self.assertRaisesRegex(UserError, "taken"):
            self.take_over(self.package(name="acme"), target="acme")

    def test_a_package_for_another_name_server_or_place_is_refused(self):
        with self.assertRaisesRegex(UserError, "guest ≠ other"):
            self.take_over(self.package(), target="other")
        stranger = handover.seal(self.package(), handover.public_text(handover.new_key()))
        self.refused("no package for this server", "take_over", "guest", package=stranger)
        with self.assertRaisesRegex(UserError, "not one of this server"):
            self.take_over(self.package(place="f" * 32))

    def test_it_comes_back_to_a_server_where_it_was_dropped(self):
        until = fields.Datetime.add(fields.Datetime.now(), days=30)
        identity = self.acme.uuid
        self.acme.write(
            {"state": "dropped", "physical": False, "active": False, "name_held_until": until}
        )
        package = self.package(name="acme", uuid=identity, folder=f"{identity}-abcd1234")
        operation = self.take_over(package, target="acme")
        self.assertNotEqual(operation.res_id, self.acme.id)
        self.assertIn("/moved/", self.acme.uuid)

    def test_its_other_repositories_are_not_those_of_the_former_server(self):
        operation = self.take_over(self.package())
        guest = self.databases.browse(operation.res_id)
        place = self.env["saas.backup.place"].search([("kind", "=", "local")], limit=1)
        self.assertNotEqual(os.path.basename(place._get_location(guest)), guest.uuid)
        self.assertEqual(os.path.basename(place._get_location(self.acme)), self.acme.uuid)

    def test_host_names_of_the_customers_own_come_with_it_and_are_free_again_when_it_fails(self):
        package = self.package(hosts=("erp.guest.example",))
        operation = self.take_over(package)
        guest = self.databases.browse(operation.res_id)
        self.assertEqual(guest.domain_ids.mapped("name"), ["erp.guest.example"])
        self.end(operation, "failed")
        self.assertFalse(guest.domain_ids)
        again = self.take_over(
            self.package(uuid=package.uuid, folder=package.folder, hosts=package.hosts)
        )
        self.end(again, publish={"physical": "guest"}, route={"hosts": ["erp.guest.example"]})
        guest = self.databases.browse(again.res_id)
        self.assertEqual(guest._get_inventory()["domains"], ["erp.guest.example"])
        with self.assertRaisesRegex(UserError, "leads to another database"):
            self.take_over(self.package(name="other", hosts=package.hosts), target="other")

    # --- taking back

    def test_what_was_not_handed_over_is_not_taken_back(self):
        self.acme.state = "suspended"
        self.refused("resume it instead", "take_back")

    def test_taking_back_what_is_open_changes_nothing(self):
        operation = self.submit("take_back")
        self.assertEqual(operation.request["repositories"], [])
        self.end(operation, show={"physical": "acme"})
        self.assertEqual(self.acme.state, "active")

    def test_a_late_end_of_a_hand_over_does_not_close_what_was_taken_back(self):
        first = self.hand_over()
        self.acme._forget_handover()
        self.end(first, hide={"physical": HIDDEN})
        self.assertEqual(self.acme.state, "active")
