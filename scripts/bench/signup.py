"""Measures the sign-up in a browser: from "Yes, create it" to the web client of the new database.

ARGUMENTS: number of rounds. Prints one line of JSON.
Run in the virtual environment with the addons, the tests and the scripts in ``PYTHONPATH``.
A portal and a hosting server are real processes. Each round is a new visitor in a new browser, who
signs up, presses the button behind the link of the mail, and waits. Every second one finds a ready
clone in the pool; it is made before the round, and the next one is not being made meanwhile.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Page, Request, sync_playwright
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import TEMPLATE, SaasFleet

from fleetdev import chromium, databases, hosted

PLAN = "bench"
SOURCE = "bench-source"
WAIT_S = 120
POLL_S = 0.05
P = 0.95
# The parts of a sign-up, each with the moment at which it ends.
PARTS = {
    "ask": "asked",  # the press of the button reaches the portal
    "send": "accepted",  # which records what is wanted and asks the server
    "start": "started",  # whose runner begins
    "make": "published",  # the database gets its name
    "open": "ended",  # its address and its first page
    "hear": "known",  # the portal hears of it
    "go": "connect",  # the browser of the visitor hears of it
    "ticket": "ticket",  # the portal gives it a ticket
    "login": "login",  # the database takes it
    "paint": "painted",  # the web client is there
}
MOMENTS = """
    SELECT extract(epoch FROM o.create_date), extract(epoch FROM o.started),
           (SELECT extract(epoch FROM s.ended) FROM saas_operation_step s
             WHERE s.operation_id = o.id AND s.name = 'publish'),
           extract(epoch FROM o.ended),
           (SELECT (s.evidence->>'pooled')::boolean FROM saas_operation_step s
             WHERE s.operation_id = o.id AND s.name = 'copy')
      FROM saas_operation o WHERE o.kind = 'create' AND o.target = %s"""
KNOWN = """
    SELECT extract(epoch FROM create_date), extract(epoch FROM write_date)
      FROM saas_request WHERE kind = 'create' AND target = %s"""


class Signup:
    """One run of the benchmark on a portal and a hosting server of its own."""

    def __init__(self, saas: SaasFleet, browser: Browser) -> None:
        self.saas, self.browser, self.number = saas, browser, 0
        self.server = saas.servers["one"]
        self._settle()
        self._build()
        values = {"name": "Bench", "code": PLAN, "template_id": saas.template}
        saas.call("saas.plan", "create", vals_list=[values])

    def _settle(self) -> None:
        """No limit of the sign-up and no mail server stands in the way of one busy visitor."""
        limits = [
            {"key": f"fleet_saas_portal.signup_{action}_{scope}", "value": "0"}
            for action in ("start", "prove", "name")
            for scope in ("address", "network", "total")
        ]
        self.saas.call("ir.config_parameter", "create", vals_list=limits)
        self.saas.rows(
            "UPDATE ir_cron SET active = false WHERE id = (SELECT res_id FROM ir_model_data WHERE "
            "module = 'mail' AND name = 'ir_cron_mail_scheduler_action') RETURNING id"
        )

    def _build(self) -> None:
        """Have the server build the template as it does for everybody, from an adopted database."""
        source = databases.template(self.saas.source)
        hosted.plant(source, SOURCE, self.server.uuid)
        databases.copy_files(source, SOURCE, self.server.data_dir)
        self.server.run("adopt", SOURCE)
        self.server.run("template_build", TEMPLATE, {"source": SOURCE}, timeout=600)
        [server] = self.saas.records.values()
        self.saas.call("saas.server", "action_synchronize", ids=[server])

    # --- the pool

    def fill(self) -> None:
        """Have one clone ready, and none after it."""
        [cron] = self.server.rows(
            "SELECT res_id FROM ir_model_data WHERE module = 'fleet_saas_server' "
            "AND name = 'ir_cron_top_up'"
        )
        self._keep_ready(1)
        self.server.call(
            "method_direct_trigger", model="ir.cron", user="admin", ids=list(cron)
        ).raise_for_status()
        self._wait(lambda: self.server.rows("SELECT 1 FROM saas_pool_clone WHERE state = 'ready'"))
        self._keep_ready(0)
        self._wait(
            lambda: (
                not self.server.rows(
                    "SELECT 1 FROM saas_operation WHERE state NOT IN ('done', 'failed', 'cancelled')"
                )
            )
        )

    def _keep_ready(self, count: int) -> None:
        self.server.rows(
            "UPDATE saas_database_template SET pool_size = %s WHERE code = %s RETURNING id",
            count,
            TEMPLATE,
        )

    def _wait(self, done: Callable[[], Any]) -> None:
        end = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < end, "the hosting server has not come to rest"
            time.sleep(POLL_S)

    # --- a round

    def sign_up(self, *, pool: bool) -> dict[str, float]:
        """Let one visitor sign up; return the moments in seconds since the button was pressed."""
        if pool:
            self.fill()
        self.number += 1
        name = f"bench-{self.number}"
        context = self.browser.new_context(viewport={"width": 1400, "height": 900})
        try:
            moments = self._visit(context.new_page(), name)
        finally:
            context.close()
        return moments | self._server_moments(name, moments["pressed"], pool)

    def _visit(self, page: Page, name: str) -> dict[str, float]:
        portal = self.saas.portal.url("portal")
        page.set_default_timeout(WAIT_S * 1000)
        email = f"ann@{name}.example"
        page.goto(f"{portal}/start/{PLAN}")
        page.fill("#company_name", name.title())
        page.fill("#contact_name", "Ann")
        page.fill("#email", email)
        page.fill("#name", name)
        page.click(".o_saas_start_form button[type=submit]")
        page.wait_for_selector("#code")
        page.goto(portal + self._link(email))
        page.wait_for_load_state("networkidle")
        seen: dict[str, float] = {}
        page.on("request", lambda request: _note(seen, request))
        pressed = time.time()
        page.click(".o_saas_start form button[type=submit]")
        page.wait_for_selector(".o_main_navbar")
        page.wait_for_selector(".o_action_manager > *")
        seen["painted"] = time.time()
        return {each: moment - pressed for each, moment in seen.items()} | {"pressed": pressed}

    def _link(self, email: str) -> str:
        [(body,)] = self.saas.rows("SELECT body_html FROM mail_mail WHERE email_to = %s", email)
        return re.search(r"/start/confirm/[\w-]+", body).group()

    def _server_moments(self, name: str, pressed: float, pool: bool) -> dict[str, float]:
        [(*moments, pooled)] = self.server.rows(MOMENTS, name)
        assert pooled is pool, f"{name}: pooled is {pooled}"
        [known] = self.saas.rows(KNOWN, name)
        names = ("accepted", "started", "published", "ended", "asked", "known")
        return {
            each: float(moment) - pressed
            for each, moment in zip(names, (*moments, *known), strict=True)
        }


def _note(seen: dict[str, float], request: Request) -> None:
    """Note when the browser asks for the pages by which it comes in."""
    path = request.url.split("/", 3)[-1]
    if path.startswith("my/databases/connect/"):
        seen.setdefault("connect", time.time())
    elif path == "fleet/sso":
        seen.setdefault("ticket", time.time())
    elif path.startswith(("odoo", "web")) and "ticket" in seen and request.is_navigation_request():
        seen.setdefault("login", time.time())


def parts(moments: dict[str, float]) -> dict[str, float]:
    """Return the seconds of each part."""
    ends = [moments[name] for name in PARTS.values()]
    return {
        part: end - start for part, start, end in zip(PARTS, [0.0, *ends[:-1]], ends, strict=True)
    }


def percentile(values: list[float]) -> float:
    """Return the value that 95 % do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(P * len(values)) - 1]


def summarise(rounds: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Return the figures of all rounds by way."""
    figures: dict[str, float] = {}
    for way, found in rounds.items():
        whole = [moments["painted"] for moments in found]
        figures |= {f"{way}_p95_s": percentile(whole), f"{way}_median_s": statistics.median(whole)}
    for way, found in rounds.items():
        by_part = [parts(moments) for moments in found]
        for part in PARTS:
            figures[f"{way}_{part}_s"] = statistics.median(each[part] for each in by_part)
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    count = int(sys.argv[1])
    resolve_localhost_names()
    found: dict[str, list[dict[str, float]]] = {"pool": [], "no_pool": []}
    with SaasFleet("bench_signup", source="hosted") as saas, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.ensure(), args=list(chromium.FLAGS)
        )
        signup = Signup(saas, browser)
        # The first visitor of a portal that has just started counts for nothing.
        signup.sign_up(pool=False)
        for _number in range(count):
            for way in found:
                found[way].append(signup.sign_up(pool=way == "pool"))
        browser.close()
    print(json.dumps(summarise(found) | {"rounds": count}))


if __name__ == "__main__":
    main()
