from cryptography.fernet import Fernet

from odoo.exceptions import UserError
from odoo.tests import tagged

from .. import settings
from .test_life import LifeCase


@tagged("post_install", "-at_install")
class TestLinkKey(LifeCase):
    """Who asks for a link to choose a password may give the key that it is encrypted with."""

    def key(self, operation):
        return settings.decrypt(operation.request["link_key"])

    def test_the_given_key_encrypts_the_link_and_is_kept_encrypted(self):
        given = Fernet.generate_key().decode()
        operation = self.submit("administrator", link=True, link_key=given)
        self.assertEqual(self.key(operation), given)
        self.assertNotIn(given, str(operation.request))
        secrets = self.databases._get_operation_secrets(operation)
        self.assertEqual(secrets["link_key"], given)

    def test_without_one_every_operation_has_its_own(self):
        keys = {self.key(self.submit("administrator", link=True)) for _time in range(2)}
        self.assertEqual(len(keys), 2)
        for key in keys:
            Fernet(key)

    def test_what_is_no_key_or_has_no_link_is_refused(self):
        given = Fernet.generate_key().decode()
        self.refused("ask for a link, too", "administrator", login="boss", link_key=given)
        for wrong in ("short", given[:-1], given + "=", " " + given):
            with self.subTest(wrong=wrong), self.assertRaises(UserError):
                self.submit("administrator", link=True, link_key=wrong)
