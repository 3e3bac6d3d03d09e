from odoo.tests import BaseCase, tagged

from odoo.addons.fleet_databases.remote.errors import Malformed

from ..contract import values

GOOD = {
    "key": "portal:1",
    "operation": 12,
    "kind": "create",
    "target": "acme",
    "state": "done",
    "progress": 100.0,
    "waits": None,
    "error": None,
    "steps": [{"name": "reserve", "state": "done", "evidence": {"name": "acme"}}],
}
BROKEN = (
    None,
    [],
    "done",
    {**GOOD, "key": 5},
    {**GOOD, "key": ""},
    {**GOOD, "operation": True},
    {**GOOD, "operation": "12"},
    {**GOOD, "state": "finished"},
    {**GOOD, "steps": {}},
    {**GOOD, "steps": [None]},
    {**GOOD, "steps": [{"name": "reserve"}]},
    {name: value for name, value in GOOD.items() if name != "target"},
)


@tagged("post_install", "-at_install")
class TestContract(BaseCase):
    def test_a_status_is_read(self):
        found = values.status(GOOD, "one")
        self.assertEqual((found.state, found.operation, found.ended), ("done", 12, True))
        self.assertEqual(found.steps[0]["evidence"], {"name": "acme"})

    def test_a_status_of_another_shape_is_refused(self):
        for answer in BROKEN:
            with self.subTest(answer=answer), self.assertRaises(Malformed):
                values.status(answer, "one")

    def test_an_error_is_read_as_plain_text(self):
        error = {"code": "name_taken", "message": "The name\nis taken\u202e."}
        found = values.status({**GOOD, "state": "failed", "error": error}, "one")
        self.assertEqual((found.error_code, found.error), ("name_taken", "The name is taken."))

    def test_progress_is_a_percentage_whatever_comes(self):
        for given, read in ((-5, 0), (500, 100), ("40", 0), (True, 0), (40, 40)):
            with self.subTest(given=given):
                self.assertEqual(values.status({**GOOD, "progress": given}, "one").progress, read)

    def test_capabilities_without_capacity_are_those_of_an_older_server(self):
        found = values.capabilities({"api": 1, "domain": "example.com", "kinds": {}}, "one")
        self.assertEqual((found.capacity, found.templates), ({}, ()))

    def test_an_inventory_entry_without_an_identity_is_refused(self):
        with self.assertRaises(Malformed):
            values.hosted({"name": "acme", "state": "active", "purpose": "customer"}, "one")

    def test_to_what_a_database_can_go_back_is_read_and_checked(self):
        row = {"name": "acme", "uuid": "u", "state": "active", "purpose": "customer"}
        self.assertIsNone(values.hosted(row, "one").points, "an older server does not tell")
        moment = "2026-01-31 08:00:00"
        snapshot = {"snapshot": "fleet_x_1", "taken_at": moment, "bytes": 5.0, "keep_until": None}
        found = values.hosted({**row, "snapshots": [snapshot]}, "one")
        [point] = found.points
        self.assertEqual((point.kind, point.code, point.bytes), ("snapshot", "fleet_x_1", 5))
        self.assertIsNone(point.keep_until)
        for broken in ({**snapshot, "taken_at": "today"}, {**snapshot, "snapshot": ""}, "x"):
            with self.subTest(broken=broken), self.assertRaises(Malformed):
                values.hosted({**row, "snapshots": [broken]}, "one")
