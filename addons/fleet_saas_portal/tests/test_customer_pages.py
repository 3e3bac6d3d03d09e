import json
from datetime import timedelta
from unittest.mock import patch

from lxml import html

from odoo import fields, http
from odoo.tests import HttpCase, tagged
from odoo.tools import format_date, mute_logger

from ..controllers.customer import CustomerDatabases
from .customer import CustomerCase
from .dns_server import DnsServer

ACME, BETA = "/my/databases/uuid-of-acme", "/my/databases/uuid-of-beta"
# Every address that changes something: the least role, and what a browser sends.
POSTS = {
    "/backup": ("manager", {}),
    "/backup/restore": ("manager", {"backup": "b-1"}),
    "/members": ("owner", {"email": "new@example.com", "role": "owner"}),
    "/members/{member}/remove": ("owner", {}),
    "/domains": ("manager", {"name": "new.acme.example"}),
    "/domains/{domain}/remove": ("manager", {}),
    "/domains/{domain}/check": ("manager", {}),
    "/password": ("owner", {}),
    "/cancel": ("owner", {"name": "acme"}),
    "/undelete": ("owner", {}),
}


@tagged("post_install", "-at_install")
class TestCustomerPages(HttpCase, CustomerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.domain = cls.env["saas.domain"]._add(cls.acme, "erp.acme.example")

    def login(self, user):
        self.authenticate(user and user.login, user and user.login)

    def get(self, path, **kwargs):
        self.env.flush_all()
        return self.url_open(path, timeout=60, **kwargs)

    def post(self, path, token=True, **data):
        if token:
            data["csrf_token"] = http.Request.csrf_token(self)
        self.env.flush_all()
        answer = self.url_open(path, data=data or {"x": ""}, timeout=60, allow_redirects=False)
        self.env.invalidate_all()
        return answer

    def get_facts(self):
        """Return all that these addresses can change."""
        self.env.invalidate_all()
        return (
            self.env["saas.request"].search_count([]),
            self.env["saas.instance"].search_count([]),
            self.env["saas.member"].search([]).mapped("role"),
            self.env["saas.domain"].search([]).mapped("name"),
            self.env["res.users"].with_context(active_test=False).search_count([]),
            self.env["mail.activity"].search_count([]),
            self.acme.end_date,
            self.acme.state,
        )

    def fill(self, path):
        return path.format(member=self.members["victor"].id, domain=self.domain.id)

    # --- who sees what

    def test_the_list_has_ones_own_databases_only(self):
        for user, seen in ((self.ann, "acme"), (self.victor, "acme"), (self.bob, "beta")):
            with self.subTest(user=user.login):
                self.login(user)
                page = self.get("/my/databases")
                self.assertEqual(page.status_code, 200)
                other = {"acme": "beta", "beta": "acme"}[seen]
                self.assertIn(f'/my/databases/uuid-of-{seen}"', page.text)
                self.assertNotIn(f"uuid-of-{other}", page.text)

    def test_what_is_empty_says_what_will_be_there(self):
        self.login(self.make_person("new"))
        self.assertIn("As soon as you have one, it is listed here", self.get("/my/databases").text)
        self.login(self.bob)
        page = self.get(BETA).text
        for text in (
            "There are no figures yet; they come soon after",
            "There is no invoice yet. Each one is listed here",
            "There is no backup in the list yet. Each one comes here",
            "There is none yet. A name of yours leads to this database",
            "Nobody else looks after this database yet.",
        ):
            with self.subTest(text=text):
                self.assertIn(text, page)
        self.login(self.ann)
        page = self.get(ACME).text
        self.assertNotIn("A name of yours leads to this database", page)
        self.assertNotIn("Nobody else looks after", page)

    def test_the_list_has_pages_and_copes_with_odd_numbers(self):
        self.make_hosted("second", self.partner)
        self.login(self.ann)
        with patch.object(CustomerDatabases, "_items_per_page", 1):
            first = self.get("/my/databases").text
            second = self.get("/my/databases/page/2").text
            self.assertIn("uuid-of-acme", first)
            self.assertNotIn("uuid-of-second", first)
            self.assertIn("uuid-of-second", second)
            self.assertIn("/my/databases/page/2", first)
            for number in ("0", "99"):
                self.assertEqual(self.get(f"/my/databases/page/{number}").status_code, 200)

    def test_a_database_without_a_plan_has_its_figures_in_their_columns(self):
        self.make_hosted("acme-staging", self.partner).write({"plan_id": False})
        self.login(self.ann)
        page = html.fromstring(self.get("/my/databases").text)
        cells = [len(row.findall("td")) for row in page.findall(".//tbody/tr")]
        self.assertEqual(cells, [5, 5])

    def test_the_portal_counts_them(self):
        self.login(self.ann)
        answer = self.url_open(
            "/my/counters",
            data=json.dumps({"params": {"counters": ["saas_instance_count"]}}),
            headers={"Content-Type": "application/json"},
            timeout=60,
        ).json()
        self.assertEqual(answer["result"]["saas_instance_count"], 1)
        self.assertIn("/my/databases", self.get("/my/home").text)

    def test_an_owner_sees_all_and_a_viewer_what_viewers_see(self):
        self.login(self.ann)
        page = self.get(ACME).text
        for text in ("It works.", "Usage", "Backups", "Users", "invoices", "host names", "Cancel"):
            self.assertIn(text, page)
        self.login(self.victor)
        page = self.get(ACME).text
        self.assertIn("Usage", page)
        for text in ("/backup", "/members", "/domains", "/cancel", "/connect/", "wilma"):
            self.assertNotIn(f"{text}", page)
        self.login(self.max)
        page = self.get(ACME).text
        self.assertIn(f"{ACME}/backup", page)
        self.assertIn("/my/databases/connect/uuid-of-acme", page)
        for text in ("/members", "/cancel", "wilma"):
            self.assertNotIn(text, page)

    def test_what_is_somebody_elses_is_answered_as_what_does_not_exist(self):
        self.login(self.bob)
        theirs, none = self.get(ACME), self.get("/my/databases/no-such-uuid")
        self.assertEqual((theirs.status_code, none.status_code), (404, 404))
        self.assertNotIn("acme", theirs.text.replace("uuid-of-acme", ""))
        self.assertEqual(self.get(BETA).status_code, 200)

    def test_strangers_are_asked_to_log_in(self):
        self.login(None)
        for path in ("/my/databases", ACME):
            answer = self.get(path, allow_redirects=False)
            self.assertEqual(answer.status_code, 303)
            self.assertIn("/web/login", answer.headers["Location"])

    def test_what_was_done_is_said_in_our_own_words_only(self):
        self.login(self.ann)
        self.assertIn("backup is being taken", self.get(f"{ACME}?done=backup").text)
        self.assertNotIn("script", self.get(f"{ACME}?done=%3Cscript%3Ex").text.split("<h1")[1])

    def test_the_page_of_somebody_is_in_no_cache(self):
        self.login(self.ann)
        self.assertEqual(self.get(ACME).headers["Cache-Control"], "no-store")

    def test_every_state_has_a_page(self):
        self.login(self.ann)
        for state, _label in self.acme._fields["state"].selection:
            self.acme.sudo().state = state
            with self.subTest(state=state):
                self.assertEqual(self.get(ACME).status_code, 200)

    # --- who does what

    def test_every_address_that_changes_something_is_in_these_tests(self):
        found = set()
        for name in vars(CustomerDatabases):
            routing = getattr(getattr(CustomerDatabases, name), "original_routing", {})
            if "POST" in routing.get("methods", ()):
                self.assertNotEqual(routing.get("csrf"), False)
                self.assertEqual(routing["auth"], "user")
                found.update(routing["routes"])
        prefix = "/my/databases/<string:uuid>"
        expected = {prefix + path.replace("{", "<int:").replace("}", "_id>") for path in POSTS}
        self.assertEqual(found, expected)

    def test_another_customer_changes_nothing_and_finds_nothing(self):
        self.make_backup(self.acme, "b-1")
        self.login(self.bob)
        before = self.get_facts()
        for path, (_role, data) in POSTS.items():
            with self.subTest(path=path):
                self.assertEqual(self.post(ACME + self.fill(path), **data).status_code, 404)
        self.assertEqual(self.get_facts(), before)

    def test_strangers_change_nothing(self):
        self.make_backup(self.acme, "b-1")
        self.login(None)
        before = self.get_facts()
        for path, (_role, data) in POSTS.items():
            with self.subTest(path=path):
                answer = self.post(ACME + self.fill(path), **data)
                self.assertIn("/web/login", answer.headers.get("Location", ""))
        self.assertEqual(self.get_facts(), before)

    def test_lesser_roles_change_nothing(self):
        self.make_backup(self.acme, "b-1")
        before = self.get_facts()
        for user, allowed in ((self.victor, ()), (self.max, ("manager",))):
            self.login(user)
            for path, (role, data) in POSTS.items():
                if role not in allowed:
                    with self.subTest(path=path, user=user.login):
                        answer = self.post(ACME + self.fill(path), **data)
                        self.assertEqual(answer.status_code, 403)
        self.assertEqual(self.get_facts(), before)

    @mute_logger("odoo.http")
    def test_nothing_changes_by_get_nor_without_the_token(self):
        self.make_backup(self.acme, "b-1")
        self.login(self.ann)
        before = self.get_facts()
        for path, (_role, data) in POSTS.items():
            with self.subTest(path=path):
                address = ACME + self.fill(path)
                self.assertEqual(self.get(address).status_code, 405)
                self.assertEqual(self.post(address, token=False, **data).status_code, 400)
        self.assertEqual(self.get_facts(), before)

    # --- what comes of it

    def assertDone(self, answer, done):
        self.assertEqual(answer.status_code, 303, answer.text[-2000:])
        self.assertTrue(answer.headers["Location"].endswith(f"{ACME}?done={done}"))

    def test_a_manager_backs_up_and_is_told_that_it_is_under_way(self):
        self.login(self.max)
        self.assertDone(self.post(f"{ACME}/backup"), "backup")
        request = self.acme.request_ids
        self.assertEqual((request.kind, request.user_id), ("backup", self.max))
        self.assertIn("A backup is being taken", self.get(ACME).text)
        again = self.post(f"{ACME}/backup")
        self.assertEqual(again.status_code, 422)
        self.assertIn("still under way", again.text)
        self.assertEqual(len(self.acme.request_ids), 1)

    def test_a_backup_is_restored_as_a_staging_copy_which_the_same_people_see(self):
        self.make_backup(self.acme, "b-1")
        self.login(self.max)
        self.assertIn("b-1", self.get(ACME).text)
        self.assertDone(self.post(f"{ACME}/backup/restore", backup="b-1"), "restore")
        copy = self.acme.child_ids
        self.assertEqual((copy.name, copy.purpose), ("acme-staging", "staging"))
        self.assertEqual(copy.partner_id, self.partner)
        self.assertEqual(copy.request_id.kind, "restore_as")
        self.assertEqual(copy.request_id.sudo().arguments["backup"], "b-1")
        self.assertTrue(copy._has_role(self.max, "manager"))
        self.assertFalse(copy._has_role(self.bob, "viewer"))

    def test_the_number_of_staging_copies_is_limited(self):
        self.make_backup(self.acme, "b-1")
        self.login(self.max)
        answers = [self.post(f"{ACME}/backup/restore", backup="b-1") for _try in range(3)]
        self.assertEqual([each.status_code for each in answers], [303, 303, 422])
        self.assertEqual(len(self.acme.child_ids), 2)

    def test_what_is_suspended_is_not_had_as_a_copy(self):
        self.make_backup(self.acme, "b-1")
        self.acme._set_state("suspended")
        self.login(self.ann)
        self.assertEqual(self.post(f"{ACME}/backup/restore", backup="b-1").status_code, 422)
        self.assertFalse(self.acme.child_ids)

    def test_backups_of_others_are_no_backups(self):
        self.make_backup(self.other, "b-2")
        self.login(self.ann)
        answer = self.post(f"{ACME}/backup/restore", backup="b-2")
        self.assertEqual(answer.status_code, 422)
        self.assertFalse(self.acme.child_ids)

    def test_an_owner_invites_and_removes(self):
        self.login(self.olga)
        data = {"email": "new@example.com", "role": "manager"}
        self.assertDone(self.post(f"{ACME}/members", **data), "invite")
        member = self.acme.member_ids.filtered(lambda each: each.email == "new@example.com")
        self.assertEqual((member.role, member.partner_id), ("manager", self.partner))
        self.assertIn("new@example.com", self.get(ACME).text)
        self.assertDone(self.post(f"{ACME}/members/{member.id}/remove"), "remove")
        self.assertFalse(member.active)

    def test_the_answer_to_an_invitation_tells_not_who_has_an_account(self):
        self.bob.login = "bob@beta.example"
        self.login(self.ann)
        texts = set()
        for email in ("bob@beta.example", "unknown@beta.example"):
            answer = self.post(f"{ACME}/members", email=email, role="viewer")
            texts.add((answer.status_code, answer.headers["Location"]))
        self.assertEqual(len(texts), 1)

    def test_who_is_there_already_is_invited_no_second_time_and_that_is_said(self):
        self.victor.login = "victor@example.com"
        self.login(self.ann)
        member = self.members["victor"]
        answer = self.post(f"{ACME}/members", email="victor@example.com", role="manager")
        self.assertDone(answer, f"role&member={member.id}")
        page = self.get(f"{ACME}?done=role&member={member.id}").text
        self.assertIn(f"{member.email} has access already. The role is now: Manager.", page)
        theirs = self.make_member(self.victor, "viewer", self.other, self.beta)
        for number in (theirs.id, 0, "x", ""):
            page = self.get(f"{ACME}?done=role&member={number}").text
            self.assertNotIn("has access already", page)

    def test_an_owner_of_one_database_gives_nobody_a_role_for_all(self):
        self.login(self.olga)
        before = self.get_facts()
        data = {"email": "new@example.com", "role": "owner", "everywhere": "1"}
        self.assertEqual(self.post(f"{ACME}/members", **data).status_code, 403)
        wilma = self.members["wilma"]
        self.assertEqual(self.post(f"{ACME}/members/{wilma.id}/remove").status_code, 403)
        self.assertEqual(self.get_facts(), before)
        self.login(self.wilma)
        self.assertDone(self.post(f"{ACME}/members", **data), "invite")
        made = self.env["saas.member"].search([("email", "=", "new@example.com")])
        self.assertFalse(made.instance_id)

    def test_nobody_removes_themselves_nor_people_of_others(self):
        self.olga.login = "olga@example.com"
        self.login(self.olga)
        own = self.members["olga"]
        self.assertEqual(self.post(f"{ACME}/members/{own.id}/remove").status_code, 422)
        answer = self.post(f"{ACME}/members", email="olga@example.com", role="viewer")
        self.assertEqual((answer.status_code, own.role), (422, "owner"))
        theirs = self.make_member(self.victor, "viewer", self.other, self.beta)
        self.assertEqual(self.post(f"{ACME}/members/{theirs.id}/remove").status_code, 404)
        self.assertTrue(own.active and theirs.active)

    def test_host_names_are_asked_for_with_their_proof_and_given_up(self):
        self.login(self.max)
        self.assertDone(self.post(f"{ACME}/domains", name="New.Acme.example."), "domain")
        made = self.acme.domain_ids.filtered(lambda each: each.name == "new.acme.example")
        page = self.get(ACME).text
        self.assertIn(made.record_name, page)
        self.assertIn(made.record_value, page)
        self.assertDone(self.post(f"{ACME}/domains/{made.id}/remove"), "domain_removed")
        self.assertFalse(made.exists())

    def test_an_owner_has_the_administrator_sent_a_password_link(self):
        self.acme.admin_login = "ann@acme.example"
        self.login(self.olga)
        self.assertIn("ann@acme.example", self.get(ACME).text)
        self.assertDone(self.post(f"{ACME}/password"), "password")
        request = self.acme.request_id
        self.assertEqual((request.kind, request.arguments), ("administrator", {"link": True}))

    def test_a_host_name_is_looked_up_when_its_customer_asks(self):
        self.login(self.max)
        with DnsServer() as server:
            text = "{}:{}".format(*server.address)
            self.env["ir.config_parameter"].set_param("fleet_saas_portal.dns_servers", text)
            address = f"{ACME}/domains/{self.domain.id}/check"
            self.assertDone(self.post(address), "domain_checked")
            self.assertIn("no TXT record", self.get(ACME).text)
            self.assertEqual(self.post(address).status_code, 422, "not twice in a moment")
            server.records[self.domain.record_name] = [self.domain.record_value]
            self.domain.checked = False
            self.assertDone(self.post(address), "domain_checked")
        page = self.get(ACME).text
        self.assertIn("It is proven to be yours", page)
        self.assertIn("acme.example.com", page)
        self.assertEqual(self.acme.request_ids.kind, "domains")

    def test_what_is_no_host_name_is_said_and_not_kept(self):
        self.login(self.max)
        for name in ("<b>x</b>", "10.0.0.1", ""):
            answer = self.post(f"{ACME}/domains", name=name)
            self.assertEqual(answer.status_code, 422)
            self.assertNotIn("<b>x", answer.text)
        self.assertEqual(self.acme.domain_ids, self.domain)

    def test_host_names_of_others_are_not_found(self):
        theirs = self.env["saas.domain"]._add(self.other, "erp.beta.example")
        self.login(self.ann)
        self.assertEqual(self.post(f"{ACME}/domains/{theirs.id}/remove").status_code, 404)
        self.assertTrue(theirs.exists())

    def test_cancelling_needs_the_name_and_tells_the_day(self):
        self.login(self.ann)
        wrong = self.post(f"{ACME}/cancel", name="beta")
        self.assertEqual((wrong.status_code, self.acme.end_date), (422, False))
        self.assertDone(self.post(f"{ACME}/cancel", name="acme"), "cancel")
        self.assertTrue(self.acme.end_date)
        self.assertEqual(self.acme.request_ids.mapped("kind"), ["archive"])

    def test_what_was_cancelled_is_brought_back(self):
        self.login(self.ann)
        self.post(f"{ACME}/cancel", name="acme")
        self.answer(self.acme.request_id, "done")
        self.assertIn("It can be brought back until", self.get(ACME).text)
        self.assertDone(self.post(f"{ACME}/undelete"), "undelete")
        self.assertEqual(self.acme.request_id.kind, "undelete")
        self.answer(self.acme.request_id, "done")
        self.assertEqual(self.acme.state, "active")

    def test_whom_to_ask_for_another_plan_is_said(self):
        company = self.acme.company_id
        company.write({"name": "Northwind Hosting", "email": "Sales <sales@northwind.example>"})
        self.login(self.ann)
        page = html.fromstring(self.get(ACME).text)
        section = page.find(".//section[@aria-labelledby='saas_plan']")
        self.assertIn("For another plan, ask Northwind Hosting.", section.text_content())
        self.assertIsNotNone(section.find(".//a[@href='mailto:sales@northwind.example']"))
        company.email = False
        section = html.fromstring(self.get(ACME).text).find(
            ".//section[@aria-labelledby='saas_plan']"
        )
        self.assertIn("For another plan, ask Northwind Hosting.", section.text_content())
        self.assertIsNone(section.find(".//a"))

    def test_a_price_to_which_tax_is_added_says_so(self):
        self.plan.price = 30
        tax = self.env["account.tax"].create({"name": "Tax of 15%", "amount": 15})
        self.plan._get_product().taxes_id = tax
        self.login(self.ann)
        for pays, said in (
            ({"price_include_override": "tax_excluded"}, True),
            ({"price_include_override": "tax_included"}, False),
            ({"price_include_override": "tax_excluded", "amount": 0}, False),
        ):
            tax.write(pays)
            with self.subTest(pays=pays):
                self.assertEqual("plus tax" in self.get(ACME).text, said)

    def test_what_is_being_brought_back_is_said_to_be(self):
        self.login(self.ann)
        self.post(f"{ACME}/cancel", name="acme")
        self.answer(self.acme.request_id, "done")
        self.post(f"{ACME}/undelete")
        page = self.get(f"{ACME}?done=undelete").text
        self.assertIn("The database is being brought back.", page)
        self.assertIn("It is being brought back and can be opened in a minute.", page)
        self.assertNotIn("Ask us if you need it back", page)
        self.assertNotIn("cancellation is taken back", page)
        self.answer(self.acme.request_id, "failed", error="No room.")
        page = self.get(f"{ACME}?done=undelete").text
        self.assertNotIn("taken back", page)
        self.assertIn("Bring it back", page)

    def test_a_backup_of_what_has_ended_hides_not_that_it_can_be_brought_back(self):
        self.acme.undelete_until = fields.Date.today()
        self.acme.state = "archived"
        self.acme._begin("backup")
        self.login(self.ann)
        button = html.fromstring(self.get(ACME).text).find(
            f".//form[@action='{ACME}/undelete']/button"
        )
        self.assertTrue(button.get("disabled"))
        self.assertEqual(self.post(f"{ACME}/undelete").status_code, 422)
        self.acme.is_deleting = True
        self.assertIn("Ask us if you need it back", self.get(ACME).text)

    def test_what_is_not_active_is_not_restored_as_a_copy(self):
        self.make_backup(self.acme, "b-1")
        self.login(self.max)
        for state, closed in (
            ("active", None),
            ("archived", "disabled"),
            ("suspended", "disabled"),
        ):
            self.acme.sudo().state = state
            page = html.fromstring(self.get(ACME).text)
            button = page.find(f".//form[@action='{ACME}/backup/restore']/button")
            with self.subTest(state=state):
                self.assertEqual(bool(button.get("disabled")), bool(closed))

    def test_until_when_it_is_paid_is_said_of_what_was_paid_only(self):
        today = fields.Date.today()
        day = format_date(self.env(user=self.ann), today)
        subscription = self.acme._start_subscription()
        self.login(self.ann)
        for words, values in (
            (f"On trial until {day}.", {"state": "trial"}),
            (f"Its trial was until {day}.", {"state": "closed"}),
            (f"Paid until {day}.", {"state": "closed", "paid_until": today + timedelta(days=1)}),
        ):
            subscription.write(
                {"trial_end": today + timedelta(days=1), "paid_until": False, **values}
            )
            with self.subTest(words=words):
                self.assertIn(words, self.get(ACME).text)
        subscription.write({"trial_end": False, "start": today, "paid_until": today})
        self.assertNotIn("Paid until", self.get(ACME).text)

    def make_invoice(self, partner, move_type="out_invoice"):
        invoice = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": partner.id,
                "invoice_line_ids": [(0, 0, {"name": "Plan", "price_unit": 10, "tax_ids": False})],
            }
        )
        invoice.action_post()
        return invoice

    def test_invoices_are_linked_for_owners_of_everything_and_nobody_else(self):
        self.env["account.chart.template"].try_loading(
            "generic_coa", company=self.env.company, install_demo=False
        )
        ours, theirs = self.make_invoice(self.partner), self.make_invoice(self.beta)
        self.login(self.ann)
        page = self.get(ACME).text
        self.assertIn(f'"/my/invoices/{ours.id}"', page)
        self.assertNotIn(f"/my/invoices/{theirs.id}", page)
        ours._portal_ensure_token()
        self.assertIn(f"/my/invoices/{ours.id}?access_token=", self.get(ACME).text)
        for user in (self.victor, self.max, self.olga):
            self.login(user)
            self.assertNotIn("/my/invoices/", self.get(ACME).text)

    def test_a_credit_note_is_shown_as_one(self):
        self.env["account.chart.template"].try_loading(
            "generic_coa", company=self.env.company, install_demo=False
        )
        credit = self.make_invoice(self.partner, "out_refund")
        self.login(self.ann)
        page = html.fromstring(self.get(ACME).text)
        [line] = [
            x
            for x in page.findall(".//li")
            if x.find(f"a[@href='/my/invoices/{credit.id}']") is not None
        ]
        text = line.text_content()
        self.assertIn("Credit Note", text)
        self.assertRegex(text, r"-\D*10\.00")
