"""Start Odoo: its configuration file, its command line, its environment."""

import base64
import os
import secrets
import socket
import subprocess

from . import cluster, console, files, odoo_source, paths, restic, shell

# The limit is that of the readme. After Odoo's own of two minutes a process would start again, and
# fail to: for an operation that takes longer, or a connection that a browser holds for later.
CONFIGURATION = """[options]
addons_path = {addons_path}
data_dir = {data}
http_interface = 127.0.0.1
list_db = False
with_demo = False
max_cron_threads = 0
limit_time_real = 21600
"""
# What a person may have set for another Odoo must not reach this one.
FOREIGN = ("ODOO_RC", "OPENERP_SERVER", "PYTHONPATH", "PGDATABASE", "ODOO_HOME")


def addons_path():
    """Return the folders of addons: Odoo's own where they are apart, and ours."""
    own = [
        str(path)
        for path in (paths.ADDONS, paths.DEMO_ADDONS, paths.LINT_ADDONS, paths.TEST_ADDONS)
        if any(path.glob("*/__manifest__.py"))
    ]
    return ",".join([*odoo_source.read()["addons_path"], *own])


def write_configuration(path=paths.ODOO_CONF, data=paths.DATA):
    """Write Odoo's configuration file; the database access comes by the ``PG*`` variables.

    :param data: the folder of files and sessions
    """
    text = CONFIGURATION.format(addons_path=addons_path(), data=data)
    if not path.exists() or path.read_text() != text:
        files.write(path, text)


def secret_key():
    """Return this tree's Fernet key; it is made once."""
    if not paths.SECRET_KEY.exists():
        files.write(
            paths.SECRET_KEY, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), mode=0o600
        )
    return paths.SECRET_KEY.read_text()


def environment(**changes):
    """Return the environment of an Odoo process of the demo or the tests."""
    settings = {
        "FLEET_SECRET_KEYS": secret_key(),
        "FLEET_ALLOW_PRIVATE": "1",
        "FLEET_RESTIC": restic.known(),
        "PYTHONUNBUFFERED": "1",
        # Odoo compiles its source at every start otherwise: a second of two.
        "PYTHONPYCACHEPREFIX": paths.PYCACHE,
        "PYTHONDONTWRITEBYTECODE": None,
    }
    if os.environ.get("FLEET_PG_PRIVATE"):
        settings["FLEET_PG_BIN"] = cluster.binaries()
    return shell.environment(**(dict.fromkeys(FOREIGN) | settings | changes))


def command(*arguments, subcommand=None, configuration=paths.ODOO_CONF):
    """Return the command line of Odoo with our configuration."""
    head = [str(paths.PYTHON), "-m", "odoo"]
    return [
        *head,
        *(subcommand.split() if subcommand else []),
        "--config",
        str(configuration),
        *map(str, arguments),
    ]


def call(*arguments, log, what, **changes):
    """Run Odoo until it ends; fail with the last lines of its log."""
    write_configuration()
    shell.run(command(*arguments), log=log, what=what, env=environment(**changes), cwd=paths.RUN)


def script(database, text, *, log, what, arguments=(), configuration=paths.ODOO_CONF):
    """Run Python text in ``odoo shell`` on a database; it fails unless the text runs to its end.

    The text sees ``env`` and, as ``ARGUMENTS``, the given texts. It commits by itself.
    """
    write_configuration()
    marker = f"script-ended-{secrets.token_hex(4)}"
    source = f"ARGUMENTS = {list(arguments)!r}\n{text}\nprint({marker!r})\n"
    options = ("-d", database, "--no-http", "--log-level=warn")
    result = subprocess.run(
        command(*options, subcommand="shell", configuration=configuration),
        input=f"exec(compile({source!r}, 'script', 'exec'))\n",
        env=environment(),
        cwd=paths.RUN,
        capture_output=True,
        text=True,
        check=False,
    )
    files.write(log, result.stdout + result.stderr)
    if result.returncode or marker not in result.stdout:
        console.say(shell.tail(log))
        raise console.Failure(f"{what} failed; the whole output is in {log}")
    return result.stdout.split(marker)[0]


def free_port():
    """Return a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
