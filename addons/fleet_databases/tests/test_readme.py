import re

from odoo.tests import BaseCase, tagged
from odoo.tools import file_open

from ..models.databases_sentences import ERROR_CODES, SENTENCES


@tagged("post_install", "-at_install")
class TestReadme(BaseCase):
    """The help lists every error as users read it."""

    def test_errors(self):
        with file_open("fleet_databases/readme/USAGE.md") as readme:
            rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", readme.read(), re.MULTILINE)
        expected = [
            (code, label, re.sub(r"%\((\w+)\)s", r"*\1*", SENTENCES[code]._source))
            for code, label in ERROR_CODES
        ]
        self.assertEqual(rows, expected)
