import secrets

from werkzeug.exceptions import NotFound

from odoo.exceptions import AccessError, UserError
from odoo.http import Controller, request, route

from ..tickets import local_path

GET = {"type": "http", "auth": "user", "methods": ["GET"], "readonly": False}
PAGE = GET | {"website": True, "sitemap": False}
POST = {"type": "http", "auth": "user", "methods": ["POST"], "website": True, "sitemap": False}
ACCESS = "/my/databases/access"


class Connect(Controller):
    """The way into hosted databases: a page that posts a ticket, and the customer's word on operators.

    What is somebody else's is answered as what does not exist: 404.
    """

    # --- going in

    @route("/my/databases/connect/<string:uuid>", **PAGE)
    def connect(self, uuid, redirect=None, **_kw):
        """Let one of the customer's people into the database ``uuid`` as themselves."""
        user = request.env.user
        instance = request.env["saas.instance"].sudo().search([("uuid", "=", uuid)], limit=1)
        if instance and instance._may_connect(user):
            return self._enter(instance, user.login, redirect)
        # An operator, whom the database's login page has sent here, says why first.
        if instance and instance._is_staff(user) and instance.sudo(False).has_access("read"):
            action = "fleet_saas_portal.saas_instance_action"
            return request.redirect(f"/odoo/action-{action}/{instance.id}", 303)
        raise NotFound

    @route("/saas/access/<int:access_id>", **PAGE)
    def operate(self, access_id, redirect=None, **_kw):
        """Let an operator in who has said why, and whom the customer has let in where asked."""
        access = request.env["saas.access.request"].sudo().browse(access_id).exists()
        if not access or access.user_id != request.env.user:
            raise NotFound
        try:
            access.instance_id.sudo(False)._check_operator()
        except AccessError as error:
            raise NotFound from error
        if not access._is_usable():
            return self._say(request.env._("This access is over, or was not granted. Ask again."))
        return self._enter(access.instance_id, access.login, redirect, access=access)

    def _enter(self, instance, login, redirect, access=None):
        """Return the page that posts a new ticket to the database.

        The ticket stands in that page alone: in no address, no cache and no history.
        """
        try:
            origin, entrance = instance._get_entrance()
            token = instance._issue_ticket(
                request.env.user,
                login,
                redirect=local_path(redirect),
                access=access,
                address=request.httprequest.remote_addr,
            )
        except UserError as error:
            return self._say(error.args[0])
        nonce = secrets.token_urlsafe(16)
        values = {"name": instance.name, "entrance": entrance, "ticket": token, "nonce": nonce}
        headers = _headers(origin, nonce)
        return request.render("fleet_saas_portal.connect_page", values, headers=headers)

    def _say(self, text):
        values = {"text": text, "no_breadcrumbs": True}
        return request.render("fleet_saas_portal.connect_message", values, status=409)

    # --- the customer's word

    @route(f"{ACCESS}/<int:access_id>", **PAGE)
    def access(self, access_id, **_kw):
        """Show who wants to come in, why and for how long; nothing changes here."""
        access = self._find(access_id)
        values = {
            "access": access,
            "usable": access._is_usable(),
            "late": access._is_late(),
            "choices": [hours for hours in (1, 4, 8, 24) if hours < access.hours] + [access.hours],
            "no_breadcrumbs": True,
        }
        return request.render("fleet_saas_portal.access_page", values)

    @route(f"{ACCESS}/<int:access_id>/answer", **POST)
    def answer(self, access_id, answer="", hours="", **_kw):
        """Take the customer's answer: ``grant``, ``refuse`` or ``end``."""
        access = self._find(access_id)
        try:
            if answer in ("grant", "refuse"):
                wanted = int(hours) if hours.isdecimal() and len(hours) < 4 else access.hours
                access._answer(answer == "grant", wanted)
            elif answer == "end":
                access._end_by_customer()
        except UserError as error:
            return self._say(error.args[0])
        return request.redirect(f"{ACCESS}/{access.id}", 303)

    def _find(self, access_id):
        """Return the request if it is this user's to answer, as sudo."""
        access = request.env["saas.access.request"].sudo().browse(access_id).exists()
        if not access or not access.instance_id._may_approve(request.env.user):
            raise NotFound
        return access


def _headers(origin, nonce):
    """Return the headers of a page with a ticket.

    :param origin: of the database, the only place where the form may go
    """
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        f"form-action {origin}; base-uri 'none'; frame-ancestors 'none'"
    )
    return [
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
    ]
