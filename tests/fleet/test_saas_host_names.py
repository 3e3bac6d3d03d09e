"""A customer's own host name: proven by the DNS, routed by a real server, taken away again."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from support.hosting_fleet import HostingFleet
from support.saas_fleet import SaasFleet

from fleetdev import paths


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_names") as saas:
        yield saas


def test_a_host_name_of_the_customers_own_leads_in_once_the_dns_proves_it(saas: SaasFleet) -> None:
    instance = saas.create("bread")
    saas.wait_state(instance, "active")
    server = saas.servers["one"]
    assert visit(server, "erp.bread.example") == 404
    values = {"instance_id": instance, "name": "ERP.bread.example"}
    [domain] = saas.call("saas.domain", "create", vals_list=[values])
    proof = saas.read("saas.domain", domain, "record_name", "record_value", "target")
    with dns_server() as dns:
        parameter = {"key": "fleet_saas_portal.dns_servers", "value": f"127.0.0.1:{dns.port}"}
        saas.call("ir.config_parameter", "create", vals_list=[parameter])
        saas.call("saas.domain", "action_check_now", ids=[domain])
        assert saas.read("saas.domain", domain, "trouble")["trouble"] == "missing"
        dns.records[proof["record_name"]] = [proof["record_value"]]
        time.sleep(5)
        saas.call("saas.domain", "action_check_now", ids=[domain])
    wait_for(lambda: saas.read("saas.domain", domain, "state")["state"] == "active")
    assert visit(server, "erp.bread.example") == 200
    assert visit(server, proof["target"]) == 200
    saas.call("saas.instance", "action_suspend", ids=[instance])
    saas.wait_state(instance, "suspended")
    assert visit(server, "erp.bread.example") == 503
    saas.call("saas.instance", "action_resume", ids=[instance])
    saas.wait_state(instance, "active")
    assert visit(server, "erp.bread.example") == 200
    saas.call("saas.domain", "unlink", ids=[domain])
    wait_for(lambda: visit(server, "erp.bread.example") == 404)


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.2)
    return found


def visit(server: HostingFleet, host: str) -> int:
    """Return how the process of the hosted databases answers to a host name."""
    url = f"http://127.0.0.1:{server.hosted.port}/web/login"
    return requests.get(url, headers={"Host": host}, timeout=60, allow_redirects=False).status_code


def dns_server() -> Any:
    """Return the name server of the portal's own tests, which are no package of these."""
    path = paths.ROOT / "addons/fleet_saas_portal/tests/dns_server.py"
    spec = importlib.util.spec_from_file_location("dns_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DnsServer()
