"""Templates on the screen: build, check out, publish, roll back, and what is said when one fails."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from browser_hosting import ACTION, MADE_MS, PICTURES, SmallHosting, expect_state, press
from browser_saas import fits
from playwright.sync_api import Browser, Locator, Page, expect
from screen import DESKTOP, PHONE, Screen, Visitors

GROCERY, BAKERY = "Grocery", "Bakery"
CODES = {name: f"{name.lower()}-{os.getpid()}" for name in (GROCERY, BAKERY, "Broken")}


@pytest.fixture(scope="module")
def hosting(small_hosting: SmallHosting) -> SmallHosting:
    """A hosting server with a template whose first version is published."""
    small_hosting.publish(CODES[GROCERY])
    return small_hosting


@pytest.fixture(scope="module")
def users(hosting: SmallHosting, browser: Browser) -> Visitors:
    return Visitors(browser, f"http://127.0.0.1:{hosting.control.port}")


@pytest.fixture
def open_hosting(
    request: pytest.FixtureRequest, users: Visitors
) -> Iterator[Callable[..., Screen]]:
    """Open the app as its administrator. A fault that the browser's console tells fails the test."""
    screens: list[Screen] = []

    def open_as(size: tuple[int, int] = DESKTOP) -> Screen:
        screens.append(users.open("admin", "admin", size))
        return screens[-1]

    yield open_as
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, screen in enumerate(screens):
        screen.page.screenshot(path=PICTURES / f"{request.node.name}-{number}.png")
        screen.page.close()
    assert [fault for screen in screens for fault in screen.faults] == []


@pytest.fixture
def page(open_hosting: Callable[..., Screen]) -> Page:
    screen = open_hosting()
    screen.open(f"{ACTION}.saas_database_template_action", ".o_kanban_record")
    return screen.page


def open_template(page: Page, name: str) -> None:
    page.locator(".o_kanban_record", has_text=name).click()
    expect(page.locator(".o_form_view h1 input")).to_have_value(re.compile(name, re.IGNORECASE))


def define(page: Page, name: str, modules: str) -> None:
    """Fill in a new template; it is saved by pressing one of its buttons."""
    page.get_by_role("button", name="New", exact=True).click()
    page.locator("div[name='name'] input").fill(name)
    page.locator("div[name='code'] input").fill(CODES[name])
    page.locator("div[name='module_names'] textarea").fill(modules)


def version(page: Page, number: int) -> Locator:
    """Return the line of one version of the template that is open."""
    cell = page.locator("td[name='number']", has_text=re.compile(f"^{number}$"))
    return page.locator("div[name='version_ids'] .o_data_row").filter(has=cell)


def test_a_build_says_on_the_form_at_which_module_it_is(page: Page) -> None:
    define(page, BAKERY, "base")
    press(page, "Build")
    running = page.locator(".o_saas_running").filter(visible=True)
    expect(running).to_contain_text("Build Template", timeout=MADE_MS)
    # Nobody reloads the page, and nobody has left it.
    module = re.compile(r"Install the modules: Module \w+")
    expect(running).to_contain_text(module, timeout=MADE_MS)
    expect(page.locator(".o_form_view h1 input")).to_have_value(BAKERY)
    expect(version(page, 1)).to_contain_text("Being Built")
    expect_state(page, "Working")
    for button in ("Build", "Rebuild", "Check Out", "Roll Back"):
        expect(page.get_by_role("button", name=button, exact=True)).to_have_count(0)
    # It goes on meanwhile; the last test looks at what came of it.


def test_a_module_that_nobody_has_is_told_by_name(page: Page) -> None:
    define(page, "Broken", "base, no_such_module")
    press(page, "Build")
    failed = page.locator(".o_saas_error").filter(visible=True)
    expect(failed).to_contain_text("There is no module no_such_module", timeout=MADE_MS)
    expect(failed).to_contain_text("Check its spelling, or add its folder")
    expect(version(page, 1)).to_contain_text("Not Built", timeout=MADE_MS)
    # The definition is repaired where the reason stands, and built again.
    expect(page.get_by_role("button", name="Build", exact=True)).to_be_visible()
    failed.get_by_role("button", name="See Its Steps").click()
    expect(page.locator(".o_saas_steps")).to_be_visible(timeout=MADE_MS)
    page.locator("button[name='action_open_record']").click()
    expect(page.locator(".o_form_view h1 input")).to_have_value("Broken", timeout=MADE_MS)


def test_a_copy_is_checked_out_and_its_administrator_logs_in(
    page: Page, hosting: SmallHosting
) -> None:
    open_template(page, GROCERY)
    press(page, "Check Out")
    expect(page.get_by_text("A copy is checked out")).to_be_visible(timeout=MADE_MS)
    expect(version(page, 2)).to_contain_text("Checked Out", timeout=MADE_MS)
    press(page, "Show Login")
    told = page.locator(".modal .o_form_view")
    login, password = (
        told.locator(f"[name={field}]").first.inner_text().strip()
        for field in ("login", "password")
    )
    told.page.locator(".modal footer button:visible", has_text="Close").click()
    with page.context.expect_page() as opened:
        press(page, "Open the Copy")
    copy = opened.value
    assert copy.url.startswith(hosting.hosted_url(f"{CODES[GROCERY]}-edit"))
    copy.goto(f"{hosting.hosted_url(f'{CODES[GROCERY]}-edit')}/web/login")
    copy.fill("input[name=login]", login)
    copy.fill("input[name=password]", password)
    copy.click("button[type=submit]")
    expect(copy.locator(".o_main_navbar")).to_be_visible(timeout=MADE_MS)
    copy.close()


def test_the_copy_is_published_and_rolled_back(page: Page) -> None:
    open_template(page, GROCERY)
    press(page, "Publish", "Publish")
    expect(version(page, 2)).to_contain_text("Published", timeout=MADE_MS)
    expect(version(page, 1)).to_contain_text("Version Before")
    expect_state(page, "Ready")
    press(page, "Roll Back", "Roll Back")
    expect(version(page, 1)).to_contain_text("Published", timeout=MADE_MS)
    expect(version(page, 2)).to_contain_text("Version Before")


def test_the_version_that_was_built_is_opened(
    page: Page, open_hosting: Callable[..., Screen]
) -> None:
    open_template(page, BAKERY)
    expect_state(page, "Ready")
    version(page, 1).click()
    opened = page.locator(".modal")
    expect(opened.locator("[name='state']")).to_have_text("Published", timeout=MADE_MS)
    expect(opened.locator("[name='module_text']")).to_contain_text(re.compile(r"\bbase \d"))
    phone = open_hosting(PHONE)
    phone.open(f"{ACTION}.saas_database_template_action", ".o_kanban_record")
    open_template(phone.page, BAKERY)
    card = phone.page.locator("div[name='version_ids'] .o_kanban_record", has_text="version 1")
    expect(card).to_contain_text("Published")
    assert fits(phone.page)
