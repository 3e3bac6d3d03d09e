from odoo.tests import tagged

from .customer import CustomerCase


@tagged("post_install", "-at_install")
class TestMemberTold(CustomerCase):
    """A customer's owners hear whom the hoster's people let in."""

    def posted(self):
        said = self.env["mail.message"].search(
            [("model", "=", "res.partner"), ("res_id", "=", self.partner.id)]
        )
        return said.filtered(lambda message: "of your provider gave" in (message.body or ""))

    def give(self, user, **values):
        return (
            self.env["saas.member"]
            .with_user(user)
            .create(
                {
                    "partner_id": self.partner.id,
                    "user_id": self.make_person("friend").id,
                    "role": "owner",
                    **values,
                }
            )
        )

    def test_who_gives_a_role_from_behind_the_counter_is_named_to_the_owners(self):
        self.env.company.email = "hello@northwind.example"
        self.give(self.people["manager"])
        message = self.posted()
        self.assertIn(self.people["manager"].name, message.body)
        self.assertIn("Owner", message.body)
        self.assertEqual(message.email_from, self.env.company.email_formatted)
        self.assertIn(self.wilma.partner_id, message.partner_ids)
        self.assertIn(self.partner, message.partner_ids)

    def test_a_role_that_grows_is_told_too_and_one_that_ends_is_not(self):
        member = self.members["wilma"].with_user(self.people["manager"])
        member.active = False
        self.assertFalse(self.posted())
        self.members["victor"].with_user(self.people["manager"]).role = "owner"
        self.assertTrue(self.posted())

    def test_what_customers_do_themselves_is_told_to_nobody(self):
        self.env["saas.member"].with_user(self.olga).sudo()._invite(
            self.partner, self.acme, "new@example.com", "viewer"
        )
        self.assertFalse(self.posted())
