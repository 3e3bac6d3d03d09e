"""``odoo-bin fleet``: what the Hosting app does, at the command line and by the same operations."""

import contextlib
import getpass
import logging
import os
import shutil
import sys
from inspect import cleandoc

from odoo.cli import Command
from odoo.tools import config

from odoo.addons.fleet_saas_server import settings
from odoo.addons.fleet_saas_server.command import follow, preview, show, verbs
from odoo.addons.fleet_saas_server.command.wanted import Usage
from odoo.addons.fleet_saas_server.hosting import archive_work
from odoo.addons.fleet_saas_server.hosting.errors import HostingError
from odoo.addons.fleet_saas_server.hosting.journal import ACTIVE

DONE, FAILED, WRONG, REFUSED, WAITING = range(5)
# What the command line itself got wrong, among the reasons to refuse a request.
MISUSED = (
    "bad_argument",
    "unknown_argument",
    "missing_argument",
    "bad_idempotency_key",
    "bad_name",
)
_UPLOAD = "SELECT request ->> 'upload' AS upload FROM saas_operation WHERE key = %s"
_logger = logging.getLogger(__name__)


class Fleet(Command):
    """Host Odoo databases on this machine: make, copy, back up, restore, suspend and drop them.

    Every verb goes through the same operations as the Hosting app. When no runner of the server
    is there to do it, it is done here, so it also works while Odoo is down. Run it as Odoo's user.
    """

    name = "fleet"

    def run(self, args):
        """Run the command line ``args`` and exit with one of the codes that its help lists."""
        options = verbs.parser(cleandoc(self.__doc__)).parse_args(args)
        try:
            code = self._answer(options)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more may be written at the exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = DONE
        except KeyboardInterrupt:
            code = self._say("Nothing was asked for.", FAILED)
        except Usage as error:
            code = self._say(f"{verbs.PROG}: {error}.", WRONG)
        except HostingError as error:
            code = self._say(error, FAILED if error.retryable else _code_of(error))
        except Exception as error:
            _logger.exception("odoo-bin fleet %s", options.verb)
            more = "" if options.verbose else " Try again with --verbose to see the details."
            code = self._say(f"This failed unexpectedly ({type(error).__name__}).{more}", FAILED)
        sys.exit(code)

    def _say(self, text, code):
        sys.stderr.write(f"{text}\n")
        return code

    def _answer(self, options):
        verb = verbs.VERBS[options.verb]
        host = self._get_host(options)
        if options.verb in ("list", "info") or getattr(options, "action", "") == "list":
            show.show(host, options)
            return DONE
        wanted = verb.ask(options) if verb.ask else []
        with _uploaded(host, options), self._environment(host.server_database) as env:
            from odoo.exceptions import UserError

            try:
                if options.verb == "kit":
                    return self._print_kit(env, options)
                if options.verb == "wait":
                    operations = self._find(env, options.number)
                else:
                    operations = self._ask(env, host, wanted, options)
            except UserError as error:
                return self._say(error.args[0], _code_of(error.__cause__))
            if operations is None:
                return REFUSED
            if not operations:
                return DONE
            return self._finish(env, host, operations, options)

    # --- the server

    def _get_host(self, options):
        """Read odoo.conf and return this machine, without loading Odoo's models.

        :raises Usage: no server database is named, or it is none
        """
        level = "info" if options.verbose else "warn"
        arguments = ["--no-http", "--stop-after-init", f"--log-level={level}"]
        arguments += ["-c", options.config] if options.config else []
        arguments += ["-d", options.database] if options.database else []
        if options.config and not os.path.isfile(options.config):
            raise Usage(f"there is no file {options.config}")
        config.parse_config(arguments, setup_logging=True)
        if not (options.verbose or config["logfile"]):
            # What matters is said in one sentence; the log would be in its way.
            logging.disable(logging.CRITICAL)
        names = config["db_name"]
        if len(names) != 1:
            raise Usage("name the server database: -d NAME")
        return settings.host(names[0], self._read_uuid(names[0]))

    def _read_uuid(self, database):
        query = """SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid') AS uuid
                    WHERE EXISTS (SELECT FROM ir_module_module WHERE name = 'fleet_saas_server'
                                     AND state IN ('installed', 'to upgrade'))"""
        cluster = settings.cluster()
        try:
            with cluster.cursor(database) as cr:
                cr.execute("SELECT to_regclass('ir_module_module') IS NOT NULL")
                found = cr.fetchone()[0] and show.read(cluster, database, query)
        except HostingError as error:
            if error.code == "no_database":
                raise Usage(f"there is no database {database}") from error
            raise
        if not found:
            raise Usage(f"{database} is no server database: Hosting Server is not installed in it")
        return found[0]["uuid"]

    @contextlib.contextmanager
    def _environment(self, database):
        # Loading Odoo's models takes seconds, which only a change is worth.
        from odoo import SUPERUSER_ID, api
        from odoo.modules.registry import Registry

        with Registry(database).cursor() as cr:
            try:
                yield api.Environment(cr, SUPERUSER_ID, {"lang": "en_US"})
            finally:
                # What is to stay was committed where it happened; half a request is none.
                cr.rollback()

    # --- asking

    def _ask(self, env, host, wanted, options):
        """Record what is wanted; return the operations, None when somebody did not agree."""
        wanted = [_complete(env, options, *one) for one in wanted]
        if options.dry_run:
            show.say(self._preview(env, host, wanted, options), json=options.json)
            return env["saas.operation"]
        if not getattr(options, "yes", True) and _takes_away(wanted):
            if not sys.stdin.isatty():
                self._say("This needs --yes, since nobody is here to ask.", REFUSED)
                return None
            sys.stderr.write(show.words(self._preview(env, host, wanted, options)))
            sys.stderr.write("Go on? [y/N] ")
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                self._say("Nothing was done.", REFUSED)
                return None
        return self._submit(env, wanted, options)

    def _preview(self, env, host, wanted, options):
        """Return what would happen: all of it is recorded, looked at and taken back."""
        facts = preview.preview(self._record(env, wanted, options), host)
        env.cr.rollback()
        env.invalidate_all()
        return facts

    def _record(self, env, wanted, options):
        """Record all operations or, when one is refused, none."""
        operations = env["saas.operation"]
        for number, (kind, target, arguments) in enumerate(wanted):
            key = options.key and (f"{options.key}:{number}" if len(wanted) > 1 else options.key)
            operations |= operations._submit(kind, target, arguments, key)
        return operations

    def _submit(self, env, wanted, options):
        operations = self._record(env, wanted, options)
        env.cr.commit()  # from here on they exist, whatever becomes of this process
        if getattr(options, "upload", ""):
            options.upload = ""  # it is the operation's now
        return operations

    def _find(self, env, numbers):
        operations = env["saas.operation"].browse(numbers)
        missing = operations - operations.exists()
        if missing:
            raise Usage(f"there is no operation {missing[0].id}")
        return operations

    # --- waiting

    def _finish(self, env, host, operations, options):
        """Wait for the operations and say how they ended; return the worst exit code."""
        try:
            codes = [self._follow(env, host, each, options) for each in operations]
        except KeyboardInterrupt:
            env.cr.rollback()
            env.invalidate_all()
            return self._leave(env, operations)
        if options.json:
            show.say([operation._get_status() for operation in operations], json=True)
        if getattr(options, "to", None) and codes == [DONE]:
            self._move(host, operations, options)
        return max(codes)

    def _follow(self, env, host, operation, options):
        if getattr(options, "no_wait", False):
            self._say(f"{operation.name}: number {operation.id}, key {operation.key}", DONE)
            return WAITING if operation.state in ACTIVE else DONE
        runner = env["saas.operation"]._has_runner()
        number = operation.id
        env.cr.rollback()  # no transaction of ours stays open meanwhile
        state = follow.follow(
            host,
            number,
            run=env["saas.operation"]._run_outside,
            show=sys.stderr.isatty() and not options.json,
            wait_for_runner=runner,
        )
        env.cr.rollback()  # a new snapshot, to see what the runner wrote
        env.invalidate_all()
        if state == "done":
            made = "" if getattr(options, "to", None) else _made(host, operation)
            return self._say(f"{operation.name}: done{made}", DONE)
        reason = f" {operation.error}" if operation.error else ""
        return self._say(f"{operation.name}: {state}.{reason}", FAILED)

    def _leave(self, env, operations):
        """Say how to look after what goes on without us."""
        sys.stderr.write("\n")
        left = operations.filtered(lambda one: one.state in ACTIVE)
        numbers = " ".join(str(one.id) for one in left)
        fate = (
            "It goes on without you"
            if env["saas.operation"]._has_runner()
            else "Whoever runs operations next finishes it"
        )
        for operation in left:
            self._say(f"{operation.name} (number {operation.id}) has not ended. {fate}.", WAITING)
        if not left:
            return DONE
        return self._say(f"Follow it again: {verbs.PROG} wait {numbers}", WAITING)

    # --- archives and kits

    def _move(self, host, operations, options):
        """Move the finished archive where it was asked for."""
        path = archive_work.export_path(host, operations.archive_file)
        if not path:
            raise Usage("the archive of this operation is not kept any longer")
        try:
            shutil.move(path, options.to)
        except OSError as error:
            raise Usage(f"the archive stays in {path}: {error.strerror}") from error

    def _print_kit(self, env, options):
        databases = env["saas.database"].with_context(active_test=False)
        database = databases.search([("name", "=", options.name)], order="id DESC", limit=1)
        if not database:
            raise HostingError("no_database", name=options.name)
        who = env._("%s, at the command line,", getpass.getuser())
        for kit in database._get_kits(who):
            sys.stdout.write(kit.text())
        env.cr.commit()  # the line that says who had it
        return DONE


