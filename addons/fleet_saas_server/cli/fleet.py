"""``odoo-bin fleet``: what the Hosting app does, at the command line and by the same operations."""

import contextlib
import getpass
import logging
import os
import shutil
import sys
from inspect import cleandoc

from psycopg2.errors import UndefinedColumn, UndefinedTable

from odoo.cli import Command
from odoo.tools import config

from odoo.addons.fleet_saas_server import settings
from odoo.addons.fleet_saas_server.command import follow, preview, show, told, verbs
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
OUTDATED = (
    "The server database is older than these addons: odoo-bin -u fleet_saas_server updates it."
)
_UPLOAD = """SELECT request ->> 'upload' AS upload FROM saas_operation
              WHERE key = %s AND request ->> 'upload' IS NOT NULL"""
_logger = logging.getLogger(__name__)


class Fleet(Command):
    """Host Odoo databases on this machine: make, copy, back up, restore, suspend and drop them.

    Every verb goes through the same operations as the Hosting app. When no runner of the server
    is there to do it, it is done here, so it also works while Odoo is down. Run it as Odoo's user.
    """

    name = "fleet"

    def run(self, args):
        """Run the command line ``args`` and exit with one of the codes that its help lists."""
        self._code = DONE  # known before it is told: nobody may be left to listen
        self._json = "--json" in args
        try:
            code = self._answer(verbs.parser(cleandoc(self.__doc__)).parse_args(args))
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more may be written at the exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = self._code
        except KeyboardInterrupt:
            code = self._refuse("interrupted", "Nothing was asked for.", FAILED)
        except Usage as error:
            code = self._refuse("usage", f"{verbs.PROG}: {error}.", WRONG)
        except HostingError as error:
            number = FAILED if error.retryable else _code_of(error)
            code = self._refuse(error.code, str(error), number)
        except (UndefinedColumn, UndefinedTable):
            code = self._refuse("outdated", OUTDATED, FAILED)
        except Exception as error:
            _logger.exception("odoo-bin fleet %s", " ".join(args[:1]))
            words = (
                f"This failed unexpectedly ({type(error).__name__}). --verbose shows the details."
            )
            code = self._refuse("unexpected", words, FAILED)
        sys.exit(code)

    def _say(self, text, code):
        with contextlib.suppress(BrokenPipeError):
            sys.stderr.write(f"{text}\n")
        return code

    def _refuse(self, name, text, code):
        """Say why nothing was asked for, to people and, with ``--json``, to programs too."""
        self._say(text, code)
        if self._json:
            with contextlib.suppress(BrokenPipeError):
                show.say({"error": {"code": name, "message": text}, "exit": code}, json=True)
                sys.stdout.flush()
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
                    numbers = self._find(env, options.number)
                else:
                    numbers = self._ask(env, host, wanted, options)
            except UserError as error:
                name = getattr(error.__cause__, "code", "refused")
                return self._refuse(name, error.args[0], _code_of(error.__cause__))
        if numbers is None:
            return REFUSED
        return self._finish(host, numbers, options) if numbers else DONE

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
        """Record what is wanted; return the operations' numbers, None when nobody agreed."""
        wanted = [_complete(env, options, *one) for one in wanted]
        if options.dry_run:
            show.say(self._preview(env, host, wanted, options), json=options.json)
            return []
        if not getattr(options, "yes", True) and _takes_away(wanted):
            # What would be refused anyway is refused now.
            preview_words = show.words(self._preview(env, host, wanted, options))
            if not sys.stdin.isatty():
                text = "This needs --yes, since nobody is here to ask."
                self._refuse("not_agreed", text, REFUSED)
                return None
            sys.stderr.write(f"{preview_words}Go on? [y/N] ")
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                self._refuse("not_agreed", "Nothing was done.", REFUSED)
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
        return operations.ids

    def _find(self, env, numbers):
        operations = env["saas.operation"].browse(numbers)
        missing = operations - operations.exists()
        if missing:
            raise Usage(f"there is no operation {missing[0].id}")
        return operations.ids

    # --- waiting

    def _finish(self, host, numbers, options):
        """Wait for the operations and say how they ended; return the worst exit code."""
        codes, left = [], False
        try:
            for number in numbers:
                codes.append(self._follow(host, number, options))
                self._code = max(codes)
        except (KeyboardInterrupt, follow.Lost) as error:
            self._code = WAITING
            if isinstance(error, follow.Lost):
                return self._refuse("lost", f"{error} {_again(numbers)}", WAITING)
            left = True
        with self._environment(host.server_database) as env:
            operations = env["saas.operation"].browse(numbers)
            if left:
                self._code = self._leave(env, operations)
            elif getattr(options, "to", None) and codes == [DONE]:
                self._code = self._move(host, operations, options)
            if options.json:
                show.say([told.status(operation) for operation in operations], json=True)
            elif not left and not getattr(options, "no_wait", False):
                sys.stdout.write("".join(map(told.result, operations)))
        return self._code

    def _follow(self, host, number, options):
        with self._environment(host.server_database) as env:
            model = env["saas.operation"]
            operation, runner = model.browse(number), model._has_runner()
            if getattr(options, "no_wait", False):
                self._say(f"{operation.name}: number {number}, key {operation.key}", DONE)
                return WAITING if operation.state in ACTIVE else DONE
        # No connection of ours is open meanwhile: PostgreSQL may be restarted.
        state = follow.follow(
            host,
            number,
            run=model._run_outside,
            show=sys.stderr.isatty() and not options.json,
            wait_for_runner=runner,
        )
        with self._environment(host.server_database) as env:
            operation = env["saas.operation"].browse(number)
            if state == "done":
                made = "" if getattr(options, "to", None) else _made(host, operation)
                return self._say(f"{operation.name}: done{made}", DONE)
            reason = f" {operation.error}" if operation.error else ""
            return self._say(f"{operation.name}: {state}.{reason}", FAILED)

    def _leave(self, env, operations):
        """Say how to look after what goes on without us."""
        sys.stderr.write("\n")
        left = operations.filtered(lambda one: one.state in ACTIVE)
        fate = (
            "It goes on without you"
            if env["saas.operation"]._has_runner()
            else "Whoever runs operations next finishes it"
        )
        for operation in left:
            self._say(f"{operation.name} (number {operation.id}) has not ended. {fate}.", WAITING)
        if not left:
            return DONE
        return self._say(_again(left.ids), WAITING)

    # --- archives and kits

    def _move(self, host, operation, options):
        """Move the finished archive where it was asked for."""
        path = archive_work.export_path(host, operation.archive_file)
        if not path:
            return self._say("The archive of this operation is not kept any longer.", FAILED)
        try:
            shutil.move(path, options.to)
        except OSError as error:
            return self._say(f"The archive stays in {path}: {error.strerror}.", FAILED)
        return DONE

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


def _again(numbers):
    return f"Follow it again: {verbs.PROG} wait {' '.join(map(str, numbers))}"


def _takes_away(wanted):
    from odoo.addons.fleet_saas_server.hosting.kinds import KINDS

    hiding = ("suspend", "archive", "release")  # nothing is lost, but people are shut out
    return any(
        kind in hiding or KINDS[kind].destroys or arguments.get("action") == "uninstall"
        for kind, _target, arguments in wanted
    )


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
