"""The subcommands of ``scripts/dev.py``."""

import os
import subprocess

from . import (
    addon_tests,
    bench,
    bench_backup,
    bench_provision,
    bench_signup,
    console,
    databases,
    i18n,
    lint,
    odoo_run,
    paths,
    postgres,
    readme,
    restic,
    setup,
    stopping,
    test_run,
    venv,
)
from .demo import Demo
from .results import summarise
from .server import check_port

BENCHES = {
    "sync": bench.sync,
    "provision": bench_provision.run,
    "backup": bench_backup.run,
    "signup": bench_signup.run,
}


def declare(parsers):
    """Declare every subcommand with its help."""
    add = parsers.add_parser
    _plain(
        add("setup", help="install everything below .run and make the template databases"), _setup
    )
    test = add(
        "addon-test", help="run the tests of one addon in a new copy of the template database"
    )
    test.add_argument("addon")
    test.add_argument("--tags", help="Odoo's --test-tags (default: /ADDON)")
    test.add_argument("--install", help="comma separated addons to install, when more than ADDON")
    test.add_argument("--template", default="base", choices=list(databases.TEMPLATES))
    test.add_argument("--keep", action="store_true", help="leave the database for a look")
    test.add_argument(
        "--allow", action="append", default=[], metavar="REGEX", help="a warning that is expected"
    )
    test.set_defaults(function=_addon_test)
    shell = add("shell", help="odoo shell on a database (default: the first of the demo)")
    shell.add_argument("database", nargs="?")
    shell.set_defaults(function=_shell)
    serve = add(
        "serve",
        help="install an addon in a database of its own and serve it, for looking at screens",
    )
    serve.add_argument("addon")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--fresh", action="store_true", help="begin with a new database")
    serve.add_argument("--template", default="base", choices=list(databases.TEMPLATES))
    serve.set_defaults(function=_serve)
    _plain(add("test", help="lint and every test"), _test)
    _plain(add("lint", help="ruff, ruff format and pylint-odoo"), _lint)
    _plain(add("format", help="let ruff sort imports and format the Python files"), _format)
    translate = add("i18n", help="export an addon's terms and bring its translations up to date")
    translate.add_argument("addon", nargs="?", default="fleet_databases")
    translate.set_defaults(function=_i18n)
    page = add("readme", help="make an addon's page in the Apps list from its readme folder")
    page.add_argument("addon", nargs="?", default="fleet_databases")
    page.set_defaults(function=_readme)
    measure = add("bench", help="measure synchronisation, clones, backups and sign-ups")
    measure.add_argument("--only", choices=list(BENCHES))
    measure.set_defaults(function=_bench)
    demo = add("demo", help="start the demo: a portal, a hosting server, what it hosts")
    demo.add_argument("--name", default="demo", help="part of the databases' names")
    demo.add_argument("--port", type=int, help="default: FLEET_DEMO_PORT or 8069")
    demo.set_defaults(function=_demo)
    _plain(add("stop", help="stop the demo and the private PostgreSQL"), _stop)
    _plain(add("clean", help="stop everything, drop our databases, remove .run"), _clean)
    _plain(add("databases", help="list the databases of this tree"), _databases)


def _plain(parser, function):
    parser.set_defaults(function=function)


def _setup(_arguments):
    setup.enter(venv.TESTING)
    setup.services()
    restic.ensure()
    databases.templates("base", "account")
    return 0


def _addon_test(arguments):
    setup.enter(venv.TESTING)
    setup.services()
    restic.ensure()
    result = addon_tests.run(
        arguments.addon,
        tags=arguments.tags,
        install=arguments.install,
        template=arguments.template,
        keep=arguments.keep,
        allowed=arguments.allow,
    )
    return summarise([result])


def _shell(arguments):
    setup.enter(venv.RUNTIME)
    setup.services()
    database = arguments.database or next(iter(postgres.names("demo_portal")), None)
    if not database:
        raise console.Failure(
            "Name a database; there is no demo yet. Those of this tree: "
            + ", ".join(postgres.names())
        )
    command = odoo_run.command(
        "-d", database, "--no-http", subcommand="shell", configuration=_configuration(database)
    )
    os.chdir(paths.RUN)
    os.execve(command[0], command, odoo_run.environment())


def _configuration(database):
    """Return the configuration file of the Odoo that has the files of a database."""
    demo = Demo()
    is_of_demo = databases.filestore(database, demo.data).exists()
    return demo.configuration if is_of_demo else paths.ODOO_CONF


def _serve(arguments):
    setup.enter(venv.RUNTIME)
    setup.services()
    database = f"{postgres.prefix()}serve_{arguments.addon}"
    if arguments.fresh or not postgres.exists(database):
        databases.copy(databases.template(arguments.template), database)
    port = arguments.port or odoo_run.free_port()
    console.say(
        f"http://127.0.0.1:{port}/odoo  login admin, password admin, database {database}; Ctrl-C stops it"
    )
    options = [
        "-d",
        database,
        "--db-filter",
        f"^{database}$",
        "--http-port",
        port,
        "-i",
        arguments.addon,
    ]
    command = odoo_run.command(*options, "-u", arguments.addon, "--max-cron-threads", "1")
    return subprocess.run(
        command, env=odoo_run.environment(), cwd=paths.RUN, check=False
    ).returncode


def _databases(_arguments):
    setup.enter(venv.RUNTIME)
    setup.services()
    for name in postgres.names():
        console.say(name)
    for key in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD"):
        console.say(f"export {key}={os.environ.get(key, '')}")
    return 0


def _demo(arguments):
    setup.enter(venv.RUNTIME)
    demo = Demo(arguments.name, arguments.port)
    check_port(demo.server)
    setup.services()
    restic.ensure()
    demo.run()
    return 0


def _stop(_arguments):
    stopping.stop()
    return 0


def _clean(_arguments):
    stopping.clean()
    return 0


def _test(_arguments):
    setup.enter(venv.TESTING)
    setup.services()
    restic.ensure()
    return test_run.run()


def _lint(_arguments):
    setup.enter(venv.TESTING)
    return summarise(lint.run())


def _format(_arguments):
    setup.enter(venv.TESTING)
    return lint.rewrite()


def _i18n(arguments):
    setup.enter(venv.RUNTIME)
    setup.services()
    return 1 if i18n.update(arguments.addon) else 0


def _readme(arguments):
    console.say(str(readme.update(arguments.addon).relative_to(paths.ROOT)))
    return 0


def _bench(arguments):
    setup.enter(venv.TESTING)
    setup.services()
    for name in [arguments.only] if arguments.only else BENCHES:
        BENCHES[name]()
    return 0
