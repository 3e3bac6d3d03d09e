"""What a person would do in the portal of the demo, over HTTP: add the databases, synchronise, look."""

import http.cookiejar
import json
import urllib.request

from . import console

TIMEOUT_S = 180
COLUMNS = ("Database", "Hosting", "Version", "Users", "KPIs", "Last synchronisation", "Errors")
FIELDS = (
    "name",
    "database_hosting",
    "database_version",
    "database_nb_users",
    "database_kpi_properties",
    "database_last_synchro",
    "database_nb_synchro_errors",
    "database_error_code",
)
IS_DATABASE = [["database_hosting", "!=", False]]


class Portal:
    """A database of the demo as its administrator's browser sees it: a session, and calls to models.

    :param label: another database than the portal, served by the same process
    """

    def __init__(self, demo, label="portal"):
        self._base = f"http://127.0.0.1:{demo.port}"
        self._host = f"{label}.localhost:{demo.port}"
        # No proxy of the environment may stand between this and the loopback interface.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(_cookies())
        )
        parameters = {"db": demo.database(label), "login": "admin", "password": "admin"}
        self._post("/web/session/authenticate", parameters)

    def call(self, model, method, *arguments, **keywords):
        """Call a public method; an error becomes a `Failure` with its message."""
        parameters = {"model": model, "method": method, "args": arguments, "kwargs": keywords}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", parameters)

    def _post(self, path, parameters):
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": parameters}).encode()
        headers = {"Content-Type": "application/json", "Host": self._host}
        request = urllib.request.Request(self._base + path, data=body, headers=headers)
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            result = json.load(answer)
        if "error" in result:
            raise console.Failure(f"{path}: {result['error']['data']['message']}")
        return result.get("result")  # nothing where the method returns None


def _cookies():
    """Return a cookie jar that takes cookies for ``portal.localhost``."""
    policy = http.cookiejar.DefaultCookiePolicy(strict_ns_domain=0)
    return http.cookiejar.CookieJar(policy)


def synchronise(demo, projects):
    """Enter the databases in the portal and synchronise all of them, those of customers too."""
    portal = Portal(demo)
    portal.call("project.project", "create", projects)
    ids = portal.call("project.project", "search", IS_DATABASE)
    with console.step(f"Synchronising {len(ids)} databases"):
        portal.call("project.project", "action_synchronize", ids)


def fleet(demo):
    """Return the rows of the fleet list, as texts."""
    portal = Portal(demo)
    ids = portal.call("project.project", "search", IS_DATABASE, order="name")
    labels = portal.call("project.project", "fields_get", ["database_hosting"], ["selection"])
    hostings = dict(labels["database_hosting"]["selection"])
    return [
        _row(values, hostings)
        for values in portal.call("project.project", "read", ids, list(FIELDS))
    ]


def _row(values, hostings):
    errors = values["database_nb_synchro_errors"]
    code = values["database_error_code"]
    return (
        values["name"],
        hostings[values["database_hosting"]],
        values["database_version"] or "-",
        str(values["database_nb_users"]),
        ", ".join(filter(None, map(_kpi, values["database_kpi_properties"]))) or "-",
        values["database_last_synchro"] or "never",
        f"{errors} ({code})" if errors else "-",
    )


def _kpi(definition):
    """Return one KPI as "name value"; nothing where the database has no such KPI."""
    value = definition.get("value")
    if definition["type"] == "selection":
        value = dict(definition.get("selection") or []).get(value, value)
    if value in (None, False, 0, ""):
        return None
    return f"{definition['string']} {value}"


def table(rows, columns=COLUMNS):
    """Return rows under their headings, in columns as wide as needed."""
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (columns, *rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)
