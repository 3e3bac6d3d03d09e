"""The client databases of the demo, filled once and kept as templates, so that a second demo only copies."""

import concurrent.futures
import datetime
import json
import tempfile
from pathlib import Path

from . import console, databases, files, odoo_run, paths, postgres
from .demo_fleet import CLIENTS

PROCESSES = 2
SCRIPT = paths.SCRIPTS / "in_odoo" / "fill_clients.py"
KEYS = paths.RUN / "demo-keys.json"


def ensure():
    """Return, by label, the filled template database of each client and its API key."""
    with files.setup_lock("demo-clients"):
        names = {client["label"]: _template(client) for client in CLIENTS}
        keys = json.loads(KEYS.read_text()) if KEYS.exists() else {}
        missing = [client for client in CLIENTS if not _is_made(names[client["label"]], keys)]
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
    work = [client | {"database": f"{names[client['label']]}_new"} for client in clients]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        made = list(
            pool.map(_fill, filter(None, (work[number::PROCESSES] for number in range(PROCESSES))))
        )
    keys = {names[label]: key for part in made for label, key in part.items()}
    kept = json.loads(KEYS.read_text()) if KEYS.exists() else {}
    kept = {name: key for name, key in kept.items() if name in names.values()}
    files.write(KEYS, json.dumps(kept | keys), mode=0o600)
    for name in keys:
        databases.publish(f"{name}_new", name)


def _fill(clients):
    """Fill some databases in one process; return their API keys by label."""
    first = clients[0]["database"]
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        work, keys = Path(folder, "clients.json"), Path(folder, "keys.json")
        work.write_text(json.dumps(clients))
        arguments = [str(work), str(keys)]
        log = paths.LOG / f"fill-{clients[0]['label']}.log"
        odoo_run.script(first, SCRIPT.read_text(), log=log, what=SCRIPT.name, arguments=arguments)
        return json.loads(keys.read_text())
