"""A customer downloads the database as a zip, through the portal, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from hosting import archive_check
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import SaasFleet
from support.saas_people import browser, make_customer
from urllib3.exceptions import HTTPError

BIG = 160 << 20
MEMORY_MB = 40  # what a download may add to the portal's memory, whatever the size
# The server is killed in the middle of a download on purpose.
EXPECTED = (r"closed the connection before", r"Error on request", r"werkzeug: .*Traceback")


@dataclass
class Customers:
    """Ann, who has the database ``acme``, and Bob, who has another one."""

    saas: SaasFleet
    acme: int
    page: str
    ann: requests.Session
    bob: requests.Session

    def url(self, path: str) -> str:
        return self.saas.portal.url("portal") + path


@pytest.fixture(scope="module")
def customers() -> Iterator[Customers]:
    resolve_localhost_names()
    with SaasFleet("saas_export", source="hosted", allowed=EXPECTED) as saas:
        partners = {name: make_customer(saas, f"{name}@example.com") for name in ("ann", "bob")}
        acme = saas.create("acme", partner_id=partners["ann"], admin_login="ann@example.com")
        other = saas.create("other", partner_id=partners["bob"], admin_login="bob@example.com")
        for instance in (acme, other):
            saas.wait_state(instance, "active")
            wait_uuid(saas, instance)
        add_file(saas, "acme")
        uuid = saas.read("saas.instance", acme, "uuid")["uuid"]
        sessions = [browser(saas, f"{name}@example.com") for name in ("ann", "bob")]
        yield Customers(saas, acme, f"/my/databases/{uuid}", *sessions)


def wait_uuid(saas: SaasFleet, instance: int) -> None:
    end = time.monotonic() + 60
    while not saas.read("saas.instance", instance, "uuid")["uuid"]:
        assert time.monotonic() < end
        time.sleep(0.2)


def add_file(saas: SaasFleet, name: str) -> None:
    """Attach a large file that nothing makes smaller to a hosted database."""
    server = saas.servers["one"]
    content = os.urandom(1 << 20) * (BIG >> 20)
    digest = hashlib.sha1(content).hexdigest()
    path = server.filestore(name) / digest[:2] / digest
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    server.rows(
        "INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum, mimetype) "
        "VALUES ('big', 'binary', %s, %s, %s, 'application/octet-stream') RETURNING id",
        f"{digest[:2]}/{digest}",
        len(content),
        digest,
        database=name,
    )


def ask(customers: Customers) -> str:
    """Press the button on the customer's page; return where the finished archive is."""
    page = customers.ann.get(customers.url(customers.page), timeout=60)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    answer = customers.ann.post(
        customers.url(f"{customers.page}/export"), {"csrf_token": token}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    end = time.monotonic() + 120
    query = "SELECT state, id, error FROM saas_export ORDER BY id DESC LIMIT 1"
    while (found := customers.saas.rows(query)[0])[0] == "asked":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert found[0] == "ready", found
    return f"{customers.page}/export/{found[1]}"


def memory_mb(customers: Customers) -> float:
    pid = customers.saas.portal.server.pid()
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024


@pytest.fixture(scope="module")
def archive(customers: Customers) -> str:
    return ask(customers)


def test_the_customer_gets_an_archive_that_any_odoo_restores(customers, archive, tmp_path) -> None:
    before, most = memory_mb(customers), 0.0
    target = tmp_path / "acme.zip"
    answer = customers.ann.get(customers.url(archive), stream=True, timeout=60)
    assert answer.status_code == 200
    with open(target, "wb") as file:
        for number, block in enumerate(answer.iter_content(1 << 20)):
            file.write(block)
            if number % 8 == 0:
                most = max(most, memory_mb(customers))
    assert target.stat().st_size == int(answer.headers["Content-Length"])
    found = archive_check.inspect(target)
    assert found.database == "acme"
    assert found.file_bytes > BIG
    assert most - before < MEMORY_MB, f"{before:.0f} MB before, {most:.0f} MB while it was sent"


def test_a_broken_download_goes_on_and_is_the_same_file(customers, archive) -> None:
    url = customers.url(archive)
    first = customers.ann.get(url, stream=True, timeout=60)
    size, half = int(first.headers["Content-Length"]), 50 << 20
    digest = hashlib.sha256(first.raw.read(half))
    first.close()
    headers = {"Range": f"bytes={half}-", "If-Range": first.headers["ETag"]}
    rest = customers.ann.get(url, headers=headers, stream=True, timeout=60)
    assert rest.status_code == 206
    got = half
    for block in rest.iter_content(1 << 20):
        digest.update(block)
        got += len(block)
    assert got == size
    whole = hashlib.sha256()
    for block in customers.ann.get(url, stream=True, timeout=60).iter_content(1 << 20):
        whole.update(block)
    assert digest.digest() == whole.digest()


def test_nobody_else_gets_it(customers, archive) -> None:
    url = customers.url(archive)
    assert customers.bob.get(url, timeout=60).status_code == 404
    assert "/web/login" in requests.get(url, timeout=60).url
    lines = "SELECT DISTINCT user_name FROM saas_export_download"
    assert customers.saas.rows(lines) == [("ann@example.com",)]


def test_the_server_gives_it_to_its_agent_alone(customers, archive) -> None:
    server = customers.saas.servers["one"]
    [(key,)] = server.rows("SELECT key FROM saas_operation WHERE kind = 'export' LIMIT 1")
    url = f"http://localhost:{server.control.port}/fleet/export/{key}"
    statuses = {}
    for user in ("agent", "admin", "outsider"):
        headers = {
            "Authorization": f"bearer {server.keys[user]}",
            "X-Odoo-Database": server.database,
        }
        answer = requests.get(url, headers=headers, stream=True, timeout=60)
        statuses[user] = answer.status_code
        answer.close()
    assert statuses["agent"] == 200
    assert statuses["outsider"] == 403
    bare = requests.get(url, headers={"X-Odoo-Database": server.database}, timeout=60)
    assert bare.status_code in (401, 403)


def test_a_server_that_is_killed_in_the_middle_breaks_the_download(customers, archive) -> None:
    server = customers.saas.servers["one"]
    answer = customers.ann.get(customers.url(archive), stream=True, timeout=60)
    size = int(answer.headers["Content-Length"])
    received = len(answer.raw.read(1 << 20))
    server.control.kill()
    with contextlib.suppress(HTTPError):  # newer libraries say themselves that it is too short
        while block := answer.raw.read(1 << 20):
            received += len(block)
    assert received < size, "the browser sees less than was promised"
    gone = customers.ann.get(customers.url(archive), timeout=60)
    assert gone.status_code == 502
    server.control.start()
    again = customers.ann.get(customers.url(archive), stream=True, timeout=60)
    assert again.status_code == 200
    again.close()


def test_what_was_made_goes_with_its_time(customers, archive) -> None:
    server = customers.saas.servers["one"]
    [path] = (server.data_dir / "fleet" / "exports").glob("acme-*.zip")
    day = 25 * 3600
    os.utime(path, (time.time() - day,) * 2)
    server.rows(
        "UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'utc' WHERE cron_name LIKE %s "
        "RETURNING id",
        "%archives%",
    )
    end = time.monotonic() + 90
    while path.exists():
        assert time.monotonic() < end
        server.wake_cron()
        time.sleep(0.5)
    assert customers.ann.get(customers.url(archive), timeout=60).status_code == 410
