from datetime import date, datetime, timedelta

from odoo.exceptions import ValidationError

from ..models.databases_kpi_set import MAX_KPIS, MAX_KPIS_OF_ONE
from .common import DatabasesCase, at
from .fake_odoo import number, status

DAY = datetime(2026, 3, 10, 2, 0)


class KpiCase(DatabasesCase):
    def setUp(self):
        super().setUp()
        self.remote, self.project = self.add()

    def report(self, *kpis, day=0, project=None):
        """Let the database report ``kpis`` on the given day."""
        self.remote.kpis = list(kpis)
        with at(DAY + timedelta(days=day)):
            self.synchronize(project or self.project)

    def kpi(self, technical_name, kpi_type="integer"):
        return self.env["databases.kpi"].search(
            [("technical_name", "=", technical_name), ("kpi_type", "=", kpi_type)]
        )

    def column(self, technical_name, kpi_type="integer", project=None):
        """Return what the list shows for a KPI, None when it has no such figure."""
        values = (project or self.project).database_kpi_properties._values
        return values.get(self.kpi(technical_name, kpi_type).property_name)

    def history(self, technical_name, kpi_type="integer"):
        return self.env["databases.kpi.value"].search(
            [
                ("kpi_id", "=", self.kpi(technical_name, kpi_type).id),
                ("project_id", "=", self.project.id),
            ],
            order="date",
        )


