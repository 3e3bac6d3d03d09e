from odoo.tests import tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestCapacity(SaasCase):
    def test_the_room_of_a_server_is_told_in_words(self):
        self.server.capacity = {"disk_free": 5 << 30, "databases": 7, "free_places": 4}
        self.assertEqual(self.server.free_places, 4)
        self.assertEqual(self.server.capacity_text, "5.0 GB of disk free, 7 databases")
        self.server.capacity = {"refusal": "The disk is full.", "free_places": 0}
        self.assertEqual(
            (self.server.free_places, self.server.capacity_text), (0, "The disk is full.")
        )

    def test_a_server_that_tells_nothing_has_no_words(self):
        self.assertFalse(self.server.capacity_text)
        self.server.capacity = {"disk_free": "much", "databases": True}
        self.assertFalse(self.server.capacity_text)
