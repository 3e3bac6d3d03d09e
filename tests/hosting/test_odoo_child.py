"""Odoo in a child process: progress, errors in words, bounded in time, gone with its parent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from making import publish_template
from operations import HostingServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("child") as made:
        yield made


@pytest.fixture(scope="module")
def database(server) -> str:
    """A hidden database; Odoo has to open it by name."""
    physical = publish_template(server, "tiny")
    server.host.cluster.allow(physical, True)
    return physical


def test_a_script_sees_the_database_and_its_arguments_and_returns_json(server, database):
    from hosting import odoo_child

    text = "RESULT = {'name': env.cr.dbname, 'sum': sum(ARGUMENTS['numbers'])}"
    answer = odoo_child.script(server.host, database, text, {"numbers": [1, 2]})
    assert answer == {"name": database, "sum": 3}


def test_a_script_that_fails_is_told_by_its_reason_and_without_secrets(server, database):
    from hosting import odoo_child
    from hosting.errors import HostingError

    password = server.host.cluster.dsn["password"]
    lines: list[str] = []
    text = f"raise ValueError('no luck with {password} and token=abc123')"
    with pytest.raises(HostingError) as caught:
        odoo_child.script(server.host, database, text, on_line=lines.append)
    assert caught.value.code == "odoo_failed"
    assert "ValueError: no luck with" in str(caught.value)
    for words in (str(caught.value), "\n".join(lines)):
        assert password not in words and "abc123" not in words


def test_a_password_that_is_a_word_of_every_log_does_not_hide_the_reason(server):
    from dataclasses import replace

    from hosting import odoo_child

    host = server.host
    host = replace(host, cluster=replace(host.cluster, dsn={"password": "odoo"}))
    log = odoo_child._Log(odoo_child._secrets(host), print, lambda *_all: None)
    log.feed(b"odoo.exceptions.UserError: no luck\n")
    assert log.reason() == "UserError: no luck"


def test_a_module_that_cannot_be_installed_is_named_with_the_reason(server, database, tmp_path):
    from dataclasses import replace

    from hosting import odoo_child
    from hosting.errors import HostingError

    folder = tmp_path / "fleet_broken"
    folder.mkdir()
    (folder / "__manifest__.py").write_text(
        "{'name': 'Broken', 'depends': ['base'], 'data': ['data.xml'], 'license': 'LGPL-3'}"
    )
    (folder / "__init__.py").write_text("")
    (folder / "data.xml").write_text("<odoo><record id='x' model='no.such.model'/></odoo>")
    host = replace(server.host, addons_path=(*server.host.addons_path, str(tmp_path)))
    seen: list[str] = []
    with pytest.raises(HostingError) as caught:
        odoo_child.run(
            host,
            database,
            ["-i", "fleet_broken"],
            progress=lambda _done, _total, what: seen.append(what),
        )
    assert caught.value.facts["module"] == "fleet_broken"
    assert "no.such.model" in caught.value.facts["reason"]
    assert seen[-1] == "Module fleet_broken"


def test_a_python_package_that_a_module_lacks_is_named_in_whatever_language_odoo_says_it(
    server, database, tmp_path
):
    from dataclasses import replace

    from hosting import odoo_child
    from hosting.errors import HostingError

    folder = tmp_path / "fleet_needy"
    folder.mkdir()
    (folder / "__manifest__.py").write_text(
        "{'name': 'Needy', 'depends': ['base'], 'license': 'LGPL-3', "
        "'external_dependencies': {'python': ['fleet-no-such-package']}}"
    )
    (folder / "__init__.py").write_text("")
    host = replace(server.host, addons_path=(*server.host.addons_path, str(tmp_path)))
    with pytest.raises(HostingError) as caught:
        odoo_child.run(host, database, ["-i", "fleet_needy", "--load-language=fr_FR"])
    assert caught.value.code == "odoo_package"
    assert caught.value.facts == {"module": "fleet_needy", "package": "fleet-no-such-package"}
    assert "pip install fleet-no-such-package" in str(caught.value)


def test_a_child_that_takes_too_long_is_stopped(server, database):
    from hosting import odoo_child
    from hosting.errors import HostingError

    until = time.monotonic() + 4
    with pytest.raises(HostingError) as caught:
        odoo_child.script(
            server.host,
            database,
            "import time; time.sleep(60)",
            remaining_s=lambda: until - time.monotonic(),
        )
    assert caught.value.code == "odoo_late"
    assert sessions_gone(server, database)


def test_what_a_beat_raises_ends_the_child(server, database):
    from hosting import odoo_child
    from hosting.errors import Cancelled

    def beat() -> None:
        if server.host.cluster.sessions(database):
            raise Cancelled

    with pytest.raises(Cancelled):
        odoo_child.script(server.host, database, "import time; time.sleep(60)", beat=beat)
    assert sessions_gone(server, database)


def sessions_gone(server: HostingServer, database: str) -> bool:
    end = time.monotonic() + 10
    while server.host.cluster.sessions(database):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


PARENT = """
import sys; sys.path.insert(0, {package!r})
from pathlib import Path
from hosting import odoo_child
from hosting.host import Host
from hosting.postgres import Cluster
host = Host(cluster=Cluster({dsn!r}), server="x", server_database="x", data_dir=Path({data!r}),
            addons_path={addons!r}, odoo={odoo!r}, odoo_config={config!r})
