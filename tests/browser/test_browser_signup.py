"""A visitor signs up in a real browser and ends in the web client of the new database."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from browser_saas import ACME, SaasScreens, fits, link_in, who
from playwright.sync_api import Browser, BrowserContext, Page, expect
from screen import DESKTOP, PHONE, TIMEOUT_MS, Screen
from support.saas_fleet import TEMPLATE

pytestmark = pytest.mark.timeout(280)
MADE_MS = 120_000
NAME, TAKEN, PHONED = (f"{label}-{os.getpid()}" for label in ("sand", "taken", "phoned"))


@pytest.fixture
def open_start(saas: SaasScreens, browser: Browser) -> Iterator[Callable[..., Screen]]:
    """Open the sign-up as a visitor whom nobody knows."""
    contexts: list[BrowserContext] = []
    screens: list[Screen] = []

    def open_at(size: tuple[int, int] = DESKTOP, path: str = "/start") -> Screen:
        width, height = size
        is_phone = size == PHONE
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone
            )
        )
        contexts[-1].set_default_timeout(TIMEOUT_MS)
        screens.append(Screen(contexts[-1].new_page(), saas.url()))
        screens[-1].open(path, ".o_saas_start")
        screens[-1].page.wait_for_load_state("networkidle")
        return screens[-1]

    yield open_at
    faults = [fault for screen in screens for fault in screen.faults]
    for context in contexts:
        context.close()
    assert faults == []


WATCH = """
addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
    for (const { target } of changes) {
        if (target.parentElement?.matches(".o_saas_start_steps")) {
            sawStep(`${target.dataset.state}: ${target.textContent}`);
        }
    }
}).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-state"] }));
"""


def watch_steps(page: Page) -> list[str]:
    """Return the list in which every step that changes on the page is going to be noted."""
    seen: list[str] = []
    page.expose_function("sawStep", lambda text: seen.append(text))
    page.add_init_script(WATCH)
    return seen


def fill(page: Page, name: str, email: str) -> None:
    """Fill in the form of a plan as a person does."""
    page.get_by_label("Company").fill("Dune Diving")
    page.get_by_label("Address of your database").fill(name)
    page.get_by_label("Your name").fill("Dora Dune")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Country").select_option(label="France")
    page.get_by_label("Language").select_option(label="English (US)")


def expect_web_client(page: Page, name: str) -> None:
    """Check that the page ends as the web client of a database."""
    page.wait_for_url(f"http://{name}.localhost:*/odoo**", timeout=MADE_MS)
    expect(page.locator(".o_main_navbar")).to_be_visible(timeout=MADE_MS)


def test_a_visitor_is_told_while_typing_and_ends_in_the_new_database(
    open_start: Callable[..., Screen], saas: SaasScreens
) -> None:
    screen = open_start()
    page = screen.page
    expect(page.locator(".card-title")).to_have_text(["Starter", "Pro", "Enterprise"])
    page.get_by_role("link", name="Choose Pro").click()
    page.wait_for_load_state("networkidle")
    answer, address = page.locator("#name_answer"), page.get_by_label("Address of your database")
    page.get_by_label("Company").fill("Dune Diving")
    page.keyboard.press("Tab")
    expect(address).to_have_attribute("placeholder", re.compile("^dune-diving"))
    # One answer for what is taken and for what is not allowed.
    address.fill(ACME)
    expect(answer).to_contain_text("This address cannot be had. Take this one:")
    address.fill("www")
    expect(answer.get_by_role("button")).to_have_text(re.compile("^www-"))
    answer.get_by_role("button").click()
    expect(answer).to_have_text("You can have this address.")
    assert address.input_value().startswith("www-")
    email = f"dora@{NAME}.example"
    fill(page, NAME, email)
    expect(answer).to_have_text("You can have this address.")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert saas.rows("SELECT id FROM saas_instance WHERE name = %s", NAME) == []

    seen = watch_steps(page)
    page.goto(link_in(saas.wait_mail(email), "/start/confirm/"))
    expect(page.get_by_text(f"{NAME} with the plan Pro")).to_be_visible()
    page.get_by_role("button", name="Yes, create it").click()
    expect_web_client(page, NAME)
    # One after another while the visitor looked, each only once.
    assert [step for step in seen if step.startswith("done: ")], seen
    assert len(seen) == len(set(seen))
    assert who(page) == email


def test_on_a_phone_what_the_server_refuses_is_told_and_another_address_leads_on(
    open_start: Callable[..., Screen], saas: SaasScreens
) -> None:
    # The portal does not know of it yet, its server does.
    saas.servers["one"].run("create", TAKEN, {"template": TEMPLATE})
    screen = open_start(PHONE)
    page = screen.page
    assert fits(page)
    page.get_by_role("link", name="Choose Starter").click()
    page.wait_for_load_state("networkidle")
    email = f"pia@{PHONED}.example"
    fill(page, TAKEN, email)
    assert fits(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert fits(page)
    page.evaluate("window.isSame = true")
    code = page.get_by_label("Code of six digits")
    code.fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_focused()
    assert page.url.endswith("/start/progress")
    # The page has not been loaded again for this; where the answer is lost, it is.
    assert page.evaluate("window.isSame")
    page.route("**/start/code", lambda route: route.abort())
    code.fill("000000")
    with page.expect_navigation():
        page.get_by_role("button", name="Continue").click()
    page.wait_for_load_state("networkidle")
    page.unroute("**/start/code")
    assert screen.faults == ["console: Failed to load resource: net::ERR_FAILED"]
    screen.faults.clear()
    code.fill(re.search(r">\s*(\d{6})\s*<", saas.wait_mail(email))[1])
    page.get_by_role("button", name="Continue").click()

    expect(page.get_by_role("heading", name="It could not be created")).to_be_visible(
        timeout=MADE_MS
    )
    expect(page.get_by_role("alert")).to_have_text(re.compile("under another address"))
    assert fits(page)
    page.get_by_label("Address of your database").fill(PHONED)
    expect(page.locator("#name_answer")).to_have_text("You can have this address.")
    page.get_by_role("button", name="Create the database").click()
    expect(page.get_by_role("heading", name="Your database is being made")).to_be_visible()
    assert fits(page)
    expect_web_client(page, PHONED)
    assert who(page) == email
