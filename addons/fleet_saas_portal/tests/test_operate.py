from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import SQL

from ..contract import Point
from .common import SaasCase

SNAPSHOT = Point("snapshot", "fleet_x_1", datetime(2026, 1, 30, 8), "Before", 3 << 20)
BACKUP = Point("backup", "20260131-080000-0a", datetime(2026, 1, 31, 8), "manual", 5 << 20)


class OperateCase(SaasCase):
    def take(self, *points, name="acme", **values):
        hosted = self.hosted(name, points=points, **values)
        self.env["saas.instance"]._take_inventory(self.server, [hosted])
        self.env.invalidate_all()

    def wizard(self, instance, kind, user=None, **values):
        Wizard = self.env["saas.instance.wizard"].with_user(user or self.people["manager"])
        return Wizard.create({"instance_id": instance.id, "kind": kind, **values})

    def submit(self, instance, kind, user=None, **values):
        """Press the wizard's button; return what was asked of the server."""
        self.wizard(instance, kind, user, **values).action_submit()
        return instance.request_id

    def refused(self, message, instance, kind, user=None, **values):
        with self.assertRaisesRegex(UserError, message), self.env.cr.savepoint():
            self.submit(instance, kind, user, **values)
        self.assertFalse(instance.request_id)


@tagged("post_install", "-at_install")
class TestOperate(OperateCase):
    """What an operator has done to one database, and who is refused it."""

    def test_every_button_is_refused_to_those_who_only_look(self):
        instance = self.make_active()
        for kind, values in (
            ("modules", {"modules": "crm"}),
            ("parameters", {"key": "a", "value": "b"}),
            ("administrator", {"login": "ann"}),
            ("snapshot", {}),
            ("rename", {"name": "other"}),
            ("duplicate", {"name": "other"}),
            ("delete", {"typed": "acme"}),
        ):
            for user in ("user", "outsider"):
                with self.subTest(kind=kind, user=user), self.assertRaises(AccessError):
                    self.submit(instance, kind, self.people[user], **values)

    def test_why_a_backup_was_taken_is_told_in_words_and_of_a_snapshot_as_it_was_given(self):
        instance = self.make_active()
        self.take(
            Point("snapshot", "fleet_x_2", datetime(2026, 1, 30, 8), "manual"),
            BACKUP,
            Point("backup", "20260101-080000-0b", datetime(2026, 1, 1, 8), "of a later server"),
        )
        labels = {point.code: point.reason_label for point in instance.point_ids}
        self.assertEqual(
            labels,
            {
                "fleet_x_2": "manual",
                BACKUP.code: "On Demand",
                "20260101-080000-0b": "of a later server",
            },
        )
        backup = instance.point_ids.filtered(lambda point: point.code == BACKUP.code)
        self.assertIn("– On Demand", backup.display_name)

    def test_every_button_opens_a_form_that_is_filled_in(self):
        instance = self.make_active().with_user(self.people["admin"])
        self.take(SNAPSHOT, BACKUP)
        for button in (
            "action_install_modules",
            "action_upgrade_modules",
            "action_uninstall_modules",
            "action_set_parameter",
            "action_reset_administrator",
            "action_snapshot",
            "action_revert",
            "action_restore",
            "action_copy_database",
            "action_rename",
            "action_change_plan",
            "action_delete_database",
        ):
            with self.subTest(button=button):
                action = getattr(instance, button)()
                model = instance.env[action["res_model"]].with_context(**action["context"])
                form = Form(model)
                self.assertEqual(form.instance_id, instance)
                self.assertEqual(form.kind, action["context"]["default_kind"])
        with Form(model) as form:
            form.typed = "acme"
        form.save().action_submit()
        self.assertTrue(instance.is_deleting)

    def test_a_snapshot_in_the_list_leads_to_the_way_back(self):
        instance = self.make_active()
        self.take(SNAPSHOT, BACKUP)
        kinds = [point.action_use()["context"]["default_kind"] for point in instance.point_ids]
        self.assertEqual(kinds, ["restore", "revert"])
        context = instance.point_ids[0].action_copy()["context"]
        self.assertEqual(context["default_point_id"], instance.point_ids[0].id)

    def test_what_its_state_does_not_allow_is_refused_before_a_form_is_filled_in(self):
        instance = self.make_active()
        self.take(SNAPSHOT, BACKUP)
        instance._set_state("archived")
        said = "acme is in the state “Archived”; this can be done only in “Active”."
        for ask in (
            instance.point_ids[0].action_use,
            instance.point_ids[1].action_use,
            instance.action_rename,
            instance.action_upgrade_modules,
        ):
            with self.subTest(ask=ask), self.assertRaisesRegex(UserError, said):
                ask()
        self.assertTrue(instance.action_snapshot())

    def test_modules_are_asked_for_by_their_names(self):
        instance = self.make_active()
        request = self.submit(
            instance, "modules", modules=" CRM, sale;crm", module_action="upgrade"
        )
        self.assertEqual(request.arguments, {"action": "upgrade", "modules": ["crm", "sale"]})
        self.assertEqual((request.kind, request.target), ("modules", "acme"))

    def test_modules_that_have_no_such_name_are_refused(self):
        instance = self.make_active()
        self.refused("at least one", instance, "modules", modules=" , ")
        self.refused("no technical name", instance, "modules", modules="Point of Sale!")

    def test_a_parameter_is_set_and_removed(self):
        instance = self.make_active()
        request = self.submit(instance, "parameters", key="web.x", value="1")
        self.assertEqual(request.arguments, {"values": {"web.x": "1"}})
        self.answer(request, "done")
        request = self.submit(instance, "parameters", key="web.x")
        self.assertEqual(request.arguments, {"values": {"web.x": None}})

    def test_parameters_of_the_server_are_refused(self):
        instance = self.make_active()
        self.refused("belongs to the server", instance, "parameters", key="database.uuid")
        self.refused("belongs to the server", instance, "parameters", key="Fleet.x")
        self.refused("no name", instance, "parameters", key="a b")

    def test_a_password_is_never_stored_and_its_hash_goes_with_the_end(self):
        instance = self.make_active()
        wizard = self.wizard(instance, "administrator", password="correct horse", reason="Lost")
        self.assertFalse(wizard.password)
        wizard.action_submit()
        request = instance.request_id
        self.assertFalse(request.arguments)
        for model, record in (("saas_request", request), ("saas_instance_wizard", wizard)):
            self.env.flush_all()
            table = SQL.identifier(model)
            self.env.cr.execute(SQL("SELECT t::text FROM %s t WHERE id = %s", table, record.id))
            [row] = self.env.cr.fetchone()
            self.assertNotIn("correct horse", row)
            self.assertNotIn("pbkdf2", row)
        sent = self.sent(request)
        self.assertTrue(sent["password_hash"].startswith("$pbkdf2-sha512$"))
        crypt = self.env["res.users"]._crypt_context()
        self.assertTrue(crypt.verify("correct horse", sent["password_hash"]))
        self.answer(request, "running")
        self.assertTrue(request.secrets)
        self.answer(request, "done")
        self.assertFalse(request.secrets)

    def sent(self, request):
        _access, _policy, [wanted], _keys = request._prepare_exchange(self.server, request)
        return wanted.arguments

    def test_nobody_reads_the_secrets_of_a_request_over_rpc(self):
        request = self.submit(
            self.make_active(), "administrator", password="correct horse", reason="Lost"
        )
        with self.assertRaises(AccessError):
            request.with_user(self.people["admin"]).read(["secrets"])

    def test_a_login_alone_leaves_the_password_as_it_is(self):
        request = self.submit(
            self.make_active(), "administrator", login=" ann@example.com ", reason="Married"
        )
        self.assertEqual(self.sent(request), {"login": "ann@example.com"})

    def test_an_administrator_reset_to_nothing_is_refused(self):
        instance = self.make_active()
        self.refused("a login, a password", instance, "administrator")
        self.refused("no login", instance, "administrator", login="ann smith")
        self.refused("at least 8", instance, "administrator", password="short")

    def test_an_administrator_is_reset_with_a_reason_that_the_customer_reads(self):
        instance = self.make_active()
        self.refused("Give the reason", instance, "administrator", login="ann")
        self.submit(instance, "administrator", login="ann", reason="She has left")
        access = instance.access_ids
        self.assertEqual((access.reason, access.login), ("She has left", "ann"))
        self.assertEqual(access.user_id, self.people["manager"])

    def test_where_the_plan_asks_the_customer_the_administrator_is_reset_after_the_answer(self):
        instance = self.make_active()
        instance.plan_id.asks_approval = True
        instance.partner_id.email = "ann@example.com"
        wizard = self.wizard(instance, "administrator", password="correct horse", reason="Lost")
        self.assertTrue(wizard.asks_approval)
        action = wizard.action_submit()
        self.assertEqual(action["res_model"], "saas.access.request")
        self.assertFalse(instance.request_id or wizard.sudo().hashed)
        instance.access_ids.sudo()._set_state(
            "granted",
            until=fields.Datetime.now() + timedelta(hours=1),
            answered_by_id=self.people["admin"].id,
        )
        wizard = self.wizard(instance, "administrator", password="correct horse")
        self.assertTrue(wizard.is_let_in)
        wizard.action_submit()
        self.assertEqual(instance.request_id.kind, "administrator")

    def test_the_inventory_tells_to_what_a_database_can_go_back(self):
        instance = self.make_active()
        self.take(SNAPSHOT, BACKUP)
        self.assertEqual(instance.point_ids.mapped("code"), [BACKUP.code, SNAPSHOT.code])
        self.assertEqual(instance.last_backup, BACKUP.taken_at)
        self.take(BACKUP)
        self.assertEqual(instance.point_ids.mapped("kind"), ["backup"])
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        self.assertTrue(instance.point_ids, "an older server tells nothing of them")

    def test_it_goes_back_to_a_snapshot_and_to_a_backup(self):
        instance = self.make_active()
        self.take(SNAPSHOT, BACKUP)
        backup, snapshot = instance.point_ids
        request = self.submit(instance, "revert", point_id=snapshot.id)
        self.assertEqual(request.arguments, {"snapshot": SNAPSHOT.code})
        self.answer(request, "done")
        request = self.submit(instance, "restore", point_id=backup.id)
        self.assertEqual(request.arguments, {"backup": BACKUP.code})

    def test_another_databases_snapshot_or_another_kind_is_refused(self):
        other, instance = self.make_active("other"), self.make_active()
        self.take(SNAPSHOT, BACKUP, name="other")
        self.refused("Choose one", instance, "restore", point_id=other.point_ids[0].id)
        self.refused("Choose one", other, "revert", point_id=other.point_ids[0].id)
        self.refused("Choose one", instance, "revert")

    def test_a_snapshot_says_why_and_how_long(self):
        request = self.submit(self.make_active(), "snapshot", reason=" Prices ", keep_hours=48)
        self.assertEqual(request.arguments, {"reason": "Prices", "keep_hours": 48})

    def test_a_snapshot_is_not_kept_for_years(self):
        self.refused("0 to", self.make_active(), "snapshot", keep_hours=100_000)

    def test_a_staging_copy_is_an_instance_of_its_own(self):
        instance = self.make_active()
        self.submit(instance, "duplicate", name="acme-test")
        child = instance.child_ids
        request = child.request_id
        self.assertEqual((request.kind, request.target), ("duplicate", "acme-test"))
        self.assertEqual(request.arguments["source"], "acme")
        self.assertEqual(
            (child.purpose, child.state, child.plan_id.id), ("staging", "creating", False)
        )
        self.answer(request, "done", steps=[("personalise", {"url": "https://acme-test"})])
        self.assertEqual((child.state, child.url), ("active", "https://acme-test"))

    def test_a_copy_of_a_backup_names_whose_it_is(self):
        instance = self.make_active()
        self.take(BACKUP)
        self.submit(instance, "duplicate", name="acme-then", point_id=instance.point_ids.id)
        request = instance.child_ids.request_id
        self.assertEqual(request.kind, "restore_as")
        self.assertEqual(request.arguments["backup"], BACKUP.code)
        self.assertEqual(request.arguments["identity"], instance.uuid)

    def test_a_copy_that_failed_is_no_blank_database_at_the_next_try(self):
        instance = self.make_active()
        self.submit(instance, "duplicate", name="acme-test")
        child = instance.child_ids
        self.answer(child.request_id, "failed", error="The disk is full.")
        self.assertEqual((child.state, child.problem), ("failed", "The disk is full."))
        with self.assertRaisesRegex(UserError, "another copy"):
            child.action_create()

    def test_names_that_are_taken_or_none_are_refused(self):
        instance, _other = self.make_active(), self.make_active("other")
        for kind in ("rename", "duplicate"):
            self.refused("has the name other", instance, kind, name="other")
            with self.assertRaises(ValidationError):
                self.submit(instance, kind, name="No Name")

    def test_a_renamed_database_has_its_new_address_in_the_fleet_list_too(self):
        instance = self.make_active()
        request = self.submit(instance, "rename", name="Bakery")
        self.assertEqual(request.arguments, {"new_name": "bakery"})
        self.assertEqual(instance.name, "acme")
        self.answer(request, "done", steps=[("address", {"url": "https://bakery"})])
        self.assertEqual((instance.name, instance.url), ("bakery", "https://bakery"))
        self.assertEqual(instance.project_id.database_url, "https://bakery")

    def test_a_draft_of_the_new_name_does_not_hold_up_the_renaming(self):
        instance = self.make_active()
        request = self.submit(instance, "rename", name="bakery")
        draft = self.make_instance("bakery", server_id=self.server.id)
        self.answer(request, "done", steps=[("address", {"url": "https://bakery"})])
        self.assertEqual((instance.name, request.state), ("bakery", "done"))
        self.assertFalse(draft.server_id)

    def test_what_needs_another_state_is_refused(self):
        instance = self.make_active()
        instance._set_state("suspended")
        for kind, values in (
            ("modules", {"modules": "crm"}),
            ("rename", {"name": "other"}),
            ("duplicate", {"name": "other"}),
        ):
            self.refused("in the state “Suspended”|not active", instance, kind, **values)

    def test_fields_of_the_portal_are_not_written_over_rpc(self):
        instance = self.make_active().with_user(self.people["manager"])
        for values in (
            {"state": "archived"},
            {"url": "https://evil"},
            {"parent_id": instance.id},
            {"end_date": "2020-01-01"},
            {"undelete_until": "2099-01-01"},
            {"document_unread": False},
        ):
            with self.subTest(values=values), self.assertRaisesRegex(AccessError, "portal itself"):
                instance.write(values)
        with self.assertRaises(AccessError):
            instance.create({"name": "fresh", "state": "active"})


