from contextlib import contextmanager

from odoo import api, models
from odoo.exceptions import AccessDenied
from odoo.tools import SQL, sql

from .. import settings
from ..exceptions import LimitReached
from ..trust import NOTHING, Standing, TrustError, judge, read_anchor, read_ticket
from .saas_sentences import SENTENCES

DOCUMENT, TICKET, NOTICE = TABLES = ("fleet_document", "fleet_ticket", "fleet_notice")
# Who belongs to the group of internal users by what Odoo itself goes by, `has_group`. The column
# `share` is a copy of that, which an administrator may write.
COUNT_USERS = SQL("""
    WITH RECURSIVE internal(id) AS (
        SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'group_user'
        UNION
        SELECT implied.gid FROM res_groups_implied_rel implied JOIN internal ON implied.hid = internal.id
    )
    SELECT count(DISTINCT person.id)
    FROM res_users person
    JOIN res_groups_users_rel member ON member.uid = person.id
    JOIN internal ON internal.id = member.gid
    WHERE person.active
""")


def drop_tables(cr):
    """Drop the tables that no model owns. No method: a server action could call one."""
    for table in TABLES:
        cr.execute(SQL("DROP TABLE IF EXISTS %s", SQL.identifier(table)))


class SaasClient(models.AbstractModel):
    """What the provider has signed for this database, and what follows from it.

    The signed document lies in a table without a model: whoever administers the database can
    reach it neither by a screen nor over RPC nor by an import.
    """

    _name = "saas.client"
    _description = "Hosted Database"

    def init(self):
        super().init()
        for statement in (
            "CREATE TABLE IF NOT EXISTS fleet_document ("
            "id integer PRIMARY KEY CHECK (id = 1), token text NOT NULL, "
            "checked bigint NOT NULL DEFAULT 0)",
            "CREATE TABLE IF NOT EXISTS fleet_ticket (jti text PRIMARY KEY, expires timestamp)",
            "CREATE TABLE IF NOT EXISTS fleet_notice (id text PRIMARY KEY, posted timestamp)",
        ):
            self.env.cr.execute(SQL(statement))

    @api.model
    def _get_standing(self) -> Standing:
        """Return what this database stands under now."""
        try:
            anchor = read_anchor(settings.trust_path())
        except TrustError as error:
            return Standing(error=error) if self._read_token() else NOTHING
        token = self._read_token() if anchor is not None else None
        return judge(token, anchor) if token else NOTHING

    @api.model
    def _read_token(self) -> str | None:
        # While the addon is installed or leaves, its code runs without its tables.
        if not sql.table_exists(self.env.cr, DOCUMENT):
            return None
        self.env.cr.execute(SQL("SELECT token FROM fleet_document WHERE id = 1"))
        found = self.env.cr.fetchone()
        return found[0] if found else None

    @api.model
    def _explain(self, error: TrustError) -> str:
        """Return why something is not believed, in the user's language."""
        translate = self.env._  # the sentences are marked where they stand
        return translate(SENTENCES[error.code]) % error.facts

    @api.model
    def _get_provider(self, standing: Standing) -> str:
        portal = standing.document and standing.document.portal
        return portal.name if portal and portal.name else self.env._("your provider")

    @api.model
    def _get_upgrade_link(self, standing: Standing) -> str:
        portal = standing.document and standing.document.portal
        return (portal.upgrade or portal.url) if portal else ""

    @api.model
    def _refuse(self, standing: Standing, reason: str):
        """Raise `LimitReached` with the reason and what can be done about it.

        :raises LimitReached: always
        """
        link = self._get_upgrade_link(standing)
        if standing.error:
            advice = self.env._(
                "What your provider has signed for this database cannot be verified, so nothing "
                "may grow: %(reason)s Ask your provider.",
                reason=self._explain(standing.error),
            )
        elif link:
            advice = self.env._("To change your plan: %(link)s", link=link)
        else:
            advice = self.env._("To change your plan, ask %s.", self._get_provider(standing))
        raise LimitReached(f"{reason}\n\n{advice}", link, self.env._("Change the plan"))

    # ------------------------------------------------------------------ users

    @api.model
    def _count_users(self) -> int:
        """Return how many active internal users there are, by what the database holds now."""
        self.env["res.users"].flush_model(["active"])
        self.env["ir.model.data"].flush_model(["module", "name", "res_id"])
        self.env.cr.execute(COUNT_USERS)
        return self.env.cr.fetchone()[0]

    @api.model
    @contextmanager
    def _guard_users(self):
        """Refuse what is done inside when it makes more internal users than there may be.

        What leaves their number as it is, or lowers it, is never refused: a database may already
        be above its limit when the limit comes down. What is refused is undone, also for who
        catches the exception and goes on.
        """
        standing = self._get_standing()
        if standing.users is None:
            yield
            return
        before = self._count_users()
        with self.env.cr.savepoint():
            yield
            after = self._count_users()
            if after > before:
                self._check_users(standing, after)

    @api.model
    def _check_users(self, standing: Standing, count: int):
        # Two who add the last user at the same time do not see each other's. Both change this row,
        # so PostgreSQL lets one of them fail, and Odoo tries him again: then he sees the other.
        update = SQL("UPDATE fleet_document SET checked = checked + 1")
        self.env.cr.execute(update, log_exceptions=False)
        if count > standing.users:
            self._refuse(standing, self._get_users_refusal(standing, count))

    @api.model
    def _get_users_refusal(self, standing: Standing, wanted: int) -> str:
        if not standing.document:
            return self.env._("No user can be added now.")
        return self.env._(
            "Your plan %(plan)s is for %(limit)s users, and this would make %(wanted)s. Archive "
            "somebody who no longer works here, or change to a larger plan.",
            plan=standing.document.plan,
            limit=standing.users,
            wanted=wanted,
        )

    # ---------------------------------------------------------------- tickets

    @api.model
    def _read_ticket(self, token):
        """Return the ticket in ``token``, which was not used yet as far as one can see.

        :raises AccessDenied: with the reason in words
        """
        portal = self._get_sso_portal()
        if not portal:
            raise AccessDenied(self.env._("This database does not take logins from a portal."))
        try:
            ticket = read_ticket(
                token,
                portal.keys,
                issuer=portal.issuer,
                audience=self._get_standing().document.audience,
            )
        except TrustError as error:
            raise AccessDenied(
                self.env._("This login link is not valid: %s", self._explain(error))
            ) from error
        if self._get_standing().is_suspended and not ticket.operator:
            raise AccessDenied(self._get_suspended_text())
        return ticket

    @api.model
    def _get_sso_portal(self):
        standing = self._get_standing()
        portal = standing.document.portal if standing.is_enforced and standing.document else None
        return portal if portal and portal.keys else None

    @api.model
    def _use_ticket(self, ticket):
        """Remember that ``ticket`` was used, in the transaction of the login that it makes.

        :raises AccessDenied: when it was used before
        """
        self.env.cr.execute(
            SQL(
                "INSERT INTO fleet_ticket (jti, expires) "
                "VALUES (%s, to_timestamp(%s) AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING",
                ticket.number,
                ticket.expires,
            ),
            log_exceptions=False,  # the rival's commit is nothing to complain about
        )
        if not self.env.cr.rowcount:
            raise AccessDenied(
                self.env._("This login link was used already. Go back and connect again.")
            )

    @api.autovacuum
    def _gc_tickets(self):
        self.env.cr.execute(
            SQL(
                "DELETE FROM fleet_ticket WHERE expires < now() AT TIME ZONE 'UTC' - interval '1 day'"
            )
        )

    # -------------------------------------------------------------- suspended

    @api.model
    def _get_suspended_title(self) -> str:
        return self.env._("This database is suspended")

    @api.model
    def _get_suspended_advice(self) -> str:
        provider = self._get_provider(self._get_standing())
        return self.env._("Its data is safe. Ask %s to open it again.", provider)

    @api.model
    def _get_suspended_text(self) -> str:
        return f"{self._get_suspended_title()}. {self._get_suspended_advice()}"
