"""Build a version of a template from an archive that somebody uploaded.

The archive is a stranger's: it is looked at and loaded as every import is (`archive_work`), into
the hidden database that becomes the version. From there on it goes the way of every version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import archive_work, template_steps
from .contract import Argument, choice
from .engine import Context, Plan, Step
from .failpoints import failpoint
from .kind import Kind
from .template import OWNER
from .template_names import check_target
from .template_steps import FINISH, drop, physical, seal_version


def load(context: Context) -> dict[str, Any]:
    """Load the archive in the sandbox into the hidden database of the version."""
    if context.find("load", "physical"):
        drop(context)
    context.note(physical=physical(context))
    failpoint("template.load_noted")
    done = archive_work.load_into(context, physical(context), template_steps.mark(context))
    failpoint("template.loaded")
    return done | {"assets_removed": _forget_assets(context)}


def _forget_assets(context: Context) -> int:
    """Remove the assets that came along; return how many.

    Those of a zip are a stranger's scripts, those of a dump of PostgreSQL's have no files. They are
    generated anew from this server's addons.
    """
    with context.host.cluster.cursor(physical(context)) as cr:
        cr.execute("DELETE FROM ir_attachment WHERE url LIKE '/web/assets/%'")
        return cr.rowcount


STEPS = (
    Step("inspect", archive_work.inspect_upload),
    Step("load", load, undo=drop),
    Step("seal", seal_version, restart="load"),
    *FINISH,
    Step("remove_upload", archive_work.remove_upload),
)


def plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that makes a version of an uploaded archive."""
    return Plan(STEPS, deadline_s=archive_work.DEADLINE_S)


KINDS = (
    Kind(
        "template_import",
        plan,
        archive_work.UPLOAD | {"assets": Argument(choice(*template_steps.ASSETS), default="all")},
        owner=OWNER,
        check_target=check_target,
        public=False,
        slow=True,
    ),
)
