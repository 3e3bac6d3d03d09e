from odoo.exceptions import AccessDenied
from odoo.http import Controller, request, route

from .. import pages
from ..models.ir_http import OPERATOR, UNTIL
from ..models.res_users import CREDENTIAL

# A new person must not inherit that another one has just typed his password.
INHERITED = (OPERATOR, UNTIL, "identity-check-last")


class SaasSso(Controller):
    # No token against forged requests: the ticket itself proves where the form came from, and it
    # comes from another host, which could not know such a token.
    @route("/fleet/sso", type="http", auth="none", methods=["POST"], csrf=False, readonly=False)
    def sso(self, ticket="", **_kw):
        """Log in who brings a ticket of the portal, and send him on to a page of this database."""
        client = request.env["saas.client"].sudo().with_context(lang=pages.get_lang())
        try:
            found = client._read_ticket(ticket)
            credential = {"type": CREDENTIAL, "ticket": ticket}
            env = request.env(context=dict(request.env.context, lang=pages.get_lang()))
            info = request.session.authenticate(env, credential)
        except AccessDenied as refusal:
            return pages.refused(client, _get_words(client, refusal))
        for key in INHERITED:
            request.session.pop(key, None)
        if found.operator:
            request.session[OPERATOR] = info["uid"]
        if found.until:
            request.session[UNTIL] = found.until
        return request.redirect(found.redirect, 303)


def _get_words(client, refusal):
    if refusal.args == AccessDenied().args:
        return client.env._(
            "Nobody of this name may log in to this database: there is no such user, or he was "
            "archived. Ask an administrator of the database."
        )
    return refusal.args[0]
