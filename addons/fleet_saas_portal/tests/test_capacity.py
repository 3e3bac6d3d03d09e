from lxml import etree

from odoo.tests import tagged

from ..models.saas_sizes import format_size
from .common import SaasCase


@tagged("post_install", "-at_install")
class TestCapacity(SaasCase):
    def test_the_room_of_a_server_is_told_in_words(self):
        self.server.capacity = {"disk_free": 5 << 30, "databases": 7, "free_places": 4}
        self.assertEqual(self.server.free_places, 4)
        self.assertEqual(self.server.capacity_text, "5.0 GB of disk free, 7 databases")
        self.server.capacity = {"databases": 1}
        self.assertEqual(self.server.capacity_text, "1 database")
        self.server.capacity = {"refusal": "The disk is full.", "free_places": 0}
        self.assertEqual(
            (self.server.free_places, self.server.capacity_text), (0, "The disk is full.")
        )

    def test_room_has_the_same_words_in_the_list_and_in_the_report(self):
        arch = self.env["saas.server"].get_view(False, "list")["arch"]
        named = {each.get("name"): each.get("string") for each in etree.fromstring(arch)}
        fields = self.server._fields
        for name, counted in (("instance_count", "places_used"), ("free_places", "places_free")):
            label = fields[counted]._description_string(self.env)
            self.assertEqual(named[name], label)

    def test_a_server_that_tells_nothing_has_no_words(self):
        self.assertFalse(self.server.capacity_text)
        self.server.capacity = {"disk_free": "much", "databases": True}
        self.assertFalse(self.server.capacity_text)

    def test_sizes_are_told_in_units_of_bytes(self):
        said = {0: "0 B", 1023: "1,023 B", 1536: "1.5 KB", 2**20 - 1: "1.0 MB", 5 << 30: "5.0 GB"}
        self.assertEqual({size: format_size(self.env, size) for size in said}, said)
