from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain

#: The remote's identifiers of the figures that the three switches of a database stand for.
DOCUMENTS_PREFIX = "documents."
DRAFTS_PREFIX = "account_journal_type."


class DatabasesWriter(models.AbstractModel):
    """Writes what the network threads brought. Every method may run twice on the same result."""

    _name = "databases.writer"
    _description = "Writer of Remote Results"

    # ------------------------------------------------------------------
    # Synchronisation
    # ------------------------------------------------------------------

    @api.model
    def _apply_snapshots(self, results):
        """Write the snapshots of many databases.

        What a database did not tell this time stays as it was told the last time.

        :param list results: pairs of a job (``project``, ``lines``) and a ``remote.tasks.Snapshot``
        """
        projects = (
            self.env["project.project"]
            .with_context(active_test=False, tracking_disable=True)
            .browse([job["project"] for job, _snapshot in results])
            .exists()
        )
        pairs = [
            (projects.browse(job["project"]), snapshot)
            for job, snapshot in results
            if job["project"] in projects.ids
        ]
        self._write_states(pairs)
        self._write_kpis([(project, snap) for project, snap in pairs if snap.kpis is not None])
        self._write_users([(project, snap) for project, snap in pairs if snap.users is not None])
        self._write_lines(results)

    @api.model
    def _write_states(self, pairs):
        """Write version, protocol, times and errors, with one write for all that are alike."""
        now = fields.Datetime.now()
        alike = defaultdict(lambda: self.env["project.project"])
        for project, snapshot in pairs:
            error = snapshot.error
            values = {
                "database_last_attempt": now,
                "database_error_code": error.code if error else False,
                "database_notes": "\n".join(snapshot.notes) or False,
            }
            if error:
                values["database_nb_synchro_errors"] = project.database_nb_synchro_errors + 1
            else:
                values.update(database_last_synchro=now, database_nb_synchro_errors=0)
            if snapshot.version:
                values["database_version"] = snapshot.version.text
            if snapshot.protocol and (
                snapshot.protocol != project.database_protocol
                or not project._is_protocol_fresh(now)
            ):
                values.update(database_protocol=snapshot.protocol, database_protocol_date=now)
            key = (
                tuple(sorted(values.items())),
                tuple(sorted(error.params.items())) if error else (),
            )
            alike[key] |= project
        for (values, params), projects in alike.items():
            values = {**dict(values), "database_error_params": dict(params) or False}
            projects = projects.with_context(tracking_disable=True)
            projects.write(values)

    @api.model
    def _count_error(self, project_id, code, params):
        """Count an error that happened before, or after, the database was asked."""
        project = self.env["project.project"].browse(project_id).exists()
        if project:
            project.with_context(tracking_disable=True).write(
                {
                    "database_last_attempt": fields.Datetime.now(),
                    "database_error_code": code,
                    "database_error_params": params or False,
                    "database_nb_synchro_errors": project.database_nb_synchro_errors + 1,
                }
            )

    @api.model
    def _is_wanted(self, project, kpi):
        """Tell whether the switches of ``project`` ask for ``kpi``."""
        if kpi.type == "return_status":
            return project.database_fetch_tax_returns
        if kpi.id.startswith(DOCUMENTS_PREFIX):
            return project.database_fetch_documents
        if kpi.id.startswith(DRAFTS_PREFIX):
            return project.database_fetch_draft_entries
        return True

    @api.model
    def _write_kpis(self, pairs):
        """Write the KPIs into the columns, into the history, and check the thresholds."""
        if not pairs:
            return
        wanted = {
            project: [kpi for kpi in snapshot.kpis if self._is_wanted(project, kpi)]
            for project, snapshot in pairs
        }
        kpi_set = self.env.ref("fleet_databases.kpi_set")
        catalogue = kpi_set._ensure_columns(wanted)
        figures = []
        for project, kpis in wanted.items():
            values = {
                catalogue[kpi.id, kpi.type]: kpi.value
                for kpi in kpis
                if (kpi.id, kpi.type) in catalogue
            }
            values.update(self._get_zeros(project, values, catalogue.values()))
            self._write_columns(project, values)
            documents = sum(
                kpi.value
                for kpi in kpis
                if kpi.id.startswith(DOCUMENTS_PREFIX) and kpi.type == "integer"
            )
            documents = max(min(documents, 2**31 - 1), 0)
            if project.database_nb_documents != documents:
                project.database_nb_documents = documents
            if left_out := [kpi.name for kpi in kpis if (kpi.id, kpi.type) not in catalogue]:
                note = self.env._(
                    "There is no room for more KPIs: %(names)s", names=", ".join(left_out)
                )
                project.database_notes = "\n".join(filter(None, [project.database_notes, note]))
            figures += [(project.id, kpi.id, value) for kpi, value in values.items()]
        self.env.flush_all()
        self.env["databases.kpi.value"]._record(figures)
        self.env["databases.kpi.threshold"]._check_figures(figures)

    @api.model
    def _write_columns(self, project, values):
        """Write ``values``, by KPI, into the columns of the list; a hidden KPI has none."""
        columns = {kpi.property_name: value for kpi, value in values.items() if kpi.active}
        if project.database_kpi_properties != columns:
            project.database_kpi_properties = columns

    @api.model
    def _get_zeros(self, project, values, catalogue):
        """Return zeros for the drafts that a database no longer reports.

        ``account`` leaves a journal type out when nothing is to do in it
        (``account/models/kpi_provider.py``), which is good news and not a missing figure.
        """
        if not project.database_fetch_draft_entries:
            return {}
        # As they are stored: read one by one, a status would come as its label.
        columns = project.database_kpi_properties._values
        return {
            kpi: 0
            for kpi in catalogue
            if kpi.property_name in columns
            and kpi.kpi_type == "integer"
            and kpi.technical_name.startswith(DRAFTS_PREFIX)
            and kpi not in values
        }

    @api.model
    def _write_users(self, pairs):
        """Make ``databases.user`` hold the users that each database has told."""
        projects = self.env["project.project"].concat(*(project for project, _snapshot in pairs))
        stored = defaultdict(dict)
        for user in self.env["databases.user"].search([("project_id", "in", projects.ids)]):
            stored[user.project_id.id][user.remote_id] = user
        to_create, to_unlink = [], []
        for project, snapshot in pairs:
            known = stored[project.id]
            for remote in snapshot.users:
                values = {
                    "login": remote.login,
                    "name": remote.name or remote.login,
                    "latest_authentication": remote.latest_authentication or False,
                }
                user = known.pop(remote.id, None)
                if user is None:
                    to_create.append({**values, "project_id": project.id, "remote_id": remote.id})
                elif any(user[name] != value for name, value in values.items()):
                    user.write(values)
            to_unlink += [user.id for user in known.values()]
        self.env["databases.user"].browse(to_unlink).unlink()
        self.env["databases.user"].create(to_create)

    @api.model
    def _write_lines(self, results):
        now = fields.Datetime.now()
        for job, snapshot in results:
            lines = (
                self.env["databases.run.line"]
                .browse([line["id"] for line in job["lines"]])
                .exists()
            )
            lines.write(
                {
                    "state": "failed" if snapshot.error else "done",
                    "result": "failed" if snapshot.error else "synchronized",
                    "error_code": snapshot.error.code if snapshot.error else False,
                    "error_params": snapshot.error.params if snapshot.error else False,
                    "notes": "\n".join(snapshot.notes) or False,
                    "seconds": snapshot.seconds,
                    "date_done": now,
                }
            )

    # ------------------------------------------------------------------
    # Invitations and removals
    # ------------------------------------------------------------------

    @api.model
    def _apply_outcomes(self, job, outcomes):
        """Write what came of inviting, or removing, users on one database.

        :param list outcomes: ``remote.tasks.UserOutcome``, one a line that there was time for
        """
        project = (
            self.env["project.project"]
            .with_context(active_test=False)
            .browse(job["project"])
            .exists()
        )
        lines = (
            self.env["databases.run.line"].browse([line["id"] for line in job["lines"]]).exists()
        )
        by_login = {outcome.login: outcome for outcome in outcomes}
        now = fields.Datetime.now()
        # Time was up before these: they go on from here, and that is no failed attempt.
        lines.filtered(lambda line: line.login not in by_login).write(
            {"state": "queued", "lease_until": False, "lease_token": False, "attempts": 0}
        )
        lines = lines.filtered(lambda line: line.login in by_login)
        for line in lines:
            outcome = by_login[line.login]
            good = outcome.result in self._get_good_results(job["kind"])
            line.write(
                {
                    "state": "done" if good else "failed",
                    "result": outcome.result,
                    "error_code": outcome.error.code if outcome.error else False,
                    "error_params": outcome.error.params if outcome.error else False,
                    "date_done": now,
                }
            )
        if project and lines:
            self._track_users(
                project, job["kind"], lines.filtered(lambda line: line.state == "done")
            )
            self._post_outcomes(
                project, job["kind"], lines.filtered(lambda line: line.result == "done")
            )

    @api.model
    def _get_good_results(self, kind):
        # An account that is not there needs no removal.
        return ("done", "already", "missing") if kind == "remove" else ("done", "already")

    @api.model
    def _track_users(self, project, kind, lines):
        """Keep the list of users in step without waiting for the next synchronisation."""
        keys = [(line.login or "").strip().lower() for line in lines]
        users = self.env["databases.user"].search(
            Domain("project_id", "=", project.id) & Domain("login_key", "in", keys)
        )
        if kind == "remove":
            users.unlink()
            return
        known = set(users.mapped("login_key"))
        lowest = min(
            self.env["databases.user"]
            .search([("project_id", "=", project.id)])
            .mapped("remote_id"),
            default=0,
        )
        self.env["databases.user"].create(
            [
                # The identifier there comes with the next synchronisation; negative until then.
                {
                    "project_id": project.id,
                    "remote_id": min(lowest, 0) - number,
                    "login": line.login,
                    "name": line.user_name or line.login,
                }
                for number, line in enumerate(lines, 1)
                if line.login.strip().lower() not in known
            ]
        )

    @api.model
    def _post_outcomes(self, project, kind, lines):
        if not lines:
            return
        logins = ", ".join(lines.mapped("login"))
        asked_by = lines[0].run_id.user_id.name
        if kind == "invite":
            body = self.env._("%(user)s invited: %(logins)s", user=asked_by, logins=logins)
        else:
            body = self.env._("%(user)s removed: %(logins)s", user=asked_by, logins=logins)
        project._message_log(body=body)
