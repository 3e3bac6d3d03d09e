"""What the demo says in the end: ``.run/demo.json``, the fleet, an operation's steps, where to look."""

import json

from . import console, demo_sync, files, paths
from .demo_fleet import NOWHERE, STAGING
from .demo_portal import LOGIN, PASSWORD
from .demo_server import LABEL

STEPS = ("Step", "Seconds", "Evidence")
EVIDENCE = 110  # characters of it that are shown
FLEET = "/odoo/action-fleet_databases.project_project_action_databases"
OPERATIONS = "/odoo/action-fleet_saas_server.saas_operation_action"
ACCESS = {"login": LOGIN, "password": PASSWORD}


def write(demo):
    """Write the addresses and logins to the demo's JSON file."""
    facts = {
        "portal": _control(demo, "portal"),
        "server": _control(demo, LABEL),
        "hosted": _hosted(demo),
        "databases": _databases(demo),
    }
    files.write(demo.json_path, json.dumps(facts, indent=2) + "\n")


def _control(demo, label):
    base = f"http://127.0.0.1:{demo.port}"
    return {"url": demo.url(label), "base": base, "database": demo.database(label)} | ACCESS


def _hosted(demo):
    base = f"http://127.0.0.1:{demo.hosting.port}"
    made = [(client["label"], client["hosted"]) for client in demo.hosted]
    return [
        {
            "name": demo.hosting.hosted_name(label),
            "url": demo.hosting.url(label),
            "base": base,
            "purpose": purpose,
        }
        | ACCESS
        for label, purpose in [*made, (demo.staging_label, STAGING)]
    ]


def _databases(demo):
    entries = [
        {
            "name": client["company"],
            "url": demo.address(client)[0],
            "hosting": client.get("hosting", "premise"),
            "expected": client.get("expected", "ok"),
        }
        for client in demo.clients
    ]
    nowhere = {"name": NOWHERE["company"], "url": demo.nowhere_url(), "hosting": "premise"}
    return [*entries, nowhere | {"expected": NOWHERE["expected"]}]


def steps(demo, kind, target):
    """Return the steps of an operation as texts: what, seconds, evidence."""
    is_wanted = [["operation_id.kind", "=", kind], ["operation_id.target", "=", target]]
    wanted = ["label", "seconds", "evidence_text"]
    rows = demo_sync.Portal(demo, LABEL).call(
        "saas.operation.step", "search_read", is_wanted, wanted
    )
    return [
        (row["label"], f"{row['seconds']:.2f}", _shortened(row["evidence_text"] or ""))
        for row in rows
    ]


def _shortened(text):
    return text if len(text) <= EVIDENCE else f"{text[: EVIDENCE - 1]}…"


def show(demo):
    """Print the fleet, the steps of the operation that made a database, and where to look."""
    name = demo.address(demo.hosted[0])[1]
    console.say(f"\n{demo_sync.table(demo_sync.fleet(demo))}")
    console.say(f"\nHow the hosting server made {name}:")
    console.say(demo_sync.table(steps(demo, "create", name), STEPS))
    console.say(f"\nEach opens with the login {LOGIN}, password {PASSWORD}:")
    rows = [(demo.url("portal") + FLEET, "the portal")]
    rows.append((demo.url(LABEL) + OPERATIONS, "the hosting server"))
    rows += [(f"{each['url']}/odoo", f"hosted, {each['purpose']}") for each in _hosted(demo)]
    console.say(demo_sync.table(rows, ("Address", "What")))
    shown = [path.relative_to(paths.ROOT) for path in (demo.json_path, demo.log, demo.hosting.log)]
    console.say("\nFacts {}, logs {} and {}. make stop stops it.".format(*shown))
