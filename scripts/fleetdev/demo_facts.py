"""What the demo says in the end: ``.run/demo.json``, the fleet, an operation's steps, where to look."""

import json

from . import console, demo_saas, demo_sync, files, paths
from .demo_fleet import MIA, NOWHERE, STAGING
from .demo_portal import LOGIN, PASSWORD
from .demo_server import LABEL

STEPS = ("Step", "Seconds", "Evidence")
PEOPLE = ("who", "url", "login", "password")
EVIDENCE = 110  # characters of it that are shown
FLEET = "/odoo/action-fleet_databases.project_project_action_databases"
INSTANCES = "/odoo/action-fleet_saas_portal.saas_instance_action"
MAILS = "/odoo/action-mail.action_view_mail_mail"
OPERATIONS = "/odoo/action-fleet_saas_server.saas_operation_action"
HEALTH = "/odoo/action-fleet_saas_server.saas_health_action"
CUSTOMER_PAGE = "/my/databases"
SIGN_UP = "/start"
ACCESS = {"login": LOGIN, "password": PASSWORD}


def write(demo):
    """Write the addresses and logins to the demo's JSON file."""
    facts = {
        "portal": _control(demo, "portal"),
        "server": _control(demo, LABEL),
        "hosted": _hosted(demo),
        "customers": _customers(demo),
        "signup": {"url": demo.url("portal") + SIGN_UP, "mails": demo.url("portal") + MAILS},
        "people": _people(demo),
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


def _customers(demo):
    """Return who has signed up, with the login to the portal, which opens the database too."""
    base = f"http://127.0.0.1:{demo.hosting.port}"
    return [
        {
            "name": each["name"],
            "company": each["company"],
            "state": "active" if each["pays"] else "trial",
            "url": demo.hosting.url(each["label"]),
            "base": base,
            "portal": demo.url("portal") + CUSTOMER_PAGE,
            "login": each["email"],
            "password": demo_saas.PASSWORD,
        }
        for each in demo_saas.customers(demo)
    ]


def _people(demo):
    """Return whom the project is for, where each of them works, and the login."""
    portal, server = demo.url("portal"), demo.url(LABEL)
    accountant = {"login": MIA[1], "password": MIA[1]}
    people = [
        {"who": "Accountant: the databases with an account of hers", "url": portal + FLEET}
        | accountant,
        {"who": "Hoster: what is sold", "url": portal + INSTANCES} | ACCESS,
        {"who": "Hoster: what is hosted", "url": server + OPERATIONS} | ACCESS,
    ]
    for each in _customers(demo):
        access = {"login": each["login"], "password": each["password"]}
        people.append({"who": f"Customer, {each['state']}", "url": each["portal"]} | access)
    return [*people, {"who": "Administrator at 3 a.m.", "url": server + HEALTH} | ACCESS]


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
    sold = [
        {"name": each["name"], "url": each["url"], "hosting": "premise", "expected": "ok"}
        for each in _customers(demo)
    ]
    return [*entries, nowhere | {"expected": NOWHERE["expected"]}, *sold]


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
    console.say("\nWho works where:")
    people = [tuple(each[name] for name in PEOPLE) for each in _people(demo)]
    console.say(demo_sync.table(people, ("Who", "Address", "Login", "Password")))
    console.say(f"\nEach hosted database opens with the login {LOGIN}, password {PASSWORD}:")
    rows = [(f"{each['url']}/odoo", each["purpose"]) for each in _hosted(demo)]
    console.say(demo_sync.table(rows, ("Address", "What")))
    signup = demo.url("portal") + SIGN_UP
    console.say(f"\nSign up at {signup}. The mail with the link waits in the portal, as all do:")
    console.say(f"{demo.url('portal')}{MAILS}")
    shown = [path.relative_to(paths.ROOT) for path in (demo.json_path, demo.log, demo.hosting.log)]
    console.say("\nFacts {}, logs {} and {}. make stop stops it.".format(*shown))
