"""The client databases of the demo, filled once and kept as templates, so that a second demo only copies."""

import concurrent.futures
import datetime
import json
import tempfile
from pathlib import Path

from . import console, databases, files, odoo_run, paths, postgres

PROCESSES = 2
SCRIPT = paths.SCRIPTS / "in_odoo" / "fill_clients.py"
KEYS = paths.RUN / "demo-keys.json"


def ensure(clients):
    """Return, by label, the filled template database of each client and its API key."""
    with files.setup_lock("demo-clients"):
        names = {client["label"]: _template(client) for client in clients}
        keys = json.loads(KEYS.read_text()) if KEYS.exists() else {}
        missing = [client for client in clients if not _is_made(names[client["label"]], keys)]
        if missing:
            with console.step(
                f"Filling {len(missing)} client databases with users, drafts, documents, returns"
            ):
                _make(missing, names)
            keys = json.loads(KEYS.read_text())
    return {label: (name, keys[name]) for label, name in names.items()}


def _template(client):
    """Return the name of the filled database; the deadlines of its returns are as of today."""
    today = datetime.date.today()
    identity = files.digest(
        databases.template(client["template"]), json.dumps(client), str(today), SCRIPT
    )
    return f"{postgres.prefix()}tpl_demo_{client['label']}_{identity[:8]}"


def _is_made(name, keys):
    return name in keys and postgres.exists(name)


def _make(clients, names):
    for client in clients:
        databases.drop_versions(f"demo_{client['label']}")
        databases.copy(databases.template(client["template"]), f"{names[client['label']]}_new")
    made = fill([client | {"database": f"{names[client['label']]}_new"} for client in clients])
    keys = {names[label]: key for label, key in made.items()}
    kept = json.loads(KEYS.read_text()) if KEYS.exists() else {}
    kept = {name: key for name, key in kept.items() if postgres.exists(name)}
    files.write(KEYS, json.dumps(kept | keys), mode=0o600)
    for name in keys:
        databases.publish(f"{name}_new", name)


def fill(clients, configuration=paths.ODOO_CONF):
    """Fill databases, some in each of two processes; return an API key of each by label.

    :param clients: as in ``demo_fleet.py``, and ``database``
    """
    parts = [part for number in range(PROCESSES) if (part := clients[number::PROCESSES])]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        made = pool.map(lambda part: _fill(part, configuration), parts)
        return {label: key for keys in made for label, key in keys.items()}


def _fill(clients, configuration):
    """Fill some databases in one process."""
    first = clients[0]
    log = paths.LOG / f"fill-{first['label']}.log"
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        work, keys = Path(folder, "clients.json"), Path(folder, "keys.json")
        work.write_text(json.dumps(clients))
        odoo_run.script(
            first["database"],
            SCRIPT.read_text(),
            log=log,
            what=SCRIPT.name,
            arguments=[str(work), str(keys)],
            configuration=configuration,
        )
        return json.loads(keys.read_text())
