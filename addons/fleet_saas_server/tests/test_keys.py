import os
from unittest.mock import patch

from cryptography.fernet import Fernet, InvalidToken
from psycopg2 import OperationalError

from odoo.exceptions import ConcurrencyError
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL, mute_logger

# Not installed where this server is: only its files have to be in the path of addons.
from odoo.addons.fleet_databases.rotation import places, rotate
from odoo.addons.fleet_databases.vault import Vault, VaultError, generate_key

from .. import settings
from ..models.saas_backup import SIGNING_KEY
from ..models.saas_database_document import DOCUMENT_KEY
from ..models.saas_database_move import HANDOVER_KEY
from .test_life import HASH, LifeCase

TOKEN = "gAAAAA[A-Za-z0-9_-]{60,}={0,2}"


@tagged("post_install", "-at_install")
class TestKeys(LifeCase):
    """Another encryption key, for everything that this server keeps encrypted."""

    def setUp(self):
        super().setUp()
        self.old, self.new = generate_key(), generate_key()
        self.startPatcher(patch.dict(os.environ, {"FLEET_SECRET_KEYS": self.old}))
        backups = self.env["saas.backup"]
        self.signing, self.document = backups._get_signing_key(), self.databases._get_document_key()
        self.place = self.env["saas.backup.place"].create(
            {
                "name": "Bucket",
                "kind": "s3",
                "location": "https://s3.example.com/bucket",
                "secret_key": "of the bucket",
            }
        )
        self.repository = self.env["saas.backup.repository"]._get(self.acme, self.place)
        self.password = self.repository._get_secrets()
        self.asked = self.submit("administrator", password_hash=HASH)
        self.env.flush_all()

    def tokens(self):
        """Return every encrypted text in every table, with its column."""
        self.env.flush_all()
        columns = self.env.execute_query(
            SQL("""
                SELECT c.table_name, c.column_name FROM information_schema.columns c
                  JOIN information_schema.tables t USING (table_schema, table_name)
                 WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
                   AND c.data_type IN ('text', 'character varying', 'jsonb', 'json')""")
        )
        found = {}
        for table, column in columns:
            query = SQL(
                "SELECT (regexp_matches(%s::text, %s, 'g'))[1] FROM %s",
                SQL.identifier(column),
                TOKEN,
                SQL.identifier(table),
            )
            for (token,) in self.env.execute_query(query):
                found[token] = f"{table}.{column}"
        return found

    def opened(self, key):
        """Return the columns with texts that this key alone opens."""
        found = set()
        for token, column in self.tokens().items():
            try:
                Fernet(key).decrypt(token.encode())
                found.add(column)
            except InvalidToken:
                continue
        return found

    def test_after_a_rotation_the_new_key_alone_opens_everything(self):
        expected = {
            "ir_config_parameter.value",
            "saas_backup_place.secret",
            "saas_backup_repository.secret",
            "saas_operation.request",
        }
        self.assertEqual(self.opened(self.old), expected)
        count, left = rotate(self.env, Vault([self.new, self.old]))
        self.assertGreaterEqual(count, 5)
        self.assertEqual(left, [])
        self.assertEqual((self.opened(self.old), self.opened(self.new)), (set(), expected))
        self.env.invalidate_all()
        self.env.registry.clear_cache("stable")
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": self.new}):
            signing = self.env["saas.backup"]._get_signing_key()
            self.assertEqual(signing.private_bytes_raw(), self.signing.private_bytes_raw())
            self.assertEqual(self.databases._get_document_key(), self.document)
            self.assertEqual(self.repository._get_secrets(), self.password)
            secrets = self.databases._get_operation_secrets(self.asked)
            self.assertEqual(secrets["password_hash"], HASH)

    def test_without_the_key_it_was_made_with_a_request_is_refused_in_words(self):
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": self.new}):
            self.refused("fleet_secret_keys in odoo.conf no longer holds", "backup")

    def test_every_column_for_encrypted_texts_is_known(self):
        labels = {place.label for place in places(self.env.registry)}
        self.assertGreaterEqual(
            labels,
            {
                "parameter fleet_saas_server.document_key",
                "parameter fleet_saas_server.signing_key",
                "saas.backup.place.secret",
                "saas.backup.repository.secret",
                "saas.database.template.version.edit_password",
                "saas.operation.request.link_key",
                "saas.operation.request.password",
            },
        )

    def test_what_no_key_opens_stops_it_unless_it_may_be_left(self):
        self.repository.secret = settings.encrypt("x")[:-8] + "AAAAAA=="
        self.env.flush_all()
        vault = Vault([self.new, self.old])
        with self.assertRaises(VaultError) as caught, self.env.cr.savepoint():
            rotate(self.env, vault)
        label = f"saas.backup.repository.secret {self.repository.id}"
        self.assertEqual(caught.exception.label, label)
        self.assertEqual(self.opened(self.new), set())
        _count, left = rotate(self.env, vault, skip=True)
        self.assertEqual(left, [label])
        self.assertEqual(self.opened(self.old), set())


@tagged("post_install", "-at_install")
class TestRivals(TransactionCase):
    """Two that need a key of the server's first: one makes it, the other one is asked to look again."""

    def test_a_key_that_a_rival_has_made_is_made_no_second_time(self):
        self.startPatcher(patch.dict(os.environ, {"FLEET_SECRET_KEYS": generate_key()}))
        databases = self.env["saas.database"]
        for make, parameter in (
            (self.env["saas.backup"]._get_signing_key, SIGNING_KEY),
            (databases._get_document_key, DOCUMENT_KEY),
            (databases._get_handover_key, HANDOVER_KEY),
        ):
            self.assertFalse(self.env["ir.config_parameter"].get_param(parameter))
            self.commit("INSERT INTO ir_config_parameter (key, value) VALUES (%s, 'x')", parameter)
            self.addCleanup(
                self.commit, "DELETE FROM ir_config_parameter WHERE key = %s", parameter
            )
            with mute_logger("odoo.sql_db"), self.assertRaises(ConcurrencyError):
                make()

    def commit(self, query, *values):
        with self.registry.cursor() as cr:
            cr.execute(query, values)

    def test_secrets_that_cannot_be_read_are_the_operations_failure_in_words(self):
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": generate_key()}):
            self.env["saas.database"]._get_document_key()
            operation = self.env["saas.operation"].create(
                {"kind": "document", "target": "acme", "key": "document-of-acme"}
            )
            secrets, refusal = operation._read_secrets()
            self.assertEqual((list(secrets), refusal), (["document_key"], None))
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": generate_key()}):
            self.assertEqual(operation._read_secrets()[1].code, "wrong_secret_key")
        # PostgreSQL will be back: then the operation is run.
        away = patch.object(
            type(self.env["saas.database"]),
            "_get_operation_secrets",
            side_effect=OperationalError("server closed the connection unexpectedly"),
        )
        with away, self.assertRaises(OperationalError):
            operation._read_secrets()
        # A version that was discarded has no password any more.
        operation.write({"kind": "template_publish", "res_id": 0})
        with self.assertLogs("odoo.addons.fleet_saas_server", "ERROR"):
            self.assertEqual(operation._read_secrets()[1].code, "unexpected")