def _code_of(error):
    return WRONG if isinstance(error, HostingError) and error.code in MISUSED else REFUSED


def _takes_away(wanted):
    from odoo.addons.fleet_saas_server.hosting.kinds import KINDS

    hiding = ("suspend", "archive")  # nothing is lost, but people are shut out
    return any(kind in hiding or KINDS[kind].destroys for kind, _target, _arguments in wanted)


def _complete(env, options, kind, target, arguments):
    """Fill in what was not known before: the name of the upload, the newest snapshot."""
    if kind in ("import_archive", "template_import"):
        arguments = arguments | {"upload": options.upload}
    if kind == "revert" and not arguments.get("snapshot"):
        snapshot = env["saas.database"]._get_by_name(target).snapshot_ids[:1]
        arguments = {"snapshot": snapshot.physical or "none"}
    return kind, target, arguments


def _made(host, operation):
    """Return where to find what an operation made."""
    path = archive_work.export_path(host, operation.archive_file)
    return f", {path}" if path else ""


@contextlib.contextmanager
def _uploaded(host, options):
    """Give the archive of ``import`` or ``template build`` to the server; it is removed again unless
    an operation has it."""
    file = options.file if options.verb == "import" else getattr(options, "archive", None)
    if not file:
        yield
        return
    if options.key and (
        known := show.read(host.cluster, host.server_database, _UPLOAD, options.key)
    ):
        # Asked again with the same key, it has to be the same request.
        options.upload = known[0]["upload"]
        yield
        return
    try:
        with open(file, "rb") as source:
            options.upload = archive_work.copy_upload(host, source, lambda _done: None)
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}") from error
    try:
        yield
    finally:
        if options.upload:
            archive_work.upload_path(host, options.upload).unlink()
