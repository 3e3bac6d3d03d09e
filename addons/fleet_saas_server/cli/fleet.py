"""``odoo-bin fleet``: what the Hosting app does, at the command line and by the same operations."""

import logging
import sys
from inspect import cleandoc

from odoo import SUPERUSER_ID, api
from odoo.cli import Command
from odoo.exceptions import UserError
from odoo.modules.registry import Registry
from odoo.tools import config

from odoo.addons.fleet_saas_server.command import follow, show, verbs

DONE, FAILED, WRONG, REFUSED, WAITING = range(5)


class Fleet(Command):
    """Host Odoo databases on this machine: make, copy, back up, restore, suspend and drop them.

    Every verb goes through the same operations as the Hosting app. When no runner of the server
    is there to do it, it is done here, so it also works while Odoo is down.
    """

    name = "fleet"

    def run(self, args):
        """Run the command line ``args`` and exit with one of the codes that its help lists."""
        options = verbs.parser(self.prog, cleandoc(self.__doc__)).parse_args(args)
        verb = next(verb for verb in verbs.VERBS if verb.name == options.verb)
        database = self._configure(options)
        try:
            with Registry(database).cursor() as cr:
                env = api.Environment(cr, SUPERUSER_ID, {"lang": "en_US"})
                if "saas.operation" not in env:
                    raise verbs.Usage(
                        f"{database} is no server database: Hosting Server is not installed"
                    )
                code = self._do(env, verb, options)
        except verbs.Usage as error:
            sys.stderr.write(f"{self.prog}: {error}\n")
            code = WRONG
        except UserError as error:
            sys.stderr.write(f"{error.args[0]}\n")
            code = REFUSED
        sys.exit(code)

    def _configure(self, options):
        """Read odoo.conf and return the name of the server database."""
        server_args = ["--no-http", "--log-level=warn"]
        if options.config:
            server_args += ["-c", options.config]
        if options.database:
            server_args += ["-d", options.database]
        config.parse_config(server_args, setup_logging=True)
        logging.getLogger("odoo.addons.fleet_saas_server").setLevel(logging.WARNING)
        if len(config["db_name"]) != 1:
            sys.stderr.write(f"{self.prog}: name the server database: -d NAME\n")
            sys.exit(WRONG)
        return config["db_name"][0]

    def _do(self, env, verb, options):
        wanted = verb.ask(options) if verb.ask else []
        if not wanted:
            return show.show(env, verb.name, options)
        if verb.destroys and not self._is_agreed(wanted, options):
            return DONE if options.dry_run else REFUSED
        operations = self._submit(env, wanted, options)
        codes = [self._finish(env, operation, options) for operation in operations]
        env.invalidate_all()
        if options.json:
            sys.stdout.write(verbs.to_json([one._get_status() for one in operations]) + "\n")
        return max(codes)

    def _is_agreed(self, wanted, options):
        """Say what will happen and ask, as far as the options want it."""
        lines = [f"{kind} {target} {arguments or ''}".strip() for kind, target, arguments in wanted]
        if options.dry_run:
            sys.stdout.write("\n".join(f"would ask for: {line}" for line in lines) + "\n")
            return False
        if options.yes:
            return True
        if not sys.stdin.isatty():
            sys.stderr.write("This needs --yes, since nobody is here to ask.\n")
            return False
        sys.stderr.write("\n".join(lines) + "\nGo on? [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _submit(self, env, wanted, options):
        """Record all operations or, when one is refused, none."""
        operations = env["saas.operation"]
        for number, (kind, target, arguments) in enumerate(wanted):
            key = options.key and (f"{options.key}:{number}" if len(wanted) > 1 else options.key)
            operations |= operations._submit(kind, target, arguments, key)
        env.cr.commit()  # from here on the operation exists, whatever becomes of this process
        return operations

    def _finish(self, env, operation, options):
        """Wait for an operation and say how it ended; return the exit code."""
        if options.no_wait:
            sys.stderr.write(f"{operation.name}: number {operation.id}, key {operation.key}\n")
            return WAITING if operation.state in ("queued", "running", "undoing") else DONE
        watched = sys.stderr.isatty() and not options.json
        state = follow.follow(
            operation._get_host(),
            operation.id,
            run=env["saas.operation"]._run_outside,
            show=watched,
            wait_for_runner=env["saas.operation"]._has_runner(),
        )
        env.cr.rollback()  # a new snapshot, to see what the runner wrote
        env.invalidate_all()
        text = "done" if state == "done" else f"{state}. {operation.error or ''}"
        sys.stderr.write(f"{operation.name}: {text}\n")
        return DONE if state == "done" else FAILED
