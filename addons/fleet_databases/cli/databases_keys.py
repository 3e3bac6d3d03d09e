"""``odoo-bin databases_keys``: the encryption keys of stored secrets."""

import argparse
import sys
from inspect import cleandoc

from odoo import SUPERUSER_ID, api
from odoo.cli import Command
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.tools import config

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.rotation import rotate
from odoo.addons.fleet_databases.vault import Vault, VaultError, generate_key

EPILOG = """
examples:
  odoo-bin databases_keys generate
      print a new key for fleet_secret_keys in odoo.conf
  odoo-bin databases_keys rotate -c /etc/odoo/odoo.conf -d portal
      encrypt every stored secret anew with the first key of fleet_secret_keys: API keys,
      passwords of backups, signing keys; in the database of a portal or of a hosting server

to replace a key:
  1. put the new key in front:  fleet_secret_keys = NEW,OLD
  2. restart Odoo, run rotate on each database
  3. take the old key out:      fleet_secret_keys = NEW
"""


class DatabasesKeys(Command):
    """Make and replace the keys that encrypt stored secrets, of every Fleet addon."""

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
        parser.add_argument("-d", "--database", help="database whose secrets are rotated")
        parser.add_argument(
            "--skip-unreadable",
            action="store_true",
            help="leave what none of the keys opens as it is, and name it, instead of changing nothing",
        )
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
            count, left = self._rotate(options.database, options.skip_unreadable)
        except VaultError as error:
            label = getattr(error, "label", "")
            sys.exit(f"{label}: {error} Nothing was changed." if label else str(error))
        for label in left:
            print(f"{label}: none of the keys opens it; it was left as it is.", file=sys.stderr)
        print(f"{count} secret(s) of {options.database} are encrypted with the first key now.")

    def _rotate(self, database, skip):
        """Encrypt every stored secret of ``database`` anew, all of them or none."""
        vault = Vault(settings.secret_keys())
        registry = Registry(database)
        with registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            found = retrying(lambda: rotate(env, vault, skip), env)
        # Running servers keep the parameters in memory: tell them to read them again.
        registry.clear_cache("stable")
        registry.signal_changes()
        return found
