from datetime import timedelta

import jwt
from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.fleet_databases.rotation import places, rotate
from odoo.addons.fleet_databases.settings import secret_keys
from odoo.addons.fleet_databases.vault import Vault, generate_key

from ..models.saas_openid_key import SIGNS, STILL_ACCEPTED
from ..signup import digest
from .openid import OpenidCase


@tagged("post_install", "-at_install")
class TestOpenidClient(OpenidCase):
    def setUp(self):
        # Without a relying party: nothing is asked over HTTP here.
        super(OpenidCase, self).setUp()

    def test_only_addresses_that_nobody_else_hears_can_be_registered(self):
        for uri in (
            "http://wiki.example.com/callback",
            "http://127.0.0.1.evil.example/",
            "http://localhost@evil.example/",
            "https://user:pass@wiki.example.com/",
            "https://wiki.example.com/#part",
            "https://*.example.com/",
            "https://wiki.example.com/a b",
            'https://wiki.example.com/"',
            "https:///callback",
            "https://[wiki/",
            "https://wiki.example.com:port/",
            "javascript:alert(1)",
            "com.example.app:/callback",
            "//wiki.example.com",
            "",
            "https://wiki.example.com/" + "x" * 2000,
        ):
            with self.subTest(uri=uri), self.assertRaises(ValidationError):
                self.client.redirect_uris = uri
        for uri in (
            "https://wiki.example.com/?a=b&c=%20",
            "http://localhost/cb",
            "http://127.0.0.1:8/",
            "http://[::1]:8/",
        ):
            self.client.redirect_uris = uri
        with self.assertRaises(ValidationError):
            self.client.redirect_uris = "https://wiki.example.com/\nhttp://wiki.example.com/"

    def test_a_secret_is_shown_once_and_kept_as_its_hash(self):
        action = self.client.with_user(self.people["admin"]).action_new_secret()
        secret = action["context"]["default_secret"]
        self.assertEqual(self.client.sudo().secret_hash, digest(secret))
        self.assertTrue(self.client.secret_date)
        self.assertFalse(self.client._check_secret(self.secret))
        self.assertTrue(self.client._check_secret(secret))
        shown = self.env["saas.openid.secret"].with_context(action["context"])
        self.assertEqual(shown.default_get(["secret"]), {"secret": secret})
        with self.assertRaises(AccessError):
            self.client.with_user(self.people["admin"]).read(["secret_hash"])

    def test_a_browser_that_leaves_the_page_stores_no_secret_and_has_none_logged(self):
        shown = self.env["saas.openid.secret"].with_user(self.people["admin"])
        with self.assertNoLogs("odoo.sql_db", "ERROR"):
            self.assertFalse(shown.web_save({"secret": "x"}, {"secret": {}}))

    def test_an_app_without_a_secret_gets_none(self):
        self.client.is_public = True
        with self.assertRaises(UserError):
            self.client.action_new_secret()

    def test_a_copy_has_an_id_of_its_own_and_no_secret(self):
        copy = self.client.copy()
        self.assertNotEqual(copy.identifier, self.client.identifier)
        self.assertFalse(copy.sudo().secret_hash)

    def test_only_administrators_look_after_other_systems(self):
        self.client.with_user(self.people["admin"]).write({"name": "Our Wiki"})
        for name in ("manager", "user", "outsider"):
            client = self.client.with_user(self.people[name])
            for act in (
                lambda client=client: client.read(["name"]),
                lambda client=client: client.search([]),
                lambda client=client: client.write({"redirect_uris": "https://evil.example/"}),
                lambda client=client: client.copy(),
                lambda client=client: client.unlink(),
                lambda client=client: client.action_new_secret(),
                lambda client=client: client.env["saas.openid.login"].search([]),
                lambda client=client: client.env["saas.openid.key"].search([]),
                lambda client=client: client.env["saas.openid.key"].action_rotate(),
            ):
                with self.assertRaises(AccessError):
                    act()
        with self.assertRaises(AccessError):
            self.client.with_user(self.ann).read(["name"])

    def test_who_may_only_look_makes_no_secret(self):
        self.env["ir.model.access"].create(
            {
                "name": "Managers look",
                "model_id": self.env["ir.model"]._get_id("saas.openid.client"),
                "group_id": self.env.ref("fleet_saas_portal.group_saas_manager").id,
                "perm_read": True,
            }
        )
        client = self.client.with_user(self.people["manager"])
        self.assertEqual(client.name, "Wiki")
        with self.assertRaises(AccessError):
            client.action_new_secret()

    def test_administrators_write_no_logins_and_no_keys(self):
        admin = self.env(user=self.people["admin"])
        values = {
            "client_id": self.client.id,
            "user_id": self.max.id,
            "scope": "openid",
            "redirect_uri": "https://wiki.example.com/",
        }
        with self.assertRaises(AccessError):
            admin["saas.openid.login"].create(values)
        with self.assertRaises(AccessError):
            admin["saas.openid.key"].create({"kid": "own", "public": {}})

    def test_old_logins_are_forgotten(self):
        Login = self.env["saas.openid.login"]
        values = {"scope": "openid", "redirect_uri": "https://wiki.example.com/"}
        login = Login._begin("code", self.client, self.max, **values)
        Login._gc_logins()
        self.assertTrue(login.exists())
        with freeze_time(fields.Datetime.now() + timedelta(days=91)):
            Login._gc_logins()
        self.assertFalse(login.exists())


