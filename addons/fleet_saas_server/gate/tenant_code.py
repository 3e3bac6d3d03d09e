"""Code that is typed into a hosted database does not reach the database's cursor.

All hosted databases belong to one role of PostgreSQL: with a cursor, a server action or a template
of one tenant renames and drops the databases of the others. Without one it has Odoo's ORM, which
stays in its database. This is no wall between tenants; it takes the short ways away.
"""

import os

from odoo.tools import config, safe_eval

OPTION = "fleet_sql_in_actions"
# Ways to a cursor, and methods that take a piece of SQL as plain text (odoo.tools.query).
NAMES = (
    *("cr", "_cr", "_cnx", "_obj", "cursor", "registry", "pool"),
    *("execute_query", "execute_query_dict", "add_where", "add_join", "_search", "_as_query"),
)


def close() -> bool:
    """Have ``safe_eval``, by which expressions of templates are checked too, refuse `NAMES`.

    :returns: False when this Odoo does not refuse what it was told to
    """
    allowed = os.environ.get(OPTION.upper(), config.get(OPTION))
    if str(allowed or "").lower() in ("1", "true", "yes", "on"):
        return True
    refused = safe_eval._UNSAFE_ATTRIBUTES
    refused.extend(name for name in NAMES if name not in refused)
    return all(_is_refused(name) for name in NAMES)


def _is_refused(name: str) -> bool:
    try:
        safe_eval.safe_eval(f"value.{name}", {"value": None})
    except NameError:
        return True
    except ValueError:
        return False
    return False
