import re
from pathlib import Path

from odoo.tests import tagged

from ..models.saas_instance_ask import ASKED
from ..models.saas_request_labels import KINDS
from .common import SaasCase

ASKING = re.compile(r'_(?:ask|ask_server|begin|copy_as)\(\s*(?:[\w.]+,\s*)?"([a-z_]+)"')


@tagged("post_install", "-at_install")
class TestRequestLabels(SaasCase):
    def test_whatever_the_portal_asks_for_has_a_name(self):
        models = Path(__file__).resolve().parent.parent / "models"
        asked = {kind for path in models.glob("*.py") for kind in ASKING.findall(path.read_text())}
        self.assertIn("create", asked)
        self.assertEqual((asked | set(ASKED)) - set(KINDS), set())

    def test_an_operation_and_its_steps_are_called_as_people_call_them(self):
        request = self.env["saas.request"].create(
            {
                "server_id": self.server.id,
                "kind": "document",
                "target": "acme",
                "key": "label",
                "state": "running",
                "steps": [
                    {"name": "reserve", "state": "done"},
                    {"name": "first_request", "state": "running"},
                    {"name": "some_new_step", "state": "pending"},
                ],
            }
        )
        self.assertEqual(request.name, "Tell Plan and Limits to acme")
        self.assertEqual(request.doing, "Open the first page")
        labels = [step["label"] for step in request.told_steps]
        self.assertEqual(labels, ["Reserve", "Open the first page", "Some new step"])
