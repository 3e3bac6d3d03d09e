from urllib.parse import quote, urlencode

from werkzeug.exceptions import Forbidden, NotFound

from odoo.exceptions import UserError
from odoo.http import request, route
from odoo.tools import format_date, format_datetime

from odoo.addons.portal.controllers.portal import CustomerPortal, pager

from ..models.saas_sizes import format_size

PAGE = "/my/databases"
POST = {"type": "http", "auth": "user", "methods": ["POST"], "website": True}


class CustomerDatabases(CustomerPortal):
    """The customer's pages. A page changes nothing; what changes something is a POST of its own.

    What is somebody else's is answered as what does not exist: 404.
    """

    # --- pages

    def _prepare_home_portal_values(self, counters):
        values = super()._prepare_home_portal_values(counters)
        if "saas_instance_count" in counters:
            Instance = request.env["saas.instance"].sudo()
            domain = Instance._get_customer_domain(request.env.user)
            values["saas_instance_count"] = Instance.search_count(domain)
        return values

    @route(
        [PAGE, f"{PAGE}/page/<int:page>"],
        type="http",
        auth="user",
        methods=["GET"],
        website=True,
        readonly=True,
    )
    def portal_my_databases(self, page=1, **_kwargs):
        """List the databases that this user may look after."""
        Instance = request.env["saas.instance"].sudo()
        domain = Instance._get_customer_domain(request.env.user)
        step = self._items_per_page
        pages = pager(url=PAGE, total=Instance.search_count(domain), page=page, step=step)
        offset = max(pages["offset"], 0)
        values = {
            **self._prepare_portal_layout_values(),
            "page_name": "databases",
            "instances": Instance.search(domain, limit=step, offset=offset),
            "pager": pages,
            "default_url": PAGE,
        }
        return request.render("fleet_saas_portal.customer_databases", values)

    @route(
        f"{PAGE}/<string:uuid>",
        type="http",
        auth="user",
        methods=["GET"],
        website=True,
        readonly=True,
    )
    def portal_my_database(self, uuid, done="", member="", **_kwargs):
        """Show one database with what this user may do with it."""
        instance = self._find_instance(uuid)
        said = self._get_said(instance).get(done)
        if done == "role":
            said = self._get_role_said(instance, member)
        return self._render_database(instance, said=said)

    def _render_database(self, instance, said=None, error=None):
        """Return the page of ``instance``, with a sentence of what was done or why it was not."""
        values = {
            **self._prepare_portal_layout_values(),
            "page_name": "database",
            **self._prepare_database(instance),
            "said": said,
            "error": error,
        }
        response = request.render("fleet_saas_portal.customer_database", values)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    def _prepare_database(self, instance):
        """Return the values of the page; what a role may not see is not among them."""
        user = request.env.user
        is_manager = instance._has_role(user, "manager")
        is_owner = instance._has_role(user, "owner")
        owns_all = is_owner and instance._owns_customer(user)
        return {
            "instance": instance,
            "is_manager": is_manager,
            "is_owner": is_owner,
            "may_connect": instance.state == "active" and instance._may_connect(user),
            "owns_all": owns_all,
            "usage": instance._get_usage(),
            "backups": instance._get_backups() if is_manager else [],
            "people": instance._get_people() if is_owner else [],
            "roles": instance.env["saas.member"]
            ._fields["role"]
            ._description_selection(request.env),
            "invoices": instance._get_invoices(owns_all) if is_owner else [],
            "ends": instance._get_end_date() if is_owner else None,
            "quote": quote,
            "human_size": lambda size: format_size(request.env, size),
            "format_day": lambda day: format_date(request.env, day),
            "format_moment": lambda moment: format_datetime(request.env, moment),
        }

    # --- what they do

    @route(f"{PAGE}/<string:uuid>/backup", **POST)
    def portal_backup(self, uuid, **_kwargs):
        """Back the database up now."""
        return self._do(uuid, "manager", "backup", lambda x: x._back_up_for_customer())

    @route(f"{PAGE}/<string:uuid>/backup/restore", **POST)
    def portal_restore(self, uuid, backup="", **_kwargs):
        """Restore a backup as a staging copy."""
        return self._do(uuid, "manager", "restore", lambda x: x._restore_staging(backup))

    @route(f"{PAGE}/<string:uuid>/members", **POST)
    def portal_invite(self, uuid, email="", role="", everywhere="", **_kwargs):
        """Invite somebody, or change the role of one who is there."""

        def invite(instance):
            if everywhere and not instance._owns_customer(request.env.user):
                raise Forbidden
            known = instance._get_people()
            member = instance.env["saas.member"]._invite(
                instance.partner_id.commercial_partner_id,
                instance.browse() if everywhere else instance,
                email,
                role,
            )
            return {"done": "role", "member": member.id} if member in known else None

        return self._do(uuid, "owner", "invite", invite)

    @route(f"{PAGE}/<string:uuid>/members/<int:member_id>/remove", **POST)
    def portal_remove_member(self, uuid, member_id, **_kwargs):
        """Take somebody's role away."""

        def remove(instance):
            member = instance._get_people().filtered(lambda x: x.id == member_id)
            if not member:
                raise NotFound
            if not member.instance_id and not instance._owns_customer(request.env.user):
                raise Forbidden
            if member.user_id == request.env.user:
                raise UserError(request.env._("You cannot remove yourself; ask another owner."))
            member.active = False

        return self._do(uuid, "owner", "remove", remove)

    @route(f"{PAGE}/<string:uuid>/domains", **POST)
    def portal_add_domain(self, uuid, name="", **_kwargs):
        """Ask for a host name of the customer's own."""
        return self._do(uuid, "manager", "domain", lambda x: x.env["saas.domain"]._add(x, name))

    @route(f"{PAGE}/<string:uuid>/domains/<int:domain_id>/remove", **POST)
    def portal_remove_domain(self, uuid, domain_id, **_kwargs):
        """Give a host name up."""

        def remove(instance):
            domain = instance.domain_ids.filtered(lambda x: x.id == domain_id)
            if not domain:
                raise NotFound
            domain.unlink()

        return self._do(uuid, "manager", "domain_removed", remove)

    @route(f"{PAGE}/<string:uuid>/domains/<int:domain_id>/check", **POST)
    def portal_check_domain(self, uuid, domain_id, **_kwargs):
        """Look now whether the record of a host name is there."""

        def check(instance):
            domain = instance.domain_ids.filtered(lambda x: x.id == domain_id)
            if not domain:
                raise NotFound
            domain._check_now()

        return self._do(uuid, "manager", "domain_checked", check)

    @route(f"{PAGE}/<string:uuid>/password", **POST)
    def portal_password_link(self, uuid, **_kwargs):
        """Have the administrator get a link to choose a password."""
        return self._do(uuid, "owner", "password", lambda x: x._send_password_link())

    @route(f"{PAGE}/<string:uuid>/cancel", **POST)
    def portal_cancel(self, uuid, name="", **_kwargs):
        """Cancel the database; its name must be typed."""
        return self._do(uuid, "owner", "cancel", lambda x: x._cancel(name))

    @route(f"{PAGE}/<string:uuid>/undelete", **POST)
    def portal_undelete(self, uuid, **_kwargs):
        """Take a cancellation back."""
        return self._do(uuid, "owner", "undelete", lambda x: x._keep())

    # --- helpers

    def _find_instance(self, uuid, role="viewer"):
        """Return the instance as sudo; 404 when it is not this user's, 403 when the role is less."""
        Instance = request.env["saas.instance"]
        instance = Instance._find_for_user(uuid)
        if not instance:
            raise NotFound
        if not instance._has_role(request.env.user, role):
            raise Forbidden
        return instance

    def _do(self, uuid, role, done, act):
        """Let ``act`` change the instance, then show the page again with what was done.

        What cannot be done takes everything back and is told on the page, with status 422.

        :param act: what it returns as a dict says that something else was done than ``done``
        """
        instance = self._find_instance(uuid, role)
        try:
            with request.env.cr.savepoint():
                other = act(instance)
        except UserError as error:
            response = self._render_database(instance, error=str(error))
            response.status_code = 422
            return response
        query = urlencode(other if isinstance(other, dict) else {"done": done})
        return request.redirect(f"{instance._get_customer_url()}?{query}", code=303)

    def _get_said(self, instance):
        """Return what each thing that was done is called; the address only names one of these.

        The page may be looked at again later: what is over by then is not said any more.
        """
        env = request.env
        return {
            "backup": env._("The backup is being taken; it is in the list when it is verified."),
            "restore": env._("A staging copy is being made; it is in the list of databases."),
            "invite": env._("The invitation is on its way."),
            "remove": env._("The user has been removed."),
            "domain": env._("The host name is noted: now prove that it is yours."),
            "domain_checked": env._("We have looked; what we found is beside the host name."),
            "password": env._("The link is on its way; it comes by mail in a minute."),
            "domain_removed": env._("The host name has been removed."),
            "cancel": env._("The database is cancelled."),
            "undelete": self._get_undelete_said(instance),
        }

    def _get_undelete_said(self, instance):
        env = request.env
        if instance.state != "archived":
            return env._("The cancellation is taken back.")
        is_coming = instance.request_id.kind == "undelete"
        return env._("The database is being brought back.") if is_coming else None

    def _get_role_said(self, instance, member):
        """Return that somebody who was invited is there already; None for what is no member here."""
        if not instance._has_role(request.env.user, "owner"):
            return None
        found = instance._get_people().filtered(lambda each: str(each.id) == member)
        roles = dict(found._fields["role"]._description_selection(request.env))
        return found and request.env._(
            "%(email)s has access already. The role is now: %(role)s.",
            email=found.email,
            role=roles[found.role],
        )
