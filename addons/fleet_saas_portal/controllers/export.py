import re

from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.exceptions import Gone as GoneForGood

from odoo.http import Response, content_disposition, request, route

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.remote import RemoteError
from odoo.addons.fleet_databases.vault import VaultError

from ..contract.download import Gone, download
from .customer import PAGE, POST, CustomerDatabases

SHOWN = 5  # archives on the page
_OFFSET = re.compile(r"bytes ([0-9]{1,19})-")


class CustomerExports(CustomerDatabases):
    """The archives of a database: asked for by a POST, downloaded by a GET, through this portal.

    The browser never learns where the file is: it comes from the server in pieces and goes on at once.
    """

    def _prepare_database(self, instance):
        values = super()._prepare_database(instance)
        exports = instance.export_ids[:SHOWN] if values["is_manager"] else instance.export_ids[:0]
        return values | {"exports": exports}

    def _get_said(self, instance):
        said = super()._get_said(instance)
        if instance.export_ids[:1].state != "asked":
            return said
        return said | {
            "export": request.env._(
                "The archive is being made; you get an e-mail when it is ready."
            )
        }

    @route(f"{PAGE}/<string:uuid>/export", **POST)
    def portal_export(self, uuid, backup="", **_kwargs):
        """Have an archive made, of the database as it is or of a backup."""
        return self._do(uuid, "manager", "export", lambda x: x._ask_export(backup))

    @route(
        f"{PAGE}/<string:uuid>/export/<int:export_id>",
        type="http",
        auth="user",
        methods=["GET"],
        website=True,
        sitemap=False,
        readonly=False,
    )
    def portal_download_export(self, uuid, export_id, **_kwargs):
        """Give an archive to the browser, or the rest of it."""
        export = self._find_export(uuid, export_id)
        env = request.env
        if not export.is_available:
            return self._say_why(export, env._("The archive is removed; make another one."), 410)
        try:
            access, key = export._prepare_download()
            asked = request.httprequest.headers
            found, headers = download(access, settings.network_policy(), key, asked)
        except Gone:
            export.state = "gone"
            return self._say_why(export, env._("The archive is removed; make another one."), 410)
        except (RemoteError, VaultError):
            said = env._("The server that has the archive does not answer; try again in a minute.")
            return self._say_why(export, said, 502)
        return self._pass_on(export, found, headers)

    def _find_export(self, uuid, export_id):
        """Return the archive as sudo; 404 when it is not this user's, 403 when the role is less."""
        user = request.env.user
        export = request.env["saas.export"].sudo().browse(export_id).exists()
        if not export or export.instance_id.uuid != uuid:
            raise NotFound
        if not export._may_download(user):
            known = not export.instance_id._is_staff(user)
            raise Forbidden if known and export.instance_id._has_role(user, "viewer") else NotFound
        return export

    def _say_why(self, export, words, status):
        instance = export.instance_id
        if not instance._has_role(request.env.user, "viewer"):
            raise GoneForGood(words)
        response = self._render_database(instance, error=words)
        response.status_code = status
        return response

    def _pass_on(self, export, found, headers):
        """Return the response that streams: with the promised length, so that a break is a failure."""
        if found.status != 416 and request.httprequest.method == "GET":
            offset = _OFFSET.match(headers.get("content-range", ""))
            address = request.httprequest.remote_addr
            export._log_download(request.env.user, address, int(offset[1]) if offset else 0)
        name = f"{export.instance_id.name}-{export.taken_at:%Y%m%d-%H%M}.zip"
        headers |= {
            "content-length": str(found.length),
            "content-type": "application/zip",
            "content-disposition": content_disposition(name),
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        blocks = found.blocks()
        response = Response(blocks, status=found.status, headers=headers, direct_passthrough=True)
        response.call_on_close(found.close)
        return response
