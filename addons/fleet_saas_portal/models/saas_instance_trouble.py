from odoo import api, models

MANAGERS = "fleet_saas_portal.group_saas_manager"


class SaasInstance(models.Model):
    """Who is told when an instance needs a person, and when its trouble is over."""

    _inherit = "saas.instance"

    def _get_responsible(self):
        """Return who of the hoster is told what needs a person.

        What visitors order has nobody responsible, and was recorded by the public user: then it is
        the first SaaS manager of the company.
        """
        self.ensure_one()
        if self.user_id.active and not self.user_id.share:
            return self.user_id
        return self._find_manager(self.company_id)

    @api.model
    def _find_manager(self, company):
        """Return the first SaaS manager of ``company``, empty when there is none."""
        return (
            self.env["res.users"]
            .sudo()
            .search(
                [
                    ("all_group_ids", "in", self.env.ref(MANAGERS).ids),
                    ("company_ids", "in", company.ids),
                ],
                order="id",
                limit=1,
            )
        )

    def _request_ended(self, request):
        if request.state == "done" and request.kind not in self._quiet_kinds:
            # What failed before has been done since, or something else has.
            self.problem = False
        return super()._request_ended(request)
