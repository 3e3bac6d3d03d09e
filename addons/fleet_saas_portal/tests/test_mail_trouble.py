from odoo.tests import tagged

from .signup import SignupCase

NOT_SENT = "E-mails to customers are not sent"


@tagged("post_install", "-at_install")
class TestMailTrouble(SignupCase):
    """What goes wrong where only a visitor or a customer looks is somebody's task."""

    def not_sent(self, mail, times=1):
        """Have the queue end as it does without an address of the sender."""
        for _time in range(times):
            mail.write({"state": "exception"})
            mail._postprocess_sent_message([], [], "There is no sender.", "mail_from_missing")

    def test_a_visitors_mail_that_is_not_sent_is_a_managers_task_once(self):
        self.begin()
        self.not_sent(self.mails(), times=3)
        task = self.plan.activity_ids
        self.assertEqual(task.summary, NOT_SENT)
        self.assertTrue(task.user_id.has_group("fleet_saas_portal.group_saas_manager"))
        for words in ("ann@example.com", "There is no sender."):
            self.assertIn(words, task.note)

    def test_a_customers_mail_is_the_task_of_who_looks_after_the_instance(self):
        self.partner.email = "acme@example.com"
        instance = self.make_active(user_id=self.people["user"].id)
        mail = self.env["mail.mail"].search(
            [("model", "=", "saas.instance"), ("res_id", "=", instance.id)]
        )
        self.not_sent(mail)
        self.assertEqual(
            (instance.activity_ids.summary, instance.activity_ids.user_id),
            (NOT_SENT, self.people["user"]),
        )

    def test_a_mail_that_must_be_in_no_chatter_is_the_instances_task_too(self):
        instance = self.make_active(admin_login="ann@acme.example")
        instance._prepare_password_mail("https://acme.example.com/secret-link")
        mail = self.mails("ann@acme.example")
        self.assertFalse(mail.model or mail.res_id)
        self.not_sent(mail)
        self.assertEqual(instance.activity_ids.summary, NOT_SENT)
        self.assertNotIn("secret-link", instance.activity_ids.note)

    def test_the_choice_of_a_password_after_a_sign_up_is_the_instances_task_too(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.answer(signup.instance_id.request_id, "done")
        self.not_sent(self.env["mail.mail"].search([("body_html", "like", "/web/signup?")]))
        self.assertEqual(signup.instance_id.activity_ids.summary, NOT_SENT)

    def test_an_invitation_to_all_databases_is_the_task_of_one(self):
        instance = self.make_active()
        nothing = self.env["saas.instance"]
        member = self.env["saas.member"]._invite(self.partner, nothing, "eve@example.com", "viewer")
        mail = self.env["mail.mail"].search(
            [("model", "=", "saas.member"), ("res_id", "=", member.id)]
        )
        self.not_sent(mail)
        self.assertEqual(instance.activity_ids.summary, NOT_SENT)

    def test_what_is_sent_and_what_is_not_ours_is_nobodys_task(self):
        self.begin()
        self.mails()._postprocess_sent_message([], [])
        other = self.env["mail.mail"].create({"subject": "Other", "email_to": "a@example.com"})
        self.not_sent(other)
        self.assertFalse(self.plan.activity_ids)

    def test_a_public_plan_of_a_company_without_an_address_says_so(self):
        self.patch(type(self.env["ir.mail_server"]), "_get_default_from_address", lambda self: None)
        company = self.plan.company_id
        company.email = "office@provider.example"
        plan = self.plan.with_user(self.people["user"])
        self.assertFalse(plan.mail_problem)
        company.email = False
        self.assertIn("has no e-mail address", plan.mail_problem)
        self.plan.is_public = False
        plan.invalidate_recordset()
        self.assertFalse(plan.mail_problem)

    def test_a_default_sender_is_an_address(self):
        self.plan.company_id.email = False
        self.patch(
            type(self.env["ir.mail_server"]),
            "_get_default_from_address",
            lambda self: "a@b.example",
        )
        self.assertFalse(self.plan.mail_problem)

    def test_a_sign_up_that_fails_is_somebodys_task_in_their_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.server.accepts_new = False
        signup = self.proven()
        self.assertEqual(signup.with_context(lang="fr_FR")._create_for(self.nobody), "failed")
        task = self.plan.activity_ids
        self.assertEqual(task.summary, "A sign-up has failed")
        for words in ("ann@example.com", "acme", signup.problem):
            self.assertIn(words, task.note)

    def test_what_the_server_refuses_is_a_task_on_the_instance(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.answer(signup.instance_id.request_id, "failed", error="The disk is full.")
        self.assertIn("The disk is full.", signup.instance_id.activity_ids.note)

    def test_what_the_visitor_can_put_right_is_no_task(self):
        self.plan.max_databases = 1
        self.proven()._create_for(self.nobody)
        ann = self.env["res.users"].search([("login", "=", "ann@example.com")])
        self.assertEqual(self.proven(name="acme-two")._create_for(ann), "failed")
        self.assertFalse(self.plan.activity_ids)
