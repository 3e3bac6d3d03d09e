from odoo import models


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    def _get_start_templates(self):
        """Return the templates among which a visitor may choose."""
        self.ensure_one()
        return (self.template_id | self.other_template_ids).filtered("active").sorted("sequence")

    def _get_domain(self, template):
        """Return the domain below which the database will answer, "" when it is not known yet."""
        self.ensure_one()
        ready = template.line_ids.filtered(lambda line: line.state == "ready").server_id
        servers = self.server_ids & ready if self.server_ids else ready
        domains = set(servers.filtered("active").mapped("domain")) - {False, ""}
        return domains.pop() if len(domains) == 1 else ""