@tagged("post_install", "-at_install")
class TestOpenidKey(OpenidCase):
    def setUp(self):
        super(OpenidCase, self).setUp()
        self.keys = self.env["saas.openid.key"]
        self.first = self.keys._get_signing()

    def kids(self):
        return [key["kid"] for key in self.keys._get_accepted()]

    def signer(self):
        token = self.keys._get_signing()._sign({"sub": "1"}, "access")
        return jwt.get_unverified_header(token)["kid"]

    def test_the_first_key_is_made_with_the_first_system_and_is_encrypted(self):
        self.assertEqual(self.kids(), [self.first.kid])
        secret = self.first.sudo().secret
        vault = self.env["project.project"]._get_vault()
        self.assertIn("PRIVATE KEY", vault.decrypt(secret))
        self.assertNotIn("PRIVATE KEY", secret)
        with self.assertRaises(AccessError):
            self.first.with_user(self.people["admin"]).read(["secret"])

    def test_a_new_key_signs_at_once_and_the_former_one_is_accepted_for_a_day(self):
        self.keys.with_user(self.people["admin"]).action_rotate()
        second = self.keys._get_signing()
        self.assertEqual(self.kids(), [second.kid, self.first.kid])
        self.assertEqual(self.signer(), second.kid)
        self.assertFalse(self.first.sudo().secret)
        with freeze_time(fields.Datetime.now() + STILL_ACCEPTED + timedelta(seconds=1)):
            self.assertEqual(self.kids(), [second.kid])

    def test_an_old_key_is_followed_by_a_new_one(self):
        with freeze_time(fields.Datetime.now() + SIGNS + timedelta(days=1)):
            self.assertNotEqual(self.signer(), self.first.kid)

    def test_a_revoked_key_is_published_no_more(self):
        self.first.with_user(self.people["admin"]).action_revoke()
        self.assertEqual(self.kids(), [self.keys._get_signing().kid])
        self.assertNotIn(self.first.kid, self.kids())

    def test_a_lost_encryption_key_is_told_in_words(self):
        self.first.sudo().secret = "gAAAAA"
        with self.assertRaisesRegex(UserError, "fleet_secret_keys"):
            self.first._sign({"sub": "1"}, "access")

    def test_the_key_is_encrypted_anew_with_the_others(self):
        self.assertIn(
            "saas.openid.key.secret", {place.label for place in places(self.env.registry)}
        )
        self.env.flush_all()
        new = generate_key()
        rotate(self.env, Vault([new, *secret_keys()]))
        self.env.invalidate_all()
        self.assertIn("PRIVATE KEY", Vault([new]).decrypt(self.first.sudo().secret))
