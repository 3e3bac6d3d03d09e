from odoo import api, fields, models

from ..remote import ERRORS
from .databases_sentences import ERROR_CODES, PHRASES, SENTENCES, URL_SENTENCES


class DatabasesRunLine(models.Model):
    _name = "databases.run.line"
    _description = "Result on One Database"
    _order = "id"
    _log_access = False
    _rec_name = "project_id"

    run_id = fields.Many2one(
        "databases.run", required=True, index=True, ondelete="cascade", readonly=True
    )
    project_id = fields.Many2one(
        "project.project", "Database", required=True, index=True, ondelete="cascade", readonly=True
    )
    kind = fields.Selection(related="run_id.kind", store=True)
    login = fields.Char("User", readonly=True)
    user_name = fields.Char(readonly=True)
    state = fields.Selection(
        [("queued", "Waiting"), ("running", "Under Way"), ("done", "Done"), ("failed", "Failed")],
        required=True,
        default="queued",
        readonly=True,
    )
    result = fields.Selection(
        [
            ("synchronized", "Synchronized"),
            ("done", "Done"),
            ("already", "Already there"),
            ("missing", "Not there"),
            ("no_right", "No right"),
            ("unreachable", "Unreachable"),
            ("failed", "Failed"),
            ("created", "Added"),
            ("updated", "Updated"),
            ("unchanged", "Unchanged"),
            ("left", "Left as it is"),
            ("archived", "Archived"),
        ],
        readonly=True,
    )
    error_code = fields.Selection(ERROR_CODES, "Error", readonly=True)
    error_params = fields.Json(readonly=True)
    sentence = fields.Char("Explanation", compute="_compute_sentence")
    notes = fields.Text("Remarks", readonly=True)
    seconds = fields.Float("Duration (s)", digits=(8, 1), readonly=True)
    date_done = fields.Datetime("Finished At", readonly=True)
    attempts = fields.Integer(
        required=True, default=0, readonly=True, export_string_translation=False
    )
    lease_token = fields.Char(readonly=True, export_string_translation=False)
    lease_until = fields.Datetime(readonly=True, export_string_translation=False)

    _unfinished_idx = models.Index("(project_id) WHERE state IN ('queued', 'running')")

    @api.depends("error_code", "error_params")
    @api.depends_context("lang")
    def _compute_sentence(self):
        for line in self:
            line.sentence = self._get_sentence(line.error_code, line.error_params)

    @api.model
    def _get_sentence(self, code, params):
        """Return the translated sentence for ``code``, ``""`` when there is no error.

        :param dict params: what the sentence names, such as a host
        """
        if not code:
            return ""
        # The texts of the tables are exported where they stand; here one is only chosen.
        translate = self.env._
        template = translate(SENTENCES[code]) if code in SENTENCES else ERRORS[code].template
        values = {
            name: translate(PHRASES[value]) if value in PHRASES else value
            for name, value in (params or {}).items()
        }
        try:
            return template % values
        except (KeyError, ValueError, TypeError):
            # A translation that names something else must not hide the error itself.
            return ERRORS[code].template if code in ERRORS else template

    @api.model
    def _get_url_sentence(self, error):
        """Return the translated sentence of ``error``, a ``UrlError``."""
        translate = self.env._
        return translate(URL_SENTENCES[error.code]) % error.params

    def action_open_database(self):
        self.ensure_one()
        return self.project_id.action_open_database()
