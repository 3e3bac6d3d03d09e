from odoo import Command
from odoo.tests import new_test_user, tagged

from .common import UPGRADE, SaasCase

LIMIT = r"plan Starter is for \d+ users, and this would make \d+"


@tagged("post_install", "-at_install")
class TestUsers(SaasCase):
    """There are never more internal users than the plan has, whichever way one is made."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.internal = cls.env.ref("base.group_user")
        cls.portal_group = cls.env.ref("base.group_portal")
        cls.customer = new_test_user(cls.env, "customer", groups="base.group_portal")
        cls.former = new_test_user(cls.env, "former", groups="base.group_user")
        cls.former.active = False
        cls.admin = cls.env.ref("base.user_admin")

    def refuse(self):
        return self.refused(LIMIT)

    def test_the_count_is_that_of_active_internal_users(self):
        expected = self.env["res.users"].search_count([("share", "=", False)])
        self.assertEqual(self.count(), expected)
        self.former.active = True
        self.assertEqual(self.count(), expected + 1)

    def test_the_last_free_place_may_be_taken(self):
        self.limit_to(1)
        new_test_user(self.env, "last", groups="base.group_user")
        with self.refuse():
            new_test_user(self.env, "beyond", groups="base.group_user")

    def test_a_new_user_is_refused_at_the_limit_in_words_that_lead_to_the_portal(self):
        self.limit_to(0)
        with self.refuse() as caught:
            self.env["res.users"].with_user(self.admin).create({"login": "n", "name": "N"})
        self.assertIn(UPGRADE, str(caught.exception))
        self.assertEqual(caught.exception.context["link"], UPGRADE)

    def test_who_left_is_not_taken_back_at_the_limit(self):
        self.limit_to(0)
        for take_back in (
            lambda: self.former.write({"active": True}),
            lambda: self.former.action_unarchive(),
            lambda: self.former.partner_id.write(
                {"user_ids": [Command.update(self.former.id, {"active": True})]}
            ),
        ):
            with self.refuse():
                take_back()

    def test_a_portal_user_does_not_become_an_internal_one_at_the_limit(self):
        self.limit_to(0)
        groups = [Command.set(self.internal.ids)]
        with self.refuse():
            self.customer.write({"group_ids": groups})
        with self.refuse():
            self.customer.partner_id.write(
                {"user_ids": [Command.update(self.customer.id, {"group_ids": groups})]}
            )

    def test_groups_make_no_internal_user_at_the_limit(self):
        lonely = self.env["res.groups"].create({"name": "Lonely"})
        nobody = self.env["res.users"].create(
            {"login": "nobody", "name": "Nobody", "group_ids": [Command.set(lonely.ids)]}
        )
        self.limit_to(0)
        for add in (
            lambda: self.internal.write({"user_ids": [Command.link(nobody.id)]}),
            lambda: self.internal.write({"all_user_ids": [Command.link(nobody.id)]}),
            lambda: lonely.write({"implied_ids": [Command.link(self.internal.id)]}),
            lambda: self.internal.write({"implied_by_ids": [Command.link(lonely.id)]}),
            lambda: lonely._apply_group(self.internal),
            lambda: self.env["res.groups"].create(
                {
                    "name": "Both",
                    "implied_ids": [Command.link(self.internal.id)],
                    "user_ids": [Command.link(nobody.id)],
                }
            ),
        ):
            with self.refuse():
                add()

    def test_an_import_adds_no_user_beyond_the_limit(self):
        self.limit_to(1)
        rows = [["one", "One"], ["two", "Two"]]
        result = self.env["res.users"].with_user(self.admin).load(["login", "name"], rows)
        self.assertFalse(result["ids"])
        self.assertRegex(result["messages"][0]["message"], LIMIT)
        self.env["ir.model.data"].create(
            {"module": "x", "name": "former", "model": "res.users", "res_id": self.former.id}
        )
        self.limit_to(0)
        result = self.env["res.users"].load(["id", "active"], [["x.former", "True"]])
        self.assertFalse(result["ids"])

    def test_a_copy_is_a_new_user_too(self):
        self.limit_to(0)
        with self.refuse():
            self.admin.copy({"login": "twin"})

    def test_invitations_and_companies_add_no_user_beyond_the_limit(self):
        self.limit_to(0)
        with self.refuse():
            self.env["res.users"].web_create_users(["new@example.com"])
        with self.refuse():
            self.env.company.write(
                {"user_ids": [Command.create({"login": "company", "name": "Company"})]}
            )

    def test_portal_users_are_not_counted(self):
        self.limit_to(0)
        new_test_user(self.env, "another", groups="base.group_portal")

    def test_what_makes_no_more_users_is_never_refused(self):
        user = new_test_user(self.env, "somebody", groups="base.group_user")
        self.sign(limits={"users": 1})  # far below
        user.write({"name": "Somebody Else", "group_ids": [Command.link(self.internal.id)]})
        user.write({"active": False})
        self.customer.write({"active": False})

    def test_a_soft_limit_or_none_refuses_nobody(self):
        self.sign(limits={"users_soft": 1})
        new_test_user(self.env, "one", groups="base.group_user")

    def test_a_document_that_cannot_be_verified_lets_nobody_be_added(self):
        token = self.sign(limits={"users": 1000})
        self.store(token[:-6] + "AAAAAA")
        with self.refused("cannot be verified.*Ask your provider"):
            self.former.active = True
        self.write_anchor(self.portal.public)
        self.store(token)
        with self.refused("nobody here knows"):
            self.former.active = True
        self.write_anchor(self.server.public)
        self.former.active = True

    def test_a_released_database_has_no_limit(self):
        self.limit_to(0, state="released")
        self.former.active = True

    def test_rivals_write_the_same_row_before_they_are_let_in(self):
        self.limit_to(5)
        self.former.active = True
        self.env.cr.execute("SELECT checked FROM fleet_document")
        self.assertEqual(self.env.cr.fetchone(), (1,))
