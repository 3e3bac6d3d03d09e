"""Templates and hosted databases for a `HostingFleet` that come to be without a build of minutes."""

from __future__ import annotations

from fleetdev import databases

from .hosting_fleet import HostingFleet

END_S = 120  # by then every operation has ended, whatever happened to its process


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
        "WITH made AS (INSERT INTO saas_database_template (name, code, origin, module_names, lang, "
        "rebuild, rebuild_hour, rebuild_weekday, pool_size, active, create_date) VALUES "
        "(jsonb_build_object('en_US', %s), %s, 'modules', 'base_setup', 'en_US', 'never', 2, '6', 0, "
        "true, now()) "
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


def assert_settled(fleet: HostingFleet, *keys: str, seconds: float = END_S) -> dict[str, str]:
    """Check that operations end in time and leave nothing; return the state of each by target."""
    ended = [fleet.wait(key, seconds) for key in keys]
    found = fleet.run("reconcile", "server")
    steps = {step["name"]: step["evidence"] for step in found["steps"]}
    ours = [one for one in steps["compare"]["differences"] if one["what"] != "database_foreign"]
    assert ours == [], "the reconciler finds what an operation left"
    rows = fleet.rows("SELECT name, physical FROM saas_database WHERE physical IS NOT NULL")
    physical = {row[1] for row in rows}
    kept = {name for name in fleet.made() if name.startswith("fleet_t_")}
    assert set(fleet.made()) == physical | kept
    folders = {path.name for path in (fleet.data_dir / "filestore").iterdir()}
    assert folders - {fleet.database} == physical | kept
    for status in ended:
        if status["state"] == "done" and status["kind"] in ("create", "duplicate"):
            assert fleet.get(status["target"]).status_code == 200
    return {status["target"]: status["state"] for status in ended}
