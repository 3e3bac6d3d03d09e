import re

from odoo.tests import BaseCase, TransactionCase, tagged
from odoo.tools import file_open

from ..hosting.kinds import KINDS
from ..hosting.template_names import check_target


@tagged("post_install", "-at_install")
class TestReadme(BaseCase):
    """The contract for other machines lists every kind as the server takes it."""

    def test_kinds(self):
        with file_open("fleet_saas_server/readme/CONTRACT.md") as readme:
            rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", readme.read(), re.MULTILINE)
        found = {
            kind: (target, re.findall(r"`(\w+)`( \(required\))?", arguments))
            for kind, target, arguments in rows
            if kind not in ("submit", "status", "inventory", "capabilities")
        }
        expected = {kind.name: (_target(kind), _arguments(kind)) for kind in _public()}
        self.assertEqual(found, expected)


@tagged("post_install", "-at_install")
class TestReadmeActions(TransactionCase):
    def test_every_scheduled_action_is_listed_with_its_rhythm(self):
        with file_open("fleet_saas_server/readme/CONFIGURE.md") as readme:
            rows = re.findall(r"^\| (Hosting: [^|]+) \| ([^|]+) \|", readme.read(), re.MULTILINE)
        actions = self.env["ir.cron"].with_context(active_test=False, lang="en_US")
        found = actions.search([("cron_name", "like", "Hosting: %")])
        self.assertEqual(dict(rows), {each.cron_name: _rhythm(each) for each in found})


def _rhythm(action):
    unit = action.interval_type.removesuffix("s")
    return unit if action.interval_number == 1 else f"{action.interval_number} {unit}s"


def _public():
    return [kind for kind in KINDS.values() if kind.public]


def _target(kind):
    if kind.owner in ("saas.health", "saas.difference"):
        return "`server`"
    return "template" if kind.check_target is check_target else "database"


def _arguments(kind):
    return [
        (name, " (required)" if argument.required else "")
        for name, argument in kind.arguments.items()
    ]