class TestKpiColumns(KpiCase):
    """From what a database reports to the columns of the list."""

    def test_an_invented_kpi_becomes_a_column(self):
        """A KPI that nobody knew is a property with its name, its type and its value."""
        self.report(number("acme.boxes", 12, "Boxes"), status("acme.vat", "to_submit", "VAT"))
        [project] = self.project.with_user(self.manager).read(["database_kpi_properties"])
        shown = {p["string"]: (p["type"], p["value"]) for p in project["database_kpi_properties"]}
        self.assertEqual(shown["Boxes"], ("integer", 12))
        self.assertEqual(shown["VAT"], ("selection", "to_submit"))
        column = f"database_kpi_properties.{self.kpi('acme.boxes').property_name}"
        self.assertEqual(self.Project.search([(column, "=", 12)]), self.project)
        self.assertEqual(
            self.Project._read_group([(column, "!=", False)], [column], ["__count"]), [(12, 1)]
        )

    def test_names_that_look_alike_have_their_own_columns(self):
        """Identifiers that differ in a dot, a dash or the case never share a column."""
        names = ["a.b", "a-b", "a_b", "A.b", "a:b", "a_html"]
        self.report(*(number(name, place) for place, name in enumerate(names, 1)))
        self.assertEqual([self.column(name) for name in names], [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.project.database_state, "ok")

    def test_a_forged_identifier_stops_nobody(self):
        """An identifier that is another one's column name costs no other database its figures."""
        forged = self.env["databases.kpi"]._get_property_name("documents.inbox", "integer")
        self.report(number(forged, 1))
        self.report(number("documents.inbox", 5))
        self.assertEqual(self.column("documents.inbox"), 5)

    def test_an_identifier_that_is_no_identifier_is_dropped(self):
        """Identifiers with other letters are left out with a remark; the heading may have any."""
        self.report(number("documents.ünïcode", 1), number("documents.ok", 2, "Übersicht №1"))
        self.assertIn("Figure 1 was left out", self.project.database_notes)
        self.assertEqual(self.kpi("documents.ok").name, "Übersicht №1")

    def test_there_is_room_for_a_limited_number(self):
        """A database that invents KPIs without end fills the list up to the cap; known ones go on."""
        self.report(number("documents.inbox", 1))
        room = MAX_KPIS - self.env["databases.kpi"].with_context(active_test=False).search_count([])
        self.env["databases.kpi"].create(
            [
                {"technical_name": f"filler.{n}", "name": "F", "kpi_type": "integer"}
                for n in range(room - 1)
            ]
        )
        self.report(
            number("documents.inbox", 2),
            number("first.over", 3),
            number("second.over", 4, "Second"),
        )
        self.assertEqual((self.column("documents.inbox"), self.column("first.over")), (2, 3))
        self.assertFalse(self.kpi("second.over"))
        self.assertIn("There is no room for more KPIs: Second", self.project.database_notes)
        self.assertEqual(self.project.database_state, "ok")

    def test_one_database_cannot_take_every_column(self):
        """Inventing other KPIs each day, it gets no more than its share; the others still get theirs."""
        self.report(*(number(f"mon.{n}", 1) for n in range(100)))
        self.report(*(number(f"tue.{n}", 1) for n in range(100)), day=1)
        Kpi = self.env["databases.kpi"].with_context(active_test=False)
        self.assertEqual(Kpi.search_count([("technical_name", "=like", "mon.%")]), MAX_KPIS_OF_ONE)
        self.assertFalse(Kpi.search_count([("technical_name", "=like", "tue.%")]))
        other, project = self.add("honest")
        other.kpis = [number("honest.one", 5)]
        self.synchronize(project)
        self.assertTrue(self.kpi("honest.one"))

    def test_a_kpi_may_change_its_type(self):
        """An integer yesterday and a status today are two columns, and nothing crashes."""
        self.report(number("acme.vat", 3))
        self.report(status("acme.vat", "late"), day=1)
        self.assertEqual(self.column("acme.vat", "return_status"), "late")
        self.assertIsNone(self.column("acme.vat"))
        self.assertEqual(self.project.database_state, "ok")
        self.assertEqual(len(self.history("acme.vat")), 1)
        self.assertEqual(self.history("acme.vat", "return_status").status, "late")

    def test_a_hidden_kpi_keeps_its_history(self):
        """A column that is taken out of the list comes back with its figures."""
        self.report(number("acme.boxes", 1))
        kpi = self.kpi("acme.boxes")
        kpi.active = False
        self.assertNotIn(kpi.property_name, self.definition())
        self.report(number("acme.boxes", 2), day=1)
        self.assertNotIn(kpi.property_name, self.project.database_kpi_properties._values)
        kpi.active = True
        self.report(number("acme.boxes", 3), day=2)
        self.assertEqual(self.column("acme.boxes"), 3)
        self.assertEqual(self.history("acme.boxes").mapped("value"), [1, 2, 3])

    def test_a_deleted_kpi_comes_back(self):
        """A KPI that an administrator has deleted is made anew when a database reports it."""
        self.report(number("account_journal_type.sale", 1))
        self.kpi("account_journal_type.sale").unlink()
        self.assertFalse(self.definition())
        self.report(day=1)
        self.assertEqual(self.project.database_state, "ok")
        self.report(number("account_journal_type.sale", 2), day=2)
        self.assertEqual(self.column("account_journal_type.sale"), 2)

    def definition(self):
        return [column["name"] for column in self.env.ref("fleet_databases.kpi_set").kpi_definition]

    def test_a_new_heading(self):
        """Renaming a KPI renames its column."""
        self.report(number("acme.boxes", 1))
        self.kpi("acme.boxes").name = "Crates"
        [project] = self.project.read(["database_kpi_properties"])
        self.assertEqual([p["string"] for p in project["database_kpi_properties"]], ["Crates"])

    def test_known_headings_are_in_the_language_of_who_looks(self):
        """What Odoo's own apps report is translated; what a database invents, or somebody renames, is not."""
        self.report(
            number("account_journal_type.sale", 1, "Sales"),
            number("account_journal_type.bank", 1, "Bank"),
            number("acme.boxes", 2, "Boxes"),
            status("acme.vat", "late", "VAT Return"),
        )
        self.kpi("account_journal_type.bank").name = "Our Bank"
        self.env["res.lang"]._activate_lang("fr_FR")
        project = self.project.with_context(lang="fr_FR")
        [values] = project.read(["database_kpi_properties"])
        shown = {column["string"]: column for column in values["database_kpi_properties"]}
        self.assertEqual(set(shown), {"Ventes", "Our Bank", "Boxes", "Déclaration de TVA"})
        vat = shown["Déclaration de TVA"]
        self.assertEqual(dict(vat["selection"])["late"], "En retard")
        found = project.get_property_definition(f"database_kpi_properties.{vat['name']}")
        self.assertEqual((found["string"], found["selection"]), (vat["string"], vat["selection"]))
        sales = self.kpi("account_journal_type.sale")
        self.assertEqual(sales.with_context(lang="fr_FR").display_name, "Ventes")
        self.assertEqual((sales.display_name, sales.name), ("Sales", "Sales"))
        [values] = self.project.read(["database_kpi_properties"])
        self.assertIn("Sales", [column["string"] for column in values["database_kpi_properties"]])

    def test_the_switches_drop_what_is_not_wanted(self):
        """Documents, drafts and returns are dropped when their switch is off, others stay."""
        kpis = [
            number("documents.inbox", 1),
            number("account_journal_type.sale", 2),
            status("acme.vat", "late"),
            number("acme.boxes", 4),
        ]
        self.report(*kpis)
        columns = ("documents.inbox", "account_journal_type.sale", "acme.boxes")
        for switch, left in (
            ("database_fetch_documents", [None, 2, 4]),
            ("database_fetch_draft_entries", [None, None, 4]),
            ("database_fetch_tax_returns", [None, None, 4]),
        ):
            self.project[switch] = False
            self.report(*kpis)
            self.assertEqual([self.column(name) for name in columns], left)
        self.assertIsNone(self.column("acme.vat", "return_status"))
        self.assertEqual(self.project.database_nb_documents, 0)

    def test_drafts_that_vanish_are_done(self):
        """A journal type that is not reported any more has no drafts; any other figure is just unknown."""
        self.report(
            number("account_journal_type.sale", 3),
            number("account_journal_types", 9),
            number("acme.boxes", 2),
        )
        self.report(day=1)
        self.assertEqual(self.column("account_journal_type.sale"), 0)
        self.assertIsNone(self.column("acme.boxes"))
        self.assertIsNone(self.column("account_journal_types"))
        self.assertEqual(self.history("account_journal_type.sale").mapped("change"), [0, -3])

    def test_documents_are_added_up(self):
        """All folders together are the number of documents, whatever nonsense they report."""
        self.report(number("documents.a", 2**31 - 1), number("documents.b", 2**31 - 1))
        self.assertEqual(self.project.database_nb_documents, 2**31 - 1)
        self.report(
            number("documents.a", -5),
            number("documents.b", -(2**31)),
            number("documents.c", -(2**31)),
        )
        self.assertEqual(self.project.database_nb_documents, 0)
        self.assertEqual(self.project.database_state, "ok")

    def test_no_figures_at_all(self):
        """An empty answer is a good answer."""
        self.report(number("acme.boxes", 1))
        self.report()
        self.assertEqual(
            (self.project.database_state, self.project.database_kpi_properties._values), ("ok", {})
        )


class TestKpiHistory(KpiCase):
    """One figure a KPI a day."""

    def test_the_last_figure_of_a_day_counts(self):
        """A second run on the same day replaces the first, and the change is that since the day before."""
        self.report(number("acme.boxes", 10))
        self.report(number("acme.boxes", 12), day=1)
        self.report(number("acme.boxes", 15), day=1)
        values = self.history("acme.boxes")
        self.assertEqual(values.mapped("date"), [date(2026, 3, 10), date(2026, 3, 11)])
        self.assertEqual(values.mapped("value"), [10, 15])
        self.assertEqual(values.mapped("change"), [0, 5])
        self.assertEqual(values.mapped("is_changed"), [False, True])

    def test_the_day_before_is_the_last_that_has_a_figure(self):
        """After days without an answer, the change is that since the last one."""
        self.report(number("acme.boxes", 10), status("acme.vat", "to_do"))
        self.report(number("acme.boxes", 4), status("acme.vat", "late"), day=5)
        self.assertEqual(self.history("acme.boxes")[-1].change, -6)
        vat = self.history("acme.vat", "return_status")[-1]
        self.assertEqual((vat.previous_status, vat.status, vat.is_changed), ("to_do", "late", True))

    def test_back_to_what_it_was_is_no_change(self):
        """A figure that changed in the morning and went back is not changed."""
        self.report(number("acme.boxes", 10))
        self.report(number("acme.boxes", 11), day=1)
        self.report(number("acme.boxes", 10), day=1)
        self.assertEqual(self.history("acme.boxes").mapped("is_changed"), [False, False])

    def test_changed_since_yesterday(self):
        """The search finds the databases with a change of today, and the text says which."""
        _remote, calm = self.add("calm", kpis=[number("acme.boxes", 1, "Boxes")])
        self.report(
            number("acme.boxes", 10, "Boxes"),
            status("acme.vat", "to_do", "VAT"),
            project=self.project | calm,
        )
        self.report(
            number("acme.boxes", 7, "Boxes"),
            status("acme.vat", "late", "VAT"),
            day=1,
            project=self.project | calm,
        )
        both = self.project | calm
        with at(DAY + timedelta(days=1)):
            Project = self.Project.with_user(self.manager)
            ours = [("id", "in", both.ids)]
            self.assertEqual(
                Project.search([("database_changes", "!=", False), *ours]), self.project
            )
            self.assertEqual(Project.search([("database_changes", "=", False), *ours]), calm)
            shown = self.project.with_user(self.manager).database_changes
            self.assertEqual(set(shown.split(", ")), {"Boxes -3", "VAT: Late"})
        with at(DAY + timedelta(days=2)):
            self.env.invalidate_all()
            self.assertFalse(Project.search([("database_changes", "!=", False), *ours]))
            self.assertFalse(self.project.with_user(self.manager).database_changes)

    def test_the_history_goes_with_its_database(self):
        """Deleting the project deletes its figures."""
        self.report(number("acme.boxes", 10))
        values = self.history("acme.boxes")
        self.project.unlink()
        self.assertFalse(values.exists())


class TestThresholds(KpiCase):
    """A figure over its threshold gives one activity."""

    def setUp(self):
        super().setUp()
        self.project.user_id = self.manager
        self.report(number("acme.boxes", 0, "Boxes"), status("acme.vat", "done", "VAT"))
        self.threshold = self.env["databases.kpi.threshold"].create(
            {
                "kpi_id": self.kpi("acme.boxes").id,
                "value": 10,
                "user_id": self.env.ref("base.user_admin").id,
            }
        )

    def activities(self):
        return self.env["mail.activity"].search(
            [("res_model", "=", "project.project"), ("res_id", "=", self.project.id)]
        )

    def test_once_until_it_went_back(self):
        """Staying over the threshold gives no second activity; going back and over again does."""
        counts = []
        for day, value in enumerate((9, 10, 11, 50, 3, 12)):
            self.report(number("acme.boxes", value), day=day)
            counts.append(len(self.activities()))
            self.assertEqual(self.project.database_state, "ok")
        self.assertEqual(counts, [0, 1, 1, 1, 1, 2])

    def test_what_the_activity_says(self):
        """The responsible person reads which figure, which threshold, and until when."""
        self.report(number("acme.boxes", 12))
        activity = self.activities()
        self.assertEqual((activity.user_id, activity.summary), (self.manager, "Boxes is 12"))
        self.assertIn("Boxes: at least 10", activity.note)
        self.assertEqual(activity.date_deadline, DAY.date() + timedelta(days=1))

    def test_who_does_not_see_the_database_gets_nothing(self):
        """When the responsible person may not see the database, the one named in the threshold is told."""
        self.project.user_id = self.stranger
        self.report(number("acme.boxes", 12))
        self.assertEqual(self.activities().user_id, self.env.ref("base.user_admin"))

    def test_when_nobody_named_sees_the_database_an_administrator_is_told(self):
        """Without anybody else, an administrator of the databases gets the activity."""
        self.project.user_id = self.stranger
        self.threshold.user_id = self.internal
        self.report(number("acme.boxes", 12))
        self.assertTrue(
            self.activities().user_id.has_group("fleet_databases.group_databases_manager")
        )
        self.assertTrue(self.activities().user_id.active)

    def test_at_most(self):
        """A threshold may also be a floor."""
        self.threshold.write({"operator": "<=", "value": 2})
        self.report(number("acme.boxes", 3))
        self.assertFalse(self.activities())
        self.report(number("acme.boxes", 2), day=1)
        self.assertEqual(len(self.activities()), 1)

    def test_a_status_or_worse(self):
        """A status counts from the one that was chosen on to the worse ones."""
        self.threshold.write(
            {"kpi_id": self.kpi("acme.vat", "return_status").id, "status": "to_do"}
        )
        counts = []
        for day, value in enumerate(("done", "longterm", "to_submit", "to_do", "late")):
            self.report(status("acme.vat", value), day=day)
            counts.append(len(self.activities()))
        self.assertEqual(counts, [0, 0, 0, 1, 1])
        self.assertEqual(self.activities().summary, "VAT is To do")

    def test_a_status_is_required(self):
        """A threshold on a status without a status is refused by name."""
        with self.assertRaisesRegex(
            ValidationError, "Choose the Status from which VAT gives an activity"
        ):
            self.threshold.write(
                {"kpi_id": self.kpi("acme.vat", "return_status").id, "status": False}
            )

    def test_only_these_databases(self):
        """A threshold for some databases leaves the others alone."""
        _remote, other = self.add("other")
        self.threshold.project_ids = other
        self.report(number("acme.boxes", 12))
        self.assertFalse(self.activities())

    def test_another_limit_is_another_alert(self):
        """Changing the limit makes what is over it known again."""
        self.report(number("acme.boxes", 12))
        self.threshold.value = 11
        self.report(number("acme.boxes", 12), day=1)
        self.assertEqual(len(self.activities()), 2)


class TestKeyExpiry(KpiCase):
    """Reminders before an API key ends."""

    def reminders(self, days):
        """Run the daily action so many days before the end; return how many activities there are."""
        with at(datetime(2026, 6, 30, 3, 0) - timedelta(days=days)):
            self.run_cron("ir_cron_synchronize")
        return len(self.project.activity_ids)

    def test_at_14_7_and_1_days_once_each(self):
        """Three reminders, each of them once, and none after the end."""
        self.project.write({"database_api_key_expiry": "2026-06-30", "user_id": self.manager.id})
        counts = [self.reminders(days) for days in (20, 15, 14, 13, 8, 7, 7, 3, 1, 0, -1)]
        self.assertEqual(counts, [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
        activity = self.project.activity_ids[-1]
        self.assertEqual(activity.user_id, self.manager)
        self.assertIn("Renew the API key of", activity.summary)

    def test_a_new_date_begins_anew(self):
        """A renewed key is reminded of again."""
        self.project.write({"database_api_key_expiry": "2026-06-30"})
        self.assertEqual(self.reminders(1), 1)
        self.project.write({"database_api_key_expiry": "2026-09-30"})
        self.assertEqual(self.reminders(0), 1)
        self.assertEqual(self.reminders(-85), 2)

    def test_no_reminder_of_a_key_that_is_gone(self):
        """When the key is blanked, so is its end."""
        self.project.write({"database_api_key_expiry": "2026-06-30"})
        self.project.write({"database_url": "http://other.localhost:1"})
        self.assertFalse(self.project.database_api_key_expiry)
        self.assertEqual(self.reminders(1), 0)
