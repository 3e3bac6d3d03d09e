from datetime import timedelta

from freezegun import freeze_time

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.saas_domain import normalize_host
from ..models.saas_member import MAX_INVITATIONS
from .customer import CustomerCase

OURS = "fleet_saas_portal"


@tagged("post_install", "-at_install")
class TestCustomerRules(CustomerCase):
    def get_models(self):
        """Return the names of all models with a table that this addon has made."""
        found = self.env["ir.model.data"].search(
            [("module", "=", OURS), ("model", "=", "ir.model")]
        )
        models = self.env["ir.model"].browse(found.mapped("res_id")).mapped("model")
        ours = [name for name in models if name.startswith("saas.") and name in self.env]
        return [name for name in ours if not self.env[name]._abstract]

    def make_everything(self):
        """Give Beta a record of each kind that a customer has."""
        self.other.action_backup()
        self.make_backup(self.other, "b-1")
        self.env["saas.domain"]._add(self.other, "erp.beta.example")
        self.make_member(self.make_person("bea"), "owner", self.other, self.beta)

    def get_ways(self, records, asked):
        """Return every way to read, and to change, that RPC offers for a model.

        :param asked: the model as the person who asks
        """
        theirs = asked.browse(records.ids)
        ways = [
            lambda: asked.search([]),
            lambda: asked.search_read([], ["display_name"]),
            lambda: asked.search_count([]),
            lambda: asked.search([("create_uid.login", "like", "a")]),
            lambda: asked.formatted_read_group([], ["create_uid"], ["__count"]),
            lambda: asked.name_search(""),
            lambda: asked.web_search_read([], {"display_name": {}}),
            lambda: asked.create({}),
        ]
        if records:
            ways += [
                lambda: theirs.read(["create_date"]),
                lambda: theirs.web_read({"create_date": {}}),
                lambda: theirs.write({"create_date": False}),
                lambda: theirs.unlink(),
            ]
        return ways

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_a_customer_reads_and_changes_no_model_of_the_addon_in_any_way(self):
        self.make_everything()
        names = self.get_models()
        self.assertIn("saas.instance", names)
        for name in names:
            records = self.env[name].search([])
            for number, way in enumerate(self.get_ways(records, records.with_user(self.ann))):
                with self.subTest(model=name, way=number), self.assertRaises(AccessError):
                    way()
            with self.subTest(model=name), self.assertRaisesRegex(UserError, "rights to export"):
                records.with_user(self.ann).export_data(["create_date"])

    @mute_logger("odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule")
    def test_nobody_comes_from_a_contact_to_databases(self):
        for path in ("saas_instance_ids.name", "saas_member_ids.email"):
            with self.subTest(path=path), self.assertRaises(AccessError):
                self.env["res.partner"].with_user(self.ann).search([(path, "like", "e")])

    def open_models(self):
        """Give portal users the right to read, so that only the rules are left."""
        for name in ("instance", "member", "domain", "request", "server"):
            self.env["ir.model.access"].create(
                {
                    "name": f"open {name}",
                    "model_id": self.env["ir.model"]._get_id(f"saas.{name}"),
                    "group_id": self.env.ref("base.group_portal").id,
                    "perm_read": True,
                }
            )

    def test_the_rules_alone_keep_customers_apart(self):
        self.make_everything()
        self.open_models()
        mine = self.env["saas.domain"]._add(self.acme, "erp.acme.example")
        for user in (self.ann, self.victor, self.max, self.olga, self.wilma):
            with self.subTest(user=user.login):
                env = self.env(user=user)
                self.assertEqual(env["saas.instance"].search([]), self.acme)
                self.assertEqual(env["saas.domain"].search([]), mine)
                self.assertLessEqual(env["saas.member"].search([]).user_id, user)
                self.assertFalse(env["saas.request"].search([]))
                self.assertFalse(env["saas.server"].search([]))
                groups = env["saas.instance"].formatted_read_group([], ["name"], ["__count"])
                self.assertEqual([each["name"] for each in groups], ["acme"])
                with self.assertRaises(AccessError), mute_logger("odoo.addons.base.models.ir_rule"):
                    self.other.with_user(user).read(["name"])

    def test_rules_and_pages_agree_on_who_sees_what(self):
        self.open_models()
        Instance = self.env["saas.instance"]
        for user in (self.ann, self.bob, self.victor, self.wilma, self.make_person("nobody")):
            with self.subTest(user=user.login):
                by_pages = Instance.search(Instance._get_customer_domain(user))
                self.assertEqual(Instance.with_user(user).search([]), by_pages)

    def test_a_role_allows_what_lesser_roles_allow(self):
        for user, roles in (
            (self.victor, ["viewer"]),
            (self.max, ["viewer", "manager"]),
            (self.olga, ["viewer", "manager", "owner"]),
            (self.wilma, ["viewer", "manager", "owner"]),
            (self.ann, ["viewer", "manager", "owner"]),
            (self.bob, []),
        ):
            with self.subTest(user=user.login):
                found = [
                    role
                    for role in ("viewer", "manager", "owner")
                    if self.acme._has_role(user, role)
                ]
                self.assertEqual(found, roles)

    def test_a_role_for_all_databases_is_one_for_new_ones_and_no_other_is(self):
        second = self.make_hosted("second", self.partner)
        self.assertTrue(second._has_role(self.wilma, "owner"))
        self.assertFalse(second._has_role(self.olga, "viewer"))
        self.assertTrue(second._owns_customer(self.wilma))
        self.assertFalse(self.acme._owns_customer(self.olga))

    def test_who_was_removed_sees_nothing(self):
        self.members["wilma"].active = False
        self.members["max"].active = False
        self.open_models()
        for user in (self.wilma, self.max):
            self.assertFalse(self.env["saas.instance"]._find_for_user("uuid-of-acme", user=user))
            self.assertFalse(self.env["saas.instance"].with_user(user).search([]))

    def test_a_database_that_changes_its_customer_changes_its_people(self):
        self.acme.partner_id = self.beta
        for user in (self.ann, self.victor, self.max, self.olga, self.wilma):
            with self.subTest(user=user.login):
                self.assertFalse(self.acme._has_role(user, "viewer"))
        self.assertTrue(self.acme._has_role(self.bob, "owner"))

    def test_a_member_cannot_be_of_one_customer_and_of_anothers_database(self):
        with self.assertRaises(ValidationError):
            self.make_member(self.bob, "viewer", self.acme, self.beta)
        contact = self.env["res.partner"].create({"name": "Al", "parent_id": self.partner.id})
        with self.assertRaises(ValidationError):
            self.make_member(self.bob, "viewer", self.env["saas.instance"], contact)

    def test_an_empty_identity_finds_nothing(self):
        self.acme.uuid = False
        for given in (False, None, "", True, 1):
            with self.subTest(given=given):
                found = self.env["saas.instance"]._find_for_user(given, user=self.ann)
                self.assertFalse(found)

    def test_who_signs_up_owns_that_database_and_no_other_of_their_company(self):
        second = self.make_hosted("second", self.partner)
        contact = self.make_person("carl", parent_id=self.partner.id)
        signup = self.env["saas.signup"].new({"user_id": contact.id})
        for _time in range(2):
            signup._signup_created(second)
        self.assertTrue(second._has_role(contact, "owner"))
        self.assertFalse(self.acme._has_role(contact, "viewer"))
        self.assertEqual(len(second.member_ids), 1)
        signup.user_id = self.ann
        signup._signup_created(second)
        self.assertEqual(len(second.member_ids), 1, "the customer in person is owner anyway")

    # --- inviting

    def invite(self, email, role="viewer", instance=None):
        chosen = self.acme if instance is None else instance
        return self.env["saas.member"]._invite(self.partner, chosen, email, role)

    def test_an_invited_stranger_gets_an_account_of_their_own_and_a_mail(self):
        member = self.invite(" New.One@Example.com ", "manager")
        self.assertEqual((member.email, member.user_id.login), ("new.one@example.com",) * 2)
        self.assertTrue(member.user_id._is_portal())
        self.assertFalse(member.user_id.partner_id.parent_id, "it would read Acme's documents")
        mail = self.env["mail.mail"].search([("email_to", "=", "new.one@example.com")])
        self.assertIn("token=", mail.body_html)
        self.assertIn("acme", mail.subject)

    def test_an_invited_user_stays_as_they_are(self):
        self.bob.sudo().partner_id.name = "Bob the Secret"
        before = self.env["res.users"].search_count([])
        member = self.invite("bob@example.com")
        self.assertNotEqual(member.user_id, self.bob, "bob's login is no address")
        self.bob.login = "bob@beta.example"
        again = self.invite("Bob@Beta.example")
        self.assertEqual(again.user_id, self.bob)
        self.assertEqual(self.env["res.users"].search_count([]), before + 1)
        self.assertNotIn("Secret", again.email)

    def test_inviting_again_changes_the_role_alone(self):
        first = self.invite("new@example.com")
        mails = self.env["mail.mail"].search_count([])
        self.assertEqual(self.invite("new@example.com", "owner"), first)
        self.assertEqual(first.role, "owner")
        self.assertEqual(self.env["mail.mail"].search_count([]), mails)

    def test_what_is_no_address_and_no_role_is_refused(self):
        for email, role in (
            ("", "viewer"),
            ("x", "viewer"),
            ("x@y", "viewer"),
            ("x@10.0.0.1", "viewer"),
            ("a@b.c, d@e.f", "viewer"),
            ("a@b.co", "boss"),
        ):
            with self.subTest(email=email), self.assertRaises(UserError):
                self.invite(email, role)

    def test_a_wildcard_invites_no_other_user(self):
        self.bob.login = "bob@beta.example"
        member = self.invite("b_b@beta.example")
        self.assertNotEqual(member.user_id, self.bob)

    def test_invitations_of_a_day_are_counted_removed_ones_too(self):
        for number in range(MAX_INVITATIONS - len(self.members)):
            self.invite(f"m{number}@example.com").active = False
        with self.assertRaisesRegex(UserError, "Too many"):
            self.invite("late@example.com")
        self.assertFalse(self.env["res.users"].search_count([("login", "=", "late@example.com")]))
        self.victor.login = "victor@example.com"
        known = self.invite("victor@example.com", "manager")
        self.assertEqual((known, known.role), (self.members["victor"], "manager"))

    # --- host names

    def test_host_names_are_brought_into_one_form(self):
        for given, host in (
            ("ERP.Example.com.", "erp.example.com"),
            (" bücher.example ", "xn--bcher-kva.example"),
            ("localhost", ""),
            ("", ""),
            (None, ""),
            ("10.0.0.1", ""),
            ("1.2.3.4.5", ""),
            ("[::1]", ""),
            ("a..b", ""),
            ("-a.example", ""),
            ("a_b.example", ""),
            ("a.example/path", ""),
            ("user@a.example", ""),
            ("a.example:80", ""),
            ("a" * 64 + ".example", ""),
            ("a." * 130 + "example", ""),
            ("a.example\nb", ""),
        ):
            with self.subTest(given=given):
                self.assertEqual(normalize_host(given), host)

    def test_a_host_name_is_asked_for_once_and_proven_by_one(self):
        Domain = self.env["saas.domain"]
        mine = Domain._add(self.acme, "ERP.shared.example")
        self.assertEqual(Domain._add(self.acme, "erp.shared.example."), mine)
        theirs = Domain._add(self.other, "erp.shared.example")
        self.assertNotEqual(mine.token, theirs.token)
        theirs.action_prove()
        self.assertEqual((mine.state, theirs.state), ("asked", "proven"))
        with self.assertRaisesRegex(UserError, "Another database"):
            mine.action_prove()

    def test_a_proven_name_does_not_become_another(self):
        domain = self.env["saas.domain"]._add(self.acme, "erp.acme.example")
        domain.action_prove()
        with self.assertRaises(UserError):
            domain.name = "bank.example"

    def test_names_below_the_providers_own_are_refused(self):
        self.server.domain = "hosted.example"
        for name in ("hosted.example", "beta.hosted.example"):
            with self.subTest(name=name), self.assertRaises(ValidationError):
                self.env["saas.domain"]._add(self.acme, name)
        self.env["saas.domain"]._add(self.acme, "nothosted.example")

    def test_only_managers_of_the_provider_prove(self):
        domain = self.env["saas.domain"]._add(self.acme, "erp.acme.example")
        with self.assertRaises(AccessError):
            domain.with_user(self.people["user"]).action_prove()
        domain.with_user(self.people["manager"]).action_prove()
        self.assertEqual(domain.state, "proven")

    # --- the end

    def test_a_cancelled_database_lives_until_its_last_day_and_is_then_archived_once(self):
        paid = fields.Date.today() + timedelta(days=10)
        self.patch(type(self.acme), "_get_paid_until", lambda self: paid)
        self.acme._cancel("acme")
        self.assertEqual((self.acme.end_date, self.acme.state), (paid, "active"))
        self.env["saas.instance"]._cron_end()
        self.assertFalse(self.acme.request_id)
        with freeze_time(fields.Datetime.now() + timedelta(days=11)):
            self.env["saas.instance"]._cron_end()
            self.env["saas.instance"]._cron_end()
        self.assertEqual(self.acme.request_ids.mapped("kind"), ["archive"])
        self.assertFalse(self.other.request_ids)

    def test_what_nobody_has_paid_for_ends_at_once(self):
        self.acme._cancel("acme")
        self.assertEqual(self.acme.request_id.kind, "archive")

    def test_staging_copies_end_and_stay_with_their_original(self):
        paid = fields.Date.today() + timedelta(days=10)
        self.patch(type(self.acme), "_get_paid_until", lambda self: paid)
        copy = self.make_hosted("acme-staging", self.partner)
        copy.parent_id = self.acme
        self.acme._cancel("acme")
        self.assertEqual(copy.end_date, paid)
        self.acme._keep()
        self.assertFalse(copy.end_date)

    def test_a_cancelled_database_can_be_kept(self):
        paid = fields.Date.today() + timedelta(days=10)
        self.patch(type(self.acme), "_get_paid_until", lambda self: paid)
        self.acme._cancel("acme")
        self.acme._keep()
        self.assertFalse(self.acme.end_date)
        with self.assertRaises(UserError):
            self.acme._keep()

    def test_why_something_cannot_be_done_is_said(self):
        with self.assertRaisesRegex(UserError, "acme is not cancelled"):
            self.acme._keep()
        self.acme.end_date = fields.Date.today() + timedelta(days=1)
        with self.assertRaisesRegex(UserError, "acme is cancelled already"):
            self.acme._cancel("acme")
        self.acme.action_backup()
        with self.assertRaisesRegex(UserError, "is still under way for acme"):
            self.acme._keep()
        self.acme.write({"end_date": False, "state": "archived"})
        self.make_backup(self.acme, "b-1")
        with self.assertRaisesRegex(UserError, "acme is in the state “Archived”.*only in “Active”"):
            self.acme._restore_staging("b-1")
        with self.assertRaisesRegex(UserError, "only in “Active” or “Suspended”"):
            self.acme._cancel("acme")

    def test_it_can_be_brought_back_within_the_time_of_grace_only(self):
        self.acme._cancel("acme")
        self.answer(self.acme.request_id, "done")
        days = timedelta(days=self.plan.keep_days)
        self.assertEqual(self.acme.undelete_until, fields.Date.today() + days)
        with freeze_time(fields.Datetime.now() + days + timedelta(days=1)):
            with self.assertRaises(UserError):
                self.acme._keep()
        self.acme._keep()
        self.answer(self.acme.request_id, "done")
        self.assertEqual((self.acme.state, self.acme.end_date), ("active", False))

    def test_what_the_provider_has_closed_its_customer_cannot_open(self):
        self.acme.action_archive_database()
        self.answer(self.acme.request_id, "done")
        with self.assertRaises(UserError):
            self.acme._keep()

    def test_a_suspension_is_not_ended_by_cancelling_and_bringing_back(self):
        self.acme._set_state("suspended")
        self.acme._cancel("acme")
        self.answer(self.acme.request_id, "done")
        self.assertEqual(self.acme.state, "archived")
        with self.assertRaises(UserError):
            self.acme._keep()

    def test_figures_are_shown_against_limits(self):
        self.acme.write({"user_count": 3, "max_users": 3, "storage_mb": 10, "max_storage_mb": 0})
        users, storage = self.acme._get_usage()
        self.assertEqual((users["percent"], users["style"]), (100, "danger"))
        self.assertEqual((storage["most"], storage["percent"]), (0, None))

    def test_every_state_has_a_sentence(self):
        for state, _label in self.acme._fields["state"].selection:
            self.acme.state = state
            self.assertTrue(self.acme._get_state_words())

    def test_an_internal_user_without_a_role_is_no_customer(self):
        outsider = self.people["outsider"]
        outsider.group_ids = [Command.link(self.env.ref("base.group_partner_manager").id)]
        self.assertFalse(self.env["saas.instance"]._find_for_user("uuid-of-acme", user=outsider))