odoo_child.script(host, {database!r}, "import time; time.sleep(60)")
"""


def test_a_child_dies_with_the_process_that_started_it(server, database):
    import hosting

    host = server.host
    text = PARENT.format(
        package=str(Path(hosting.__file__).parents[1]),
        dsn=host.cluster.dsn,
        data=str(host.data_dir),
        addons=host.addons_path,
        odoo=host.odoo,
        config=host.odoo_config,
        database=database,
    )
    parent = subprocess.Popen([sys.executable, "-c", text])
    end = time.monotonic() + 60
    while not server.host.cluster.sessions(database):
        assert parent.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert sessions_gone(server, database)


def test_nothing_of_another_odoo_reaches_the_child(server, database, monkeypatch):
    from hosting import odoo_child

    for name in ("ODOO_RC", "OPENERP_SERVER", "PGDATABASE", "FLEET_SECRET_KEYS", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "/nowhere")
    text = "import os; RESULT = [name for name, value in os.environ.items() if value == '/nowhere']"
    assert odoo_child.script(server.host, database, text) == []


def test_a_child_leaves_the_log_the_pid_file_and_the_crons_of_the_server_alone(server, database):
    from dataclasses import replace

    from hosting import odoo_child

    folder = server.folder / "foreign"
    folder.mkdir()
    configuration = folder / "odoo.conf"
    former = Path(server.host.odoo_config).read_text().replace("max_cron_threads = 0\n", "")
    configuration.write_text(
        former + f"logfile = {folder}/odoo.log\npidfile = {folder}/odoo.pid\nmax_cron_threads = 2\n"
        "dbfilter = ^nothing$\nserver_wide_modules = base,web,queue_job\n"
    )
    host = replace(server.host, odoo_config=str(configuration))
    text = (
        "from odoo.tools import config\n"
        "RESULT = [config[key] for key in ('logfile', 'pidfile', 'max_cron_threads', 'dbfilter',"
        " 'list_db', 'server_wide_modules')]"
    )
    logfile, pidfile, crons, dbfilter, list_db, modules = odoo_child.script(host, database, text)
    assert not (logfile or pidfile or crons or dbfilter or list_db)
    assert modules == ["base", "rpc", "web"]
    assert [path.name for path in folder.iterdir()] == ["odoo.conf"]


def test_a_hidden_database_is_served_on_the_loopback_and_no_other_one(server, database):
    from hosting import odoo_child

    other = publish_template(server, "tiny")
    server.host.cluster.allow(other, True)
    with odoo_child.served(server.host, database) as url:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        assert page(url).status_code == 200
        assert "/web/assets/" in page(url).text
        answer = page(url, **{"X-Odoo-Database": other})
        assert answer.status_code != 200
        assert server.host.cluster.sessions(other) == 0
    assert sessions_gone(server, database)
    with pytest.raises(requests.ConnectionError):
        page(url)


def page(url: str, **headers: str) -> Any:
    return requests.get(f"{url}/web/login", headers=headers, allow_redirects=False, timeout=60)
