import re

from odoo.tests import TransactionCase, tagged
from odoo.tools import file_open

from ..models.saas_signup_limit import LIMITS


@tagged("post_install", "-at_install")
class TestReadme(TransactionCase):
    """The set-up lists every scheduled action and every limit as they are."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with file_open("fleet_saas_portal/readme/CONFIGURE.md") as readme:
            cls.text = readme.read()

    def test_scheduled_actions(self):
        rows = re.findall(r"^\| (SaaS: [^|]+) \| ([^|,]+)[^|]* \|", self.text, re.MULTILINE)
        actions = self.env["ir.cron"].with_context(active_test=False, lang="en_US")
        found = actions.search([("cron_name", "like", "SaaS: %")])
        expected = {each.cron_name: rhythm(each) for each in found}
        self.assertEqual({name: every.strip() for name, every in rows}, expected)

    def test_limits(self):
        row = r"signup_([a-z]+)_([a-z]+)`(?:, `…_([a-z]+)`)?.* \| ([^|]+) \|$"
        found = {}
        for action, scope, other, most in re.findall(row, self.text, re.MULTILINE):
            numbers = map(int, re.findall(r"\d+", most))
            found |= {(action, each): next(numbers) for each in (scope, other) if each}
        expected = {
            (action, scope): most
            for action, limits in LIMITS.items()
            for scope, (most, _seconds) in limits.items()
        }
        self.assertEqual(found, expected)


def rhythm(action):
    """Return how often a scheduled action runs, as readmes write it."""
    unit = action.interval_type.removesuffix("s")
    return unit if action.interval_number == 1 else f"{action.interval_number} {unit}s"
