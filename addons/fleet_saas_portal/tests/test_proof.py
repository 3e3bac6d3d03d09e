import time

from odoo.tests import BaseCase, tagged

from ..proof import BROKEN, MISSING, OTHER, SEEN, SILENT, check_servers, look
from .dns_server import DnsServer

RECORD, VALUE = "_fleet-challenge.erp.acme.example", "fleet=0123456789abcdef"


@tagged("post_install", "-at_install")
class TestProof(BaseCase):
    """What is said of a TXT record, by name servers that answer and by those that do not."""

    def look(self, *servers, lifetime_s=2.0):
        return look(
            RECORD,
            VALUE,
            [server.address for server in servers],
            try_s=0.3,
            lifetime_s=lifetime_s,
        )

    def test_the_record_is_seen_among_others(self):
        with DnsServer() as server:
            server.records[RECORD] = ["v=spf1 -all", VALUE]
            self.assertEqual(self.look(server), SEEN)
            self.assertEqual(server.asked, [RECORD], "not below a search domain")

    def test_a_text_in_pieces_is_one_text(self):
        with DnsServer("pieces") as server:
            server.records[RECORD] = [VALUE]
            self.assertEqual(self.look(server), SEEN)

    def test_no_name_and_no_record_are_missing_and_another_value_is_told_apart(self):
        with DnsServer() as server:
            self.assertEqual(self.look(server), MISSING)
            server.records[RECORD] = []
            self.assertEqual(self.look(server), MISSING)
            server.records[RECORD] = [VALUE[:-1], VALUE + "0", VALUE.upper(), f"x{VALUE}"]
            self.assertEqual(self.look(server), OTHER)

    def test_servers_that_misbehave_prove_nothing_and_hold_up_nobody(self):
        for how, found in (
            ("silent", SILENT),
            ("garbage", SILENT),
            ("forged", SILENT),
            ("servfail", BROKEN),
            ("refused", BROKEN),
        ):
            with self.subTest(how=how), DnsServer(how) as server:
                server.records[RECORD] = [VALUE]
                begin = time.monotonic()
                self.assertEqual(self.look(server, lifetime_s=1.0), found)
                self.assertLess(time.monotonic() - begin, 3)
                self.assertTrue(server.asked)

    def test_another_server_is_asked_when_the_first_is_broken(self):
        for how in ("silent", "servfail"):
            with self.subTest(how=how), DnsServer(how) as bad, DnsServer() as good:
                good.records[RECORD] = [VALUE]
                self.assertEqual(self.look(bad, good), SEEN)

    def test_what_is_no_name_is_asked_of_nobody(self):
        with DnsServer() as server:
            record = f"_fleet-challenge.{'a' * 70}.example"
            self.assertEqual(look(record, VALUE, [server.address]), BROKEN)
            self.assertFalse(server.asked)

    def test_servers_are_addresses_with_or_without_a_port(self):
        self.assertEqual(check_servers(""), [])
        self.assertEqual(
            check_servers("10.0.0.2, 10.0.0.3:5353 2001:db8::1 [2001:db8::2]:54"),
            [("10.0.0.2", 53), ("10.0.0.3", 5353), ("2001:db8::1", 53), ("2001:db8::2", 54)],
        )
        for wrong in ("dns.example", "10.0.0.2:0", "10.0.0.2:x", "10.0.0.2:99999"):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                check_servers(wrong)
