import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.mail import plaintext2html

from .. import settings
from ..hosting import names
from ..hosting.personalise import password_hash
from ..hosting.template_names import code_of, edit_name
from .saas_errors import words

PASSWORD_BYTES = 12


class SaasDatabaseTemplate(models.Model):
    """What operations on a template reserve before they run, and what they leave on its records."""

    _inherit = "saas.database.template"

    # --- build

    @api.model
    def _prepare_template_build(self, target, arguments):
        template = self._define(code_of(target), arguments)
        version = template._new_version()
        request = template._get_definition() | {
            "physical": version.physical,
            "number": version.number,
            "uuid": self.env["saas.database"]._get_new_uuid(),
            "assets": arguments["assets"],
        }
        sources = [template.source_id.name] if template.origin == "database" else []
        return self._reserved(version, request) | {"sources": sources}

    @api.model
    def _define(self, code, arguments):
        """Return the template of a code, changed or made as the arguments say."""
        template = self.with_context(active_test=False).search([("code", "=", code)])
        values = self._get_values(arguments)
        if not template and not (arguments["modules"] or arguments["source"]):
            return self._get_by_code(code)
        if not template:
            return self.create({"name": code.replace("-", " ").title(), "code": code, **values})
        if values:
            template.write(values)
        return template

    @api.model
    def _get_values(self, arguments):
        values = {key: arguments[key] for key in ("lang", "demo") if arguments[key] is not None}
        if arguments["lang"] and arguments["lang"] not in dict(self._selection_lang()):
            raise UserError(self.env._("Odoo has no language %s.", arguments["lang"]))
        if arguments["country"]:
            country = self.env["res.country"].search([("code", "=", arguments["country"])])
            if not country:
                facts = {"country": arguments["country"]}
                raise UserError(words(self.env, "country_unknown", facts))
            values["country_id"] = country.id
        if arguments["modules"] is not None:
            values |= {"origin": "modules", "module_names": ", ".join(arguments["modules"])}
        if arguments["source"]:
            source = self.env["saas.database"]._get_by_name(arguments["source"])
            values |= {"origin": "database", "source_id": source.id}
        return values

    def _get_definition(self):
        """Return the part of a build's request that says what to build."""
        self.ensure_one()
        if self.origin == "archive":
            raise UserError(
                self.env._("%s is built from an uploaded backup. Upload one.", self.name)
            )
        if self.origin == "database":
            if self.source_id.state not in ("active", "suspended", "archived"):
                raise UserError(
                    self.env._("%s cannot be copied: it is not there.", self.source_id.name)
                )
            live = not names.is_hidden(self.source_id.physical)
            return {
                "source": self.source_id.physical,
                "source_uuid": self.source_id.uuid,
                "live": live,
                "modules": [],
            }
        return {
            "modules": self._get_modules(),
            "lang": self.lang,
            "country": self.country_id.code or "",
            "demo": self.demo,
        }

    def _new_version(self, **values):
        """Return the record of a version that is about to be built."""
        self.ensure_one()
        working = self.version_ids.filtered(lambda each: each.state == "building")
        if working:
            raise UserError(
                self.env._("%s is being built; wait for it, or cancel it.", working.display_name)
            )
        kind = self.code.replace("-", "")[:16]
        number = max(self.version_ids.mapped("number"), default=0) + 1
        return self.env["saas.database.template.version"].create(
            {
                "template_id": self.id,
                "number": number,
                "physical": names.template_name(kind),
                **values,
            }
        )

    @api.model
    def _reserved(self, version, request):
        return {"request": request, "res_model": version._name, "res_id": version.id}

    @api.model
    def _get_version(self, operation):
        return self.env["saas.database.template.version"].browse(operation.res_id).exists()

    def _apply_template_build(self, operation):
        """Publish the version that was built, or write why there is none."""
        version = self._get_version(operation)
        if not version or version.state != "building":
            return
        if operation.state == "done":
            version._built(operation)
        else:
            version._set_state("failed", error=operation.error_message)
            version.template_id._post(self.env._("Version %s was not built.", version.number))

    def _post(self, text):
        self.message_post(body=plaintext2html(text))

    # --- check out, publish, discard

    @api.model
    def _prepare_template_checkout(self, target, arguments):
        template = self._get_by_code(code_of(target))
        published = self._get_published(template.code)
        name = edit_name(template.code)
        if template.editing_version_id:
            raise UserError(self.env._("%s is checked out already.", template.name))
        if self.env["saas.database"].sudo()._is_name_held(name):
            raise UserError(words(self.env, "name_taken", {"name": name}))
        version = template._new_version(
            physical=name,
            state="editing",
            edit_password=settings.encrypt(secrets.token_urlsafe(PASSWORD_BYTES)),
            edit_uuid=self.env["saas.database"]._get_new_uuid(),
        )
        request = {"source": published.physical, "uuid": version.edit_uuid}
        return self._reserved(version, request)

    def _apply_template_checkout(self, operation):
        version = self._get_version(operation)
        if not version or version.state != "editing":
            return
        if operation.state == "done":
            shown = operation.result["show"]
            version.write({"edit_url": shown["url"], "edit_login": shown["login"]})
        else:
            version._set_state("failed", error=operation.error_message)

    @api.model
    def _prepare_template_publish(self, target, arguments):
        version = self._get_edited(target)
        template = version.template_id
        if template.version_ids.filtered(lambda each: each.state == "building"):
            raise UserError(self.env._("%s is being built; wait for it.", template.name))
        request = {
            "physical": names.template_name(template.code.replace("-", "")[:16]),
            "number": version.number,
            "uuid": version.edit_uuid,
            "assets": arguments["assets"],
        }
        version._set_state("building")
        return self._reserved(version, request)

    def _apply_template_publish(self, operation):
        version = self._get_version(operation)
        if not version or version.state != "building":
            return
        if operation.state == "done":
            version.physical = operation.result["route"]["physical"]
            version.write({"edit_url": False, "edit_login": False, "edit_password": False})
            version._built(operation)
        else:
            version._set_state("editing", error=operation.error_message)

    @api.model
    def _prepare_template_discard(self, target, arguments):
        version = self._get_edited(target)
        return self._reserved(version, {"uuid": version.edit_uuid})

    def _apply_template_discard(self, operation):
        version = self._get_version(operation)
        if version and operation.state == "done":
            version.unlink()

    @api.model
    def _get_edited(self, target):
        template = self._get_by_code(code_of(target))
        if not template.editing_version_id:
            raise UserError(self.env._("%s is not checked out.", template.name))
        return template.editing_version_id

    @api.model
    def _get_operation_secrets(self, operation):
        if operation.kind not in ("template_checkout", "template_publish"):
            return super()._get_operation_secrets(operation)
        version = self._get_version(operation).sudo()
        return {"password_hash": password_hash(settings.decrypt(version.edit_password))}

    # --- versions

    @api.model
    def _prepare_template_rollback(self, target, arguments):
        template = self._get_by_code(code_of(target))
        version = template.version_ids.filtered(lambda each: each.state == "previous")
        if not version:
            raise UserError(self.env._("%s has no version before.", template.name))
        request = {
            "physical": version.physical,
            "number": version.number,
            "modules": list(version.modules or {}),
        }
        return self._reserved(version, request)

    def _apply_template_rollback(self, operation):
        version = self._get_version(operation)
        if operation.state == "done" and version.state == "previous":
            version._publish()

    @api.model
    def _prepare_template_drop(self, target, arguments):
        template = self.with_context(active_test=False)._get_by_code(code_of(target))
        versions = template._get_droppable(arguments["version"])
        former = {version.physical: version.state for version in versions}
        # From here on nobody can choose one of them, so the step that looks for users is right.
        versions.filtered(lambda each: each.state != "failed")._set_state("retired")
        # The copy of a check-out that failed was never there; its name may be another copy's now.
        hidden = versions.filtered(lambda each: names.is_hidden(each.physical))
        request = {
            "numbers": {version.physical: version.number for version in hidden},
            "versions": versions.ids,
            "former": former,
            "whole": arguments["version"] is None,
        }
        return {"request": request, "res_model": self._name, "res_id": template.id}

    def _get_droppable(self, number=None):
        """Return the version with a number, or all of them, locked; raise when one must stay."""
        self.ensure_one()
        versions = self.version_ids
        if number is not None:
            versions = versions.filtered(lambda each: each.number == number)
            if not versions:
                raise UserError(
                    self.env._("%(name)s has no version %(number)s.", name=self.name, number=number)
                )
        busy = ("building", "editing") + (("published",) if number is not None else ())
        for version in versions:
            if version.state in busy:
                label = dict(version._fields["state"]._description_selection(self.env))
                raise UserError(
                    self.env._(
                        "%(version)s cannot be dropped: %(state)s.",
                        version=version.display_name,
                        state=label[version.state],
                    )
                )
            if version.in_use_count:
                facts = {"number": version.number, "count": version.in_use_count}
                raise UserError(words(self.env, "template_in_use", facts))
        return versions

    def _apply_template_drop(self, operation):
        template = self.with_context(active_test=False).browse(operation.res_id).exists()
        versions = template.version_ids.filtered(
            lambda each: each.id in operation.request["versions"]
        )
        if operation.state == "done":
            versions.unlink()
            if operation.request["whole"]:
                template.active = False
            return
        for version in versions.filtered(lambda each: each.state == "retired"):
            former = operation.request["former"][version.physical]
            if former in ("published", "previous"):
                version._set_state(former)

    # --- freshness

    @api.model
    def _prepare_template_refresh(self, target, arguments):
        template = self._get_by_code(code_of(target))
        version = self._get_published(template.code)
        return self._reserved(
            version, {"modules": version.modules or {}, "rebuild": arguments["rebuild"]}
        )

    def _apply_template_refresh(self, operation):
        """Write what differs; build again when that was asked for too."""
        version = self._get_version(operation)
        if not version or operation.state != "done":
            return
        differ = operation.result["compare"]["differ"]
        version.stale_modules = differ
        template = version.template_id
        if version.state != "published":
            return
        template.write({"is_stale": bool(differ), "compared_at": fields.Datetime.now()})
        if differ and operation.request["rebuild"] and not template.operation_id:
            template._rebuild(f"template_build:refresh-{operation.id}")

    def _rebuild(self, key):
        """Ask for a new version; what stands in the way is told where the operator looks."""
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                self.env["saas.operation"]._submit("template_build", self.code, key=key)
        except UserError as error:
            self._post(self.env._("It is stale and cannot be built again: %s", error))

    @api.model
    def _get_operation_record(self, operation):
        """Versions have no form of their own: their template shows them."""
        code = code_of(operation.target)
        return self.with_context(active_test=False).search([("code", "=", code)])

    @api.model
    def _retry_operation(self, operation):
        """Reserve again what a failed operation had given up."""
        version = self._get_version(operation)
        states = dict.fromkeys(
            ("template_build", "template_import", "template_publish"), "building"
        ) | {"template_checkout": "editing"}
        if operation.kind in states:
            if not version:
                raise UserError(self.env._("The version is gone; ask for a new one."))
            version._reserve_again(states[operation.kind], operation)
        elif operation.kind == "template_drop":
            raise UserError(self.env._("Ask for it anew: the versions may have changed."))
        return super()._retry_operation(operation)
