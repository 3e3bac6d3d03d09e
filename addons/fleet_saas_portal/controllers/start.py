import re
from datetime import timedelta

from werkzeug.exceptions import NotFound

from odoo import fields, http
from odoo.exceptions import UserError
from odoo.http import request

from ..models.res_users_signup import CREDENTIAL
from ..models.saas_mail_domain import normalize_address

SESSION, NOTE = "saas_signup", "saas_signup_note"
HONEYPOT = "website_url"  # no person sees it; programs fill in everything
CAPTCHA = "saas_signup"  # the action that a captcha addon verifies
FIELDS = ("company_name", "contact_name", "email", "name", "country_id", "lang", "template")
MOST_LENGTH = 200
# The name stands in the mail: nobody shall send links to strangers through it.
NO_NAME = re.compile(r"[:/\\<>@]|www\.|.{61}", re.IGNORECASE)
# How long the portal may take to introduce itself to a new database before its login page does.
PATIENCE = timedelta(seconds=20)
# Nothing of these pages is for caches, frames or the next site's log.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
}
PRIVATE = {**HEADERS, "Referrer-Policy": "no-referrer"}


class Start(http.Controller):
    """The public sign-up: choose, prove the e-mail, watch the database being made."""

    # --- choosing

    @http.route(
        ["/start", "/start/<string:code>"],
        type="http",
        auth="public",
        methods=["GET"],
        website=True,
        sitemap=False,
    )
    def start(self, code=None, **params):
        """Show the plans, or the form of one of them."""
        template = self._text(params, "template")
        if not code:
            return self._render(
                "start_plans", {"plans": self._plans(template), "template": template}
            )
        plan = self._plan(code)
        return self._form(plan, {"template": template or plan.template_id.code}, {})

    @http.route(
        "/start/<string:code>",
        type="http",
        auth="public",
        methods=["POST"],
        website=True,
        sitemap=False,
        captcha=CAPTCHA,
    )
    def submit(self, code, **params):
        """Take the form; nothing but a mail comes of it yet."""
        plan = self._plan(code)
        values = {name: self._text(params, name) for name in FIELDS}
        if params.get(HONEYPOT):
            return self._wait_for(values["email"])
        if self._limit("name"):
            return self._form(plan, values, {"form": self._too_many()}, 429)
        clean, errors = self._check(plan, values)
        if errors:
            return self._form(plan, values, errors, 422)
        full = self._limit("start", clean["email"])
        if full == "mail":
            # Whether somebody signs up with this address is not told to others.
            return self._wait_for(clean["email"])
        if full:
            return self._form(plan, values, {"form": self._too_many()}, 429)
        signup = self._signups()._begin(plan, clean, request.httprequest.remote_addr)
        return self._wait_for(clean["email"], signup)

    @http.route("/start/name", type="jsonrpc", auth="public", methods=["POST"])
    def name(self, name="", company=""):
        """Tell whether a visitor may have ``name``; propose one made of ``company``.

        :return: ``{"free": bool, or null when asked too often, "proposal": str}``
        """
        if self._limit("name"):
            return {"free": None, "proposal": ""}
        signups, name = self._signups(), str(name).strip().lower()[:MOST_LENGTH]
        if name and signups._is_free(name):
            return {"free": True, "proposal": name}
        return {"free": False, "proposal": signups._suggest(str(name or company)[:MOST_LENGTH])}

    # --- proving

    @http.route(
        "/start/confirm/<string:token>",
        type="http",
        auth="public",
        methods=["GET"],
        website=True,
        sitemap=False,
    )
    def confirm(self, token, **_params):
        """Show the button; mail scanners follow links, and nothing must come of that."""
        signup = self._signups()._find_by_token(token)
        return self._render("start_confirm", {"signup": signup, "token": token}, headers=PRIVATE)

    @http.route(
        "/start/confirm/<string:token>",
        type="http",
        auth="public",
        methods=["POST"],
        website=True,
        sitemap=False,
    )
    def confirmed(self, token, **_params):
        """Take the link as proof, and go on."""
        if self._limit("prove"):
            return self._render("start_busy", {}, 429, PRIVATE)
        signup = self._signups()._find_by_token(token)
        if not signup:
            return self._render("start_confirm", {"signup": signup}, 404, PRIVATE)
        return self._proven(signup)

    @http.route(
        "/start/code", type="http", auth="public", methods=["POST"], website=True, sitemap=False
    )
    def code(self, code="", **_params):
        """Take the code of the mail as proof, from the browser that began."""
        if self._limit("prove"):
            return self._render("start_busy", {}, 429, PRIVATE)
        signup, _proven = self._current()
        if not signup or not signup._check_code(str(code)[:20]):
            return self._come_back(wrong_code=True)
        return self._proven(signup)

    def _proven(self, signup):
        signup._prove()
        request.session[SESSION] = {"id": signup.id, "email": signup.email, "proven": True}
        return self._go_on(signup)

    # --- creating

    @http.route(
        "/start/create", type="http", auth="public", methods=["POST"], website=True, sitemap=False
    )
    def make(self, name="", **_params):
        """Have the database made, under another name when one is given."""
        signup, proven = self._current()
        if not signup or not proven or not signup._can_try_again():
            return request.redirect("/start/progress", 303)
        name = str(name).strip().lower()[:MOST_LENGTH]
        if name and name != signup.name:
            if self._limit("name"):
                return self._render("start_busy", {}, 429)
            if not self._signups()._is_free(name):
                return self._come_back(wrong_name=name)
            signup.name = name
        return self._go_on(signup)

    def _go_on(self, signup):
        """Have it made; log a new customer in to the portal, send a known one to the login page."""
        outcome = signup._create_for(request.env.user.sudo())
        if outcome == "login":
            return request.redirect("/web/login?redirect=/start/progress", 303)
        if signup.user_id and request.env.user._is_public():
            self._log_in(signup)
        if outcome == "name":
            return self._come_back(wrong_name=signup.name)
        return request.redirect("/start/progress", 303)

    def _log_in(self, signup):
        credential = {
            "type": CREDENTIAL,
            "login": signup.user_id.login,
            "secret": signup._new_login_secret(),
        }
        request.session.authenticate(request.env, credential)

    @http.route(
        "/start/progress", type="http", auth="public", methods=["GET"], website=True, sitemap=False
    )
    def progress(self, **_params):
        """Show how far the sign-up of this browser is."""
        if SESSION not in request.session:
            return request.redirect("/start")
        signup, proven = self._current()
        state = self._state(signup)
        user = request.env.user.sudo()
        values = {
            **request.session.pop(NOTE, {}),
            "state": state,
            "proven": proven,
            "email": request.session[SESSION]["email"],
            "name": signup.name,
            "advice": signup.advice if proven else "",
            "steps": signup._get_steps() if state in ("creating", "done") else [],
            "url": self._entry(signup, proven) if state == "done" else "",
            "can_try": proven and signup._can_try_again(),
            "needs_login": proven and signup._needs_login(user),
            "domain": signup.plan_id._get_domain(signup.template_id) if signup else "",
        }
        return self._render("start_progress", values, headers=PRIVATE)

    def _come_back(self, **note):
        """Show the progress with a note; a page that answers a POST would be sent twice."""
        request.session[NOTE] = note
        return request.redirect("/start/progress", 303)

    @http.route("/start/status", type="jsonrpc", auth="public", methods=["POST"])
    def status(self):
        """Return ``{"state", "steps", "url"}`` of the sign-up of this browser."""
        signup, proven = self._current()
        state = self._state(signup)
        running = state in ("creating", "done")
        return {
            "state": state,
            "steps": signup._get_steps() if running else [],
            "url": self._entry_now(signup, proven) if state == "done" else "",
        }

    # --- this browser's sign-up

    def _wait_for(self, email, signup=None):
        """Remember the sign-up, or that there is none, and show the same page in both cases."""
        request.session[SESSION] = {
            "id": signup.id if signup else False,
            "email": email,
            "proven": False,
        }
        return request.redirect("/start/progress", 303)

    def _current(self):
        """Return the sign-up of this browser, empty without one, and whether it proved the e-mail."""
        known = request.session.get(SESSION) or {}
        signup = self._signups().browse(known.get("id") or []).exists()
        return signup, bool(signup and known.get("proven"))

    def _state(self, signup):
        if not signup:
            return "new"
        return "expired" if signup._is_expired() else signup.state

    def _entry(self, signup, proven):
        """Return the address where the browser finds its database, "" while that is not known."""
        instance = signup.instance_id
        if proven and instance.uuid and instance._may_connect(request.env.user):
            return f"/my/databases/connect/{instance.uuid}"
        return instance.url or ""

    def _entry_now(self, signup, proven):
        """Return `_entry` as soon as the portal can log the browser in there, or gives that up."""
        instance, address = signup.instance_id, signup.instance_id.url or ""
        if not (proven and instance._may_connect(request.env.user)):
            return address
        try:
            instance._check_can_connect()
        except UserError:
            late = signup.write_date + PATIENCE < fields.Datetime.now()
            return address if late or instance.document_unread else ""
        return self._entry(signup, proven)

    # --- the form

    def _check(self, plan, values):
        """Return the values of a sign-up and the errors by field."""
        env, errors = request.env, {}
        email = normalize_address(values["email"])
        if not email:
            errors["email"] = env._("Please enter your e-mail address.")
        elif env["saas.mail.domain"]._is_refused(email):
            errors["email"] = env._("Addresses of this mail provider cannot be used here.")
        if not values["contact_name"] or NO_NAME.search(values["contact_name"]):
            errors["contact_name"] = env._("Please enter your name.")
        templates = plan._get_start_templates()
        template = templates.filtered(lambda each: each.code == values["template"])
        if not template:
            errors["template"] = env._("Please choose one of these.")
        signups, name = self._signups(), values["name"].lower()
        if name and not signups._is_free(name):
            errors["name"] = env._("This address cannot be had. Please choose another.")
        if errors:
            return {}, errors
        return {
            "name": name or signups._suggest(values["company_name"] or values["contact_name"]),
            "email": email,
            "contact_name": values["contact_name"],
            "company_name": values["company_name"],
            "country_id": self._country(values["country_id"]).id,
            "lang": self._lang(values["lang"]),
            "template_id": template.id,
        }, {}

    def _form(self, plan, values, errors, status=200):
        user = request.env.user
        known = {} if user._is_public() else {"contact_name": user.name, "email": user.email}
        values = {"lang": request.env.lang, **known, **values}
        return self._render(
            "start_form",
            {
                "plan": plan,
                "values": values,
                "errors": errors,
                "templates": plan._get_start_templates(),
                "countries": request.env["res.country"].sudo().search([]),
                "languages": request.env["res.lang"].get_installed(),
                "domain": plan._get_domain(plan.template_id),
                "honeypot": HONEYPOT,
                "captcha": CAPTCHA,
            },
            status,
        )

    def _plans(self, template):
        plans = request.env["saas.plan"].sudo().search(self._plan_domain())
        if template:
            plans = plans.filtered(
                lambda plan: template in plan._get_start_templates().mapped("code")
            )
        return plans

    def _plan(self, code):
        """Return the public plan of this code; one that is not public does not exist here."""
        domain = [*self._plan_domain(), ("code", "=", code)]
        plan = request.env["saas.plan"].sudo().search(domain, limit=1)
        if not plan:
            raise NotFound
        return plan

    def _plan_domain(self):
        return [("is_public", "=", True), ("company_id", "=", request.env.company.id)]

    def _country(self, text):
        known = text.isdecimal() and len(text) < 9
        return request.env["res.country"].sudo().browse(int(text) if known else []).exists()

    def _lang(self, text):
        codes = [code for code, _name in request.env["res.lang"].get_installed()]
        return text if text in codes else request.env.lang

    # --- common

    def _signups(self):
        return request.env["saas.signup"].sudo()

    def _limit(self, action, email=""):
        """Count what this visitor does; return the scope of the limit that is reached, or False."""
        address = request.httprequest.remote_addr
        return request.env["saas.signup.limit"].sudo()._take(action, address, email)

    def _too_many(self):
        return request.env._("That was too often. Please try again later.")

    def _text(self, params, name):
        value = params.get(name)
        text = value.strip() if isinstance(value, str) else ""
        return " ".join(text.replace("\0", "").split())[:MOST_LENGTH]

    def _render(self, template, values, status=200, headers=None):
        response = request.render(f"fleet_saas_portal.{template}", values, status=status)
        response.headers.update(headers or HEADERS)
        return response