@tagged("post_install", "-at_install")
class TestPlanChange(OperateCase):
    def setUp(self):
        super().setUp()
        self.large = self.plan.copy({"name": "Large", "code": "large", "max_users": 10})
        self.tiny = self.plan.copy({"name": "Tiny", "code": "tiny", "max_users": 1})

    def test_the_limits_follow_the_plan(self):
        instance = self.make_active()
        self.submit(instance, "plan", plan_id=self.large.id)
        self.assertEqual((instance.plan_id, instance.max_users), (self.large, 10))

    def test_less_than_is_used_is_refused_with_the_numbers_unless_it_is_meant(self):
        instance = self.make_active()
        instance.user_count = 3
        self.refused("has 3 users, the plan Tiny allows 1", instance, "plan", plan_id=self.tiny.id)
        self.submit(instance, "plan", plan_id=self.tiny.id, anyway=True)
        self.assertEqual(instance.plan_id, self.tiny)
        self.assertEqual(instance.over_limit, "users")

    def test_the_same_plan_is_no_change(self):
        self.refused("another plan", self.make_active(), "plan", plan_id=self.plan.id)


@tagged("post_install", "-at_install")
class TestDelete(OperateCase):
    def test_the_name_has_to_be_typed_by_an_administrator(self):
        instance, admin = self.make_active(), self.people["admin"]
        self.refused("Type acme", instance, "delete", admin, typed="acm")
        with self.assertRaisesRegex(AccessError, "administrators"):
            self.submit(instance, "delete", typed="acme")

    def test_it_is_archived_backed_up_and_dropped(self):
        instance, admin = self.make_active(), self.people["admin"]
        self.submit(instance, "delete", admin, typed=" acme ")
        kinds = []
        while request := instance.request_id:
            kinds.append((request.kind, request.arguments))
            with self.assertRaisesRegex(UserError, "being deleted"):
                instance.action_backup()
            self.answer(request, "done")
        self.assertEqual([kind for kind, _arguments in kinds], ["archive", "backup", "drop"])
        self.assertEqual(kinds[1][1], {"reason": "final"})
        self.assertEqual(kinds[2][1], {"without_grace": True})
        self.assertEqual((instance.state, instance.active), ("deleted", False))
        self.assertFalse(instance.is_deleting)

    def test_an_archived_one_is_backed_up_first(self):
        instance = self.make_active()
        instance._set_state("archived")
        request = self.submit(instance, "delete", self.people["admin"], typed="acme")
        self.assertEqual(request.kind, "backup")

    def test_what_fails_ends_it_and_is_somebodys_task(self):
        instance, admin = self.make_active(), self.people["admin"]
        self.answer(self.submit(instance, "delete", admin, typed="acme"), "done")
        self.answer(instance.request_id, "failed", error="The storage is away.")
        self.assertFalse(instance.request_id)
        self.assertEqual((instance.state, instance.is_deleting), ("archived", False))
        self.assertIn("was not deleted", instance.activity_ids.mapped("summary")[0])
        self.submit(instance, "delete", admin, typed="acme")
        self.assertEqual(instance.request_id.kind, "backup")
