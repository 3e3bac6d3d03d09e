"""``odoo-bin databases_keys``: the encryption keys of stored API keys."""

import argparse
import sys
from inspect import cleandoc

from odoo.cli import Command
from odoo.modules.registry import Registry
from odoo.tools import config

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.models.databases_odoocom import SECRET_PARAMETER
from odoo.addons.fleet_databases.vault import Vault, VaultError, generate_key

EPILOG = """
examples:
  odoo-bin databases_keys generate
      print a new key for fleet_secret_keys in odoo.conf
  odoo-bin databases_keys rotate -c /etc/odoo/odoo.conf -d portal
      encrypt every stored API key anew with the first key of fleet_secret_keys

to replace a key:
  1. put the new key in front:  fleet_secret_keys = NEW,OLD
  2. restart Odoo, run rotate on each database
  3. take the old key out:      fleet_secret_keys = NEW
"""

QUERIES = (
    # (what, select id and token, update)
    (
        "database",
        "SELECT id, database_api_key_secret FROM project_project WHERE database_api_key_secret IS NOT NULL FOR UPDATE",
        "UPDATE project_project SET database_api_key_secret = %s WHERE id = %s",
    ),
    (
        "Odoo.com account",
        "SELECT id, value FROM ir_config_parameter WHERE key = %(parameter)s FOR UPDATE",
        "UPDATE ir_config_parameter SET value = %s WHERE id = %s",
    ),
)


class DatabasesKeys(Command):
    """Make and replace the keys that encrypt the API keys of databases."""

    name = "databases_keys"
    epilog = EPILOG

    def run(self, args):
        """Run the command line ``args``; exit with 1 and one sentence when it cannot be done."""
        parser = argparse.ArgumentParser(
            prog=self.prog,
            description=cleandoc(self.__doc__),
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("action", choices=["generate", "rotate"])
        parser.add_argument("-c", "--config", help="odoo.conf of the server")
        parser.add_argument("-d", "--database", help="database whose API keys are rotated")
        options, server_args = parser.parse_known_args(args)
        if options.action == "generate":
            print(generate_key())
            return
        if not options.database:
            parser.error("rotate needs the name of a database: -d NAME")
        if options.config:
            server_args += ["-c", options.config]
        config.parse_config([*server_args, "-d", options.database], setup_logging=True)
        try:
            count = self._rotate(options.database)
        except VaultError as error:
            sys.exit(str(error))
        print(f"{count} API key(s) of {options.database} are encrypted with the first key now.")

    def _rotate(self, database):
        """Encrypt every stored key of ``database`` anew, all of them or none; return how many."""
        vault = Vault(settings.secret_keys())
        count = 0
        registry = Registry(database)
        with registry.cursor() as cr:
            for what, select, update in QUERIES:
                cr.execute(select, {"parameter": SECRET_PARAMETER})
                for record_id, token in cr.fetchall():
                    try:
                        cr.execute(update, [vault.rotate(token), record_id])
                    except VaultError as error:
                        raise SystemExit(
                            f"{what} {record_id}: {error} Nothing was changed."
                        ) from error
                    count += 1
        # Running servers keep the parameters in memory: tell them to read them again.
        registry.clear_cache("stable")
        registry.signal_changes()
        return count
