import jwt
from jwt.algorithms import OKPAlgorithm

from odoo.tests import BaseCase, tagged

from ..tickets import HOME, LIFE_S, local_path, new_key, public_key, sign


@tagged("post_install", "-at_install")
class TestTickets(BaseCase):
    def test_a_ticket_holds_what_the_contract_says_and_nothing_else(self):
        key = new_key()
        ticket = sign(key, issuer="portal", audience="database", login="ann", redirect="/my")
        header = jwt.get_unverified_header(ticket.token)
        public = public_key(key)
        self.assertEqual(header, {"alg": "EdDSA", "kid": public["kid"], "typ": "fleet-ticket+jwt"})
        claims = jwt.decode(
            ticket.token,
            OKPAlgorithm.from_jwk(public),
            algorithms=["EdDSA"],
            audience="database",
            issuer="portal",
        )
        self.assertEqual(claims.keys(), {"iss", "aud", "sub", "jti", "iat", "exp", "redirect"})
        self.assertEqual((claims["sub"], claims["redirect"]), ("ann", "/my"))
        self.assertEqual((claims["jti"], claims["exp"]), (ticket.number, ticket.expires))
        self.assertEqual(claims["exp"] - claims["iat"], LIFE_S)

    def test_no_two_tickets_have_one_number(self):
        key = new_key()
        numbers = {sign(key, issuer="p", audience="d", login="a").number for _turn in range(50)}
        self.assertEqual(len(numbers), 50)
        self.assertTrue(all(len(number) >= 22 for number in numbers), "128 bits at least")

    def test_neither_key_nor_token_is_in_what_is_logged(self):
        ticket = sign(new_key(), issuer="p", audience="d", login="a")
        self.assertNotIn(ticket.token, repr(ticket))

    def test_the_public_key_has_no_private_part(self):
        self.assertEqual(public_key(new_key()).keys(), {"kty", "crv", "kid", "x"})

    def test_pages_of_the_database_are_kept(self):
        for path in ("/odoo", "/odoo/action-12/5?debug=1", "/web#id=4&model=res.partner", "/my/"):
            with self.subTest(path=path):
                self.assertEqual(local_path(path), path)

    def test_whatever_may_lead_elsewhere_becomes_the_home_page(self):
        for path in (
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/%2f/evil.example",
            "/%5cevil.example",
            "/a//evil.example",
            "/odoo\n//evil.example",
            "/odoo\n",
            " /odoo",
            "/o doo",
            "/\t/evil.example",
            "odoo",
            "?next=/odoo",
            "/" + "a" * 2000,
            "",
            None,
            7,
        ):
            with self.subTest(path=path):
                self.assertEqual(local_path(path), HOME)
