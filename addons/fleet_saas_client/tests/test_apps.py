import io
import zipfile

from odoo.exceptions import UserError
from odoo.modules import Manifest
from odoo.tests import tagged

from ..exceptions import LimitReached
from .common import UPGRADE, SaasCase


@tagged("post_install", "-at_install")
class TestApps(SaasCase):
    """Apps are installed as the plan says, and the addon stays while the provider's word holds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.modules = cls.env["ir.module.module"].with_user(cls.env.ref("base.user_admin"))
        cls.ours = cls.find("fleet_saas_client")

    @classmethod
    def find(cls, name):
        return cls.modules.search([("name", "=", name)])

    def refuse(self, app="crm"):
        return self.refused(f"does not include: .*{self.find(app).shortdesc}")

    def test_an_app_outside_the_plan_is_refused_by_its_name(self):
        self.sign(limits={"apps": ["survey"]})
        with self.refuse() as caught:
            self.find("crm").button_install()
        self.assertIn(UPGRADE, str(caught.exception))
        self.assertEqual(self.find("crm").state, "uninstalled")

    def test_an_app_of_the_plan_is_installed_with_what_it_needs(self):
        self.assertTrue(Manifest.for_addon("website")["application"])
        self.assertIn("website", Manifest.for_addon("website_sale")["depends"])
        self.sign(limits={"apps": ["website_sale"]})
        self.find("website_sale").button_install()
        self.assertEqual(self.find("website").state, "to install")

    def test_an_app_that_odoo_installs_by_itself_comes_with_the_apps_it_waits_for(self):
        skills = Manifest.for_addon("hr_skills")
        self.assertTrue(skills["application"] and skills["auto_install"])
        self.assertEqual(skills["depends"], ["hr"])
        self.sign(limits={"apps": ["crm"]})
        with self.refuse("hr_skills"):
            self.find("hr_skills").button_install()
        self.sign(limits={"apps": ["hr"]})
        self.find("hr").button_install()
        self.assertEqual(self.find("hr_skills").state, "to install")

    def test_what_is_no_app_is_installed_freely(self):
        self.sign(limits={"apps": []})
        self.find("sms_twilio").button_install()

    def test_without_a_list_every_app_is_installed(self):
        self.sign()
        self.find("crm").button_install()

    def test_nothing_is_installed_under_a_document_that_cannot_be_verified(self):
        self.store(self.sign()[:-6] + "AAAAAA")
        with self.refused("cannot be verified"):
            self.find("crm").button_install()

    def test_no_other_way_installs_an_app(self):
        self.sign(limits={"apps": []})
        crm, contacts = self.find("crm"), self.find("contacts")
        linked = self.find("crm_iap_mine") or self.find("sale_crm")
        for install in (
            lambda: crm.write({"state": "to install"}),
            lambda: crm.write({"state": "installed"}),
            lambda: crm.write({"state": "to upgrade"}),
            lambda: crm.write({"application": False, "state": "to install"}),
            lambda: linked.button_install(),
            lambda: (
                self.modules.load(["id", "state"], [[crm.get_external_id()[crm.id], "to install"]])[
                    "ids"
                ]
                or self.raise_refused()
            ),
        ):
            with self.assertRaises(LimitReached):
                install()
        with self.refused("keeps its name"):
            crm.name = "other"
        with self.refused("keeps its name"):
            contacts.name = "crm_too"

    def raise_refused(self):
        raise LimitReached("the import was refused")

    def test_a_row_made_by_hand_installs_no_app(self):
        self.sign(limits={"apps": []})
        self.env.cr.execute("DELETE FROM ir_module_module WHERE name = 'crm'")
        self.env.cr.execute("DELETE FROM ir_model_data WHERE name = 'module_crm'")
        self.env.invalidate_all()
        for state in ("to install", "installed"):
            with self.refused("does not include"):
                self.modules.create({"name": "crm", "state": state})

    def test_an_uploaded_module_is_an_app_when_it_says_so(self):
        self.sign(limits={"apps": []})
        with self.refused("does not include"):
            self.modules.create({"name": "my_app", "state": "installed", "application": True})
        self.modules.create({"name": "my_data", "state": "installed"})

    def test_an_uploaded_archive_brings_no_app(self):
        self.sign(limits={"apps": []})
        for name, manifest in {
            "my_app": {"name": "My App", "application": True},
            "crm": {"name": "CRM"},
        }.items():
            with self.assertRaises(UserError) as caught:
                self.modules._import_zipfile(self.pack(name, manifest))
            self.assertIn("does not include: ", str(caught.exception))
        self.modules._import_zipfile(self.pack("my_data", {"name": "My Data"}))
        self.assertEqual(self.find("my_data").state, "installed")

    def pack(self, name, manifest):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            values = {"version": "19.0.1.0.0", "depends": ["base"], "data": []} | manifest
            values |= {"author": "Somebody", "license": "LGPL-3"}
            file.writestr(f"{name}/__manifest__.py", repr(values))
        archive.seek(0)
        return archive

    def test_a_dependency_made_by_hand_does_not_pull_an_app_in(self):
        self.sign(limits={"apps": []})
        self.env["ir.module.module.dependency"].create(
            {"module_id": self.find("auth_signup").id, "name": "crm"}
        )
        self.env.flush_all()
        self.find("auth_signup").button_upgrade()
        self.assertEqual(self.find("crm").state, "uninstalled")
        self.modules.button_reset_state()

    def test_the_addon_stays_while_the_document_holds(self):
        self.sign()
        mail = self.find("mail")
        wizard = self.env["base.module.uninstall"].create({"module_ids": [(6, 0, self.ours.ids)]})
        for leave in (
            lambda: self.ours.button_uninstall(),
            lambda: mail.button_uninstall(),
            lambda: wizard.module_ids.button_uninstall(),
            lambda: self.ours.module_uninstall(),
            lambda: mail.module_uninstall(),
            lambda: self.ours.write({"state": "uninstalled"}),
            lambda: self.ours.write({"state": "uninstallable"}),
            lambda: self.ours.write({"state": "to remove"}),
            lambda: mail.write({"state": "uninstalled"}),
            lambda: self.ours.unlink(),
            lambda: self.ours.with_context(_force_unlink=True).unlink(),
            lambda: mail.with_context(_force_unlink=True).unlink(),
        ):
            with self.refused("stay while Good Hosting hosts this database"):
                leave()
        with self.refused("keeps its name"):
            self.ours.name = "gone"
        self.assertEqual(self.ours.state, "installed")

    def test_nothing_is_dropped_before_an_uninstallation_is_refused(self):
        self.sign()

        def drop(*_args):
            self.fail("the uninstallation has begun")

        self.patch(type(self.env["ir.model.data"]), "_module_data_uninstall", drop)
        with self.refused("stay while"):
            self.ours.module_uninstall()

    def test_without_its_dependencies_on_record_the_addon_stays_too(self):
        self.sign()
        self.ours.dependencies_id.unlink()
        with self.refused("stay while"):
            self.find("mail").button_uninstall()

    def test_an_uploaded_twin_does_not_take_the_addons_place(self):
        self.sign()
        with self.refused("stay while"):
            self.ours.write({"imported": True})

    def test_the_addon_is_updated(self):
        self.sign()
        self.ours.button_upgrade()
        self.assertEqual(self.ours.state, "to upgrade")
        self.modules.button_reset_state()

    def test_a_released_database_lets_the_addon_go(self):
        self.sign(state="released")
        self.ours.button_uninstall()
        self.assertEqual(self.ours.state, "to remove")
