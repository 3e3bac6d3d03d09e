from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.service.model import call_kw
from odoo.tests import tagged

from odoo.addons.base.tests.test_ir_cron import CronMixinCase
from odoo.addons.fleet_databases.rotation import places, rotate
from odoo.addons.fleet_databases.settings import secret_keys
from odoo.addons.fleet_databases.vault import Vault, generate_key

from ..models.saas_key import ANNOUNCED, SIGNS, STILL_ACCEPTED
from .common import SaasCase


@tagged("post_install", "-at_install")
class TestKey(SaasCase, CronMixinCase):
    def setUp(self):
        super().setUp()
        self.keys = self.env["saas.key"]
        self.first = self.keys._get_signing()

    def kids(self):
        return [key["kid"] for key in self.keys._get_accepted()]

    def later(self, time):
        return freeze_time(fields.Datetime.now() + time)

    def announce(self):
        self.keys.action_rotate()
        return self.keys.search([("state", "=", "announced")])

    def test_the_first_key_is_made_when_it_is_needed_and_only_once(self):
        self.assertEqual(self.keys._get_signing(), self.first)
        self.assertEqual(self.kids(), [self.first.kid])

    def test_the_private_half_is_encrypted_and_nobody_reads_it(self):
        self.assertNotIn(self.first.sudo().secret, str(self.first.public))
        vault = self.env["project.project"]._get_vault()
        self.assertNotEqual(vault.decrypt(self.first.sudo().secret), self.first.sudo().secret)
        with self.assertRaises(AccessError):
            self.first.with_user(self.people["admin"]).read(["secret"])
        with self.assertRaises(AccessError):
            self.keys.with_user(self.people["manager"]).search([])

    def test_people_write_no_keys(self):
        with self.assertRaises(AccessError):
            self.first.with_user(self.people["admin"]).write({"state": "retired"})
        with self.assertRaises(AccessError):
            self.keys.with_user(self.people["admin"]).create({"kid": "own", "public": {}})

    def test_the_buttons_above_the_lists_of_keys_work_with_nothing_selected(self):
        for model in ("saas.key", "saas.openid.key"):
            keys = self.env[model].with_user(self.people["admin"])
            count = keys.search_count([])
            call_kw(keys, "action_rotate", [[]], {})
            self.assertGreater(keys.search_count([]), count)

    def test_an_announced_key_is_accepted_and_does_not_sign(self):
        second = self.announce()
        self.assertEqual(self.kids(), [self.first.kid, second.kid])
        self.assertEqual(self.keys._get_signing(), self.first)

    def test_there_is_one_announced_key_at_most(self):
        self.announce()
        with self.assertRaises(UserError):
            self.keys.action_rotate()

    def test_an_announced_key_signs_once_every_database_knows_it(self):
        instance = self.make_active()
        second = self.announce()
        self.keys._cron_rotate()
        self.assertEqual((self.first.state, second.state), ("signing", "announced"))
        instance._tell()
        told = instance.request_ids.filtered(lambda request: request.kind == "document")
        self.answer(told, "done", steps=[("write", {"written": True})])
        self.keys._cron_rotate()
        self.assertEqual((self.first.state, second.state), ("retired", "signing"))

    def test_a_database_that_cannot_be_told_holds_a_key_up_for_days_only(self):
        self.make_active()
        second = self.announce()
        with self.later(ANNOUNCED + timedelta(hours=1)):
            self.keys._cron_rotate()
        self.assertEqual(second.state, "signing")

    def test_a_retired_key_is_accepted_as_long_as_its_tickets_live(self):
        second = self.announce()
        second._promote()
        self.assertFalse(self.first.sudo().secret)
        self.assertEqual(self.kids(), [self.first.kid, second.kid])
        with self.later(STILL_ACCEPTED + timedelta(seconds=1)):
            self.assertEqual(self.kids(), [second.kid])

    def test_an_old_key_is_followed_by_a_new_one(self):
        self.keys._cron_rotate()
        self.assertEqual(len(self.kids()), 1)
        with self.later(SIGNS + timedelta(days=1)), self.capture_triggers() as triggers:
            self.keys._cron_rotate()
            self.assertEqual(len(self.kids()), 2)
        cron = self.env.ref("fleet_saas_portal.ir_cron_documents")
        self.assertIn(cron, triggers.records.cron_id)

    def test_a_revoked_key_is_accepted_no_more_and_another_signs(self):
        self.first.action_revoke()
        signing = self.keys._get_signing()
        self.assertNotEqual(signing, self.first)
        self.assertEqual(self.kids(), [signing.kid])

    def test_a_key_that_is_announced_follows_a_revoked_one(self):
        second = self.announce()
        self.first.action_revoke()
        self.assertEqual(self.kids(), [second.kid])
        self.assertEqual(second.state, "signing")

    def test_a_retired_key_never_signs_again(self):
        self.first.action_revoke()
        with self.assertRaises(ValueError):
            self.first._set_state("signing")

    def test_only_administrators_replace_and_revoke(self):
        keys = self.keys.with_user(self.people["manager"])
        with self.assertRaises(AccessError):
            keys.action_rotate()
        with self.assertRaises(AccessError):
            self.first.with_user(self.people["manager"]).action_revoke()

    def test_a_lost_encryption_key_is_told_in_words(self):
        self.first.sudo().secret = "gAAAAA"
        with self.assertRaisesRegex(UserError, "fleet_secret_keys"):
            self.first._sign(issuer="p", audience="d", login="a")


@tagged("post_install", "-at_install")
class TestRotation(SaasCase):
    """Another encryption key, for what the portal keeps encrypted."""

    def test_after_a_rotation_the_new_key_alone_opens_what_the_portal_keeps(self):
        self.server.api_key = "key-of-one"
        key = self.env["saas.key"]._get_signing()
        instance = self.make_active()
        request = instance.request_ids[:1]
        request._keep_secrets({"password_hash": "hashed"})
        wizard = self.env["saas.instance.wizard"].create(
            {"instance_id": instance.id, "kind": "administrator", "password": "typed by hand"}
        )
        self.env.flush_all()
        columns = [
            (self.server.sudo(), "api_key_secret"),
            (key.sudo(), "secret"),
            (request.sudo(), "secrets"),
            (wizard.sudo(), "hashed"),
        ]
        former = Vault(secret_keys())
        before = [former.decrypt(record[name]) for record, name in columns]
        self.assertEqual(before[0], "key-of-one")
        new = generate_key()
        rotate(self.env, Vault([new, *secret_keys()]))
        self.env.invalidate_all()
        self.assertEqual([Vault([new]).decrypt(record[name]) for record, name in columns], before)

    def test_every_column_for_encrypted_texts_is_known(self):
        labels = {place.label for place in places(self.env.registry)}
        self.assertGreaterEqual(
            labels,
            {
                "parameter fleet_databases.odoocom_key_secret",
                "project.project.database_api_key_secret",
                "saas.instance.wizard.hashed",
                "saas.key.secret",
                "saas.request.secrets",
                "saas.server.api_key_secret",
            },
        )
