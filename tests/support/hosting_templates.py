"""Templates and hosted databases for a `HostingFleet` that come to be without a build of minutes."""

from __future__ import annotations

from fleetdev import databases

from .hosting_fleet import HostingFleet


def publish(fleet: HostingFleet, code: str, source: str) -> str:
    """Give the server a template with one published version, a closed copy of ``source`` as it is.

    :param source: the name of a database whose files are where the fleet's or the tests' are
    :return: the version's name in PostgreSQL
    """
    from hosting import files
    from hosting.names import template_name
    from hosting.postgres import Cluster, Mark

    physical = template_name("test")
    own = fleet.filestore(source)
    cluster = Cluster()
    cluster.clone(source, physical, mark=Mark(fleet.uuid, "template"))
    files.copy_tree(own if own.exists() else databases.filestore(source), fleet.filestore(physical))
    cluster.close_template(physical)
    fleet.rows(
        "WITH made AS (INSERT INTO saas_database_template (name, code, origin, lang, rebuild, "
        "rebuild_hour, rebuild_weekday, pool_size, active, create_date) VALUES "
        "(jsonb_build_object('en_US', %s), %s, 'modules', 'en_US', 'never', 2, '6', 0, true, now()) "
        "RETURNING id) INSERT INTO saas_database_template_version (template_id, number, physical, "
        "state, create_date) SELECT id, 1, %s, 'published', now() FROM made RETURNING id",
        code,
        code,
        physical,
    )
    return physical


def settle(fleet: HostingFleet) -> None:
    """Let the server have no time plan of its own: the test decides what runs when."""
    fleet.rows(
        "UPDATE ir_cron SET nextcall = '2099-01-01' WHERE cron_name LIKE 'Hosting:%%' "
        "AND cron_name NOT LIKE '%%nobody runs' RETURNING id"
    )
