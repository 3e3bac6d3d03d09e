"""The screens of the Hosting app, on a real hosting server that makes real databases."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_hosting import (
    ACTION,
    MADE_MS,
    PICTURES,
    USERS,
    ask,
    expect_refusal,
    expect_state,
    open_database,
)
from playwright.sync_api import Browser, Page, expect
from screen import DESKTOP, PHONE, Screen, Visitors
from support import hosting_templates
from support.hosting_fleet import HostingFleet

from fleetdev import databases, odoo_run, paths

ACME, BIRCH, CEDAR, DUNE, ELM = (
    f"{label}-{os.getpid()}" for label in ("acme", "birch", "cedar", "dune", "elm")
)
BROKEN = {
    "__manifest__.py": "{'name': 'Broken', 'depends': ['base'], 'data': ['data.xml']}",
    "__init__.py": "",
    "data.xml": '<odoo><record id="x" model="no.such.model"><field name="a">1</field></record></odoo>',
}
# What a test asks for in vain is told on the screen, and in the log.
REFUSED = (r"The name \S+ is (reserved|taken)\.",)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of addons with one that cannot be installed."""
    folder = tmp_path_factory.mktemp("addons")
    (folder / "broken_module").mkdir()
    for file, text in BROKEN.items():
        (folder / "broken_module" / file).write_text(text)
    return folder


@pytest.fixture(scope="module")
def hosting(broken: Path) -> Iterator[HostingFleet]:
    """A hosting server with one published template."""
    sys.path.append(str(paths.ADDONS / "fleet_saas_server"))
    more = ("--addons-path", f"{odoo_run.addons_path()},{broken}")
    with HostingFleet("browser_hosting", options=more, allowed=REFUSED) as fleet:
        fleet.script(USERS)
        hosting_templates.publish(fleet, "browser", databases.template("base"))
        hosting_templates.settle(fleet)
        yield fleet


@pytest.fixture(scope="module")
def users(hosting: HostingFleet, browser: Browser) -> Visitors:
    return Visitors(browser, f"http://127.0.0.1:{hosting.control.port}")


@pytest.fixture
def open_hosting(
    request: pytest.FixtureRequest, users: Visitors
) -> Iterator[Callable[..., Screen]]:
    """Open the app as a user. A fault that the browser's console tells fails the test."""
    screens: list[Screen] = []

    def open_as(login: str = "admin", size: tuple[int, int] = DESKTOP) -> Screen:
        screens.append(users.open(login, login, size))
        return screens[-1]

    yield open_as
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, screen in enumerate(screens):
        screen.page.screenshot(path=PICTURES / f"{request.node.name}-{number}.png")
        screen.page.close()
    assert [fault for screen in screens for fault in screen.faults] == []


@pytest.fixture
def screen(open_hosting: Callable[..., Screen]) -> Screen:
    return open_hosting()


def open_wizard(screen: Screen) -> None:
    screen.open(f"{ACTION}.saas_database_action", ".o_list_renderer, .o_kanban_renderer")
    screen.page.get_by_role("button", name="New", exact=True).click()
    expect(screen.page.locator(".modal .o_saas_name")).to_be_visible()


def type_name(page: Page, name: str) -> None:
    page.locator(".modal .o_saas_name input").fill(name)
    page.keyboard.press("Tab")


def create(screen: Screen, name: str) -> None:
    open_wizard(screen)
    type_name(screen.page, name)
    screen.page.locator(".modal").get_by_role("button", name="Create").click()
    expect(screen.page.locator(".o_saas_steps")).to_be_visible()


def test_a_database_is_made_by_the_wizard_and_its_page_opens(
    screen: Screen, hosting: HostingFleet
) -> None:
    page = screen.page
    open_wizard(screen)
    type_name(page, "admin")
    expect(page.locator(".o_saas_name_problem")).to_contain_text("is reserved")
    type_name(page, ACME)
    expect(page.locator(".o_saas_address")).to_contain_text(hosting.hosted_url(ACME))
    page.locator(".modal [name='company'] input").fill("Acme Outdoor")
    page.locator(".modal [name='admin_email'] input").fill("jane@acme.example.com")
    page.locator(".modal [name='admin_password'] input").fill("correct horse")
    page.locator(".modal").get_by_role("button", name="Create").click()

    # Nobody reloads the page: the operation's form moves by itself.
    expect(page.locator(".o_saas_steps .o_data_row")).to_have_count(9)
    expect_state(page, "Done")
    icons = page.locator(".o_saas_steps .o_saas_state_icon")
    assert icons.evaluate_all("icons => icons.map(icon => icon.dataset.state)") == ["done"] * 9

    page.locator("button[name='action_open_record']").click()
    expect(page.locator(".o_form_view h1")).to_contain_text(ACME)
    page.get_by_role("tab", name="Neutralisation Report").click()
    expect(page.locator("[data-part='switched_off'] h4")).to_contain_text("Switched off")
    with page.context.expect_page() as opened:
        page.locator("button[name='action_open']").first.click()
    customer = opened.value
    customer.goto(f"{hosting.hosted_url(ACME)}/web/login")
    customer.fill("input[name=login]", "jane@acme.example.com")
    customer.fill("input[name=password]", "correct horse")
    customer.click("button[type=submit]")
    expect(customer.locator(".o_main_navbar")).to_be_visible(timeout=MADE_MS)
    customer.close()


def test_a_name_that_is_taken_is_told_while_typing(screen: Screen) -> None:
    open_wizard(screen)
    type_name(screen.page, ACME)
    expect(screen.page.locator(".o_saas_name_problem")).to_contain_text(f"{ACME} is taken")
    screen.page.locator(".modal").get_by_role("button", name="Discard").click()


def test_the_form_of_an_operation_asks_no_more_once_it_ended_or_was_left(screen: Screen) -> None:
    page = screen.page
    reads: list[str] = []
    page.on("request", lambda request: reads.append(request.url))
    screen.open(f"{ACTION}.saas_operation_action", ".o_data_row")
    screen.row(ACME).first.click()
    expect_state(page, "Done")
    page.wait_for_timeout(1000)
    reads.clear()
    page.wait_for_timeout(3000)
    assert [url for url in reads if "saas.operation" in url] == []


def rename(page: Page, name: str) -> None:
    page.locator(".modal [name='name'] input").fill(name)
    page.locator(".modal").get_by_role("button", name="Rename", exact=True).click()


def test_a_suspended_database_shows_its_visitors_why_until_it_is_resumed(
    open_hosting: Callable[..., Screen], hosting: HostingFleet
) -> None:
    screen = open_hosting("oscar")
    page = screen.page
    open_database(screen, ACME)
    wizard = ask(page, "Suspend…")
    wizard.locator("[name='reason'] input").fill("We are back on Monday.")
    wizard.get_by_role("button", name="Suspend", exact=True).click()
    expect_state(page, "Done")
    visitor = page.context.new_page()
    visitor.goto(f"{hosting.hosted_url(ACME)}/odoo")
    expect(visitor.locator("h1")).to_have_text("This database is suspended")
    expect(visitor.locator(".message")).to_have_text("We are back on Monday.")
    open_database(screen, ACME)
    page.get_by_role("button", name="Resume").click()
    expect_state(page, "Done")
    visitor.goto(f"{hosting.hosted_url(ACME)}/web/login")
    expect(visitor.locator("input[name=login]")).to_be_visible()
    visitor.close()


def test_a_new_name_is_a_new_address_and_one_that_cannot_be_had_is_refused_at_once(
    screen: Screen, hosting: HostingFleet
) -> None:
    page = screen.page
    open_database(screen, ACME, "Manage")
    ask(page, "Rename…")
    rename(page, "www")
    expect_refusal(page, "The name www is reserved.")
    with hosting.psql() as cursor:
        cursor.execute(f'CREATE DATABASE "{DUNE}" TEMPLATE template0')
    try:
        # Nobody hosts it, so no record knows its name.
        rename(page, DUNE)
        expect_refusal(page, f"The name {DUNE} is taken.")
    finally:
        with hosting.psql() as cursor:
            cursor.execute(f'DROP DATABASE "{DUNE}"')
    rename(page, ELM)
    expect_state(page, "Done")
    assert (hosting.get(ACME).status_code, hosting.get(ELM).status_code) == (404, 200)
    open_database(screen, ELM, "Manage")
    ask(page, "Rename…")
    rename(page, ACME)
    expect_state(page, "Done")


def test_a_module_that_cannot_be_installed_leaves_the_database_as_it_was(
    screen: Screen, hosting: HostingFleet
) -> None:
    page = screen.page
    open_database(screen, ACME, "Manage")
    wizard = ask(page, "Install…")
    wizard.locator("[name='modules'] input").fill("broken_module")
    wizard.get_by_role("button", name="Install", exact=True).click()
    banner = page.locator(".o_saas_error").filter(visible=True)
    expect(banner).to_contain_text("what it had begun was undone", timeout=MADE_MS)
    expect(banner).to_contain_text("broken_module")
    assert hosting.get(ACME).status_code == 200
    page.locator("button[name='action_open_record']").click()
    expect(page.locator(".o_saas_error").filter(visible=True)).to_contain_text("broken_module")
    expect(page.locator("button[name='action_view_snapshots']")).to_contain_text("0")


def test_the_comparison_of_records_with_what_is_there_begins_by_its_button(screen: Screen) -> None:
    screen.open(f"{ACTION}.saas_difference_action", ".o_view_controller")
    screen.page.get_by_role("button", name="Compare Now").click()
    expect_state(screen.page, "Done")


def test_an_operator_is_offered_neither_odoos_archive_nor_settings_of_the_administrator(
    open_hosting: Callable[..., Screen],
) -> None:
    screen = open_hosting("oscar")
    page = screen.page
    screen.open(f"{ACTION}.saas_database_action", ".o_data_row")
    page.get_by_role("button", name="Configuration").click()
    entries = page.locator(".o-dropdown--menu .o-dropdown-item")
    expect(entries).to_have_text(["Backup Policies", "Backup Places"])
    page.keyboard.press("Escape")
    screen.select(ACME)
    page.locator(".o_cp_action_menus button").first.click()
    items = page.locator(".o-dropdown--menu .o-dropdown-item")
    expect(items.filter(has_text="Do to All Selected…")).to_be_visible()
    expect(items.filter(has_text=re.compile("Archive|Unarchive"))).to_have_count(0)


def test_a_failure_says_in_words_what_to_do_and_is_retried_when_that_was_done(
    screen: Screen, hosting: HostingFleet
) -> None:
    page = screen.page
    in_the_way = hosting.filestore(BIRCH)
    in_the_way.mkdir(parents=True)
    create(screen, BIRCH)
    banner = page.locator(".o_saas_error").filter(visible=True)
    expect(banner).to_contain_text("already exists", timeout=MADE_MS)
    expect(banner).to_contain_text("Look whether the name and the machine allow it")
    expect(page.locator(".o_saas_state_icon[data-state='broken']")).to_have_count(1)
    in_the_way.rmdir()
    page.get_by_role("button", name="Retry").click()
    expect_state(page, "Done")
    expect(banner).to_have_count(0)


def test_a_database_that_failed_says_so_in_the_list(screen: Screen, hosting: HostingFleet) -> None:
    hosting.filestore(CEDAR).mkdir(parents=True)
    create(screen, CEDAR)
    expect_state(screen.page, "Failed")
    hosting.filestore(CEDAR).rmdir()
    screen.open(f"{ACTION}.saas_database_action", ".o_data_row")
    expect(screen.cell(CEDAR, "state")).to_have_text("Not Created")
    expect(screen.cell(CEDAR, "problem")).to_contain_text("Failed: Create")
    expect(screen.cell(ACME, "problem")).to_contain_text("No verified backup")


def test_health_says_whether_this_machine_can_host(screen: Screen) -> None:
    page = screen.page
    screen.open("/odoo/hosting-health", ".o_saas_health")
    rows = page.locator(".o_saas_health")
    expect(rows.locator("[data-key='runner']")).to_have_attribute("data-state", "green")
    expect(rows.locator("[data-key='gate']")).to_have_attribute("data-state", "green")
    expect(rows.locator("[data-key='programs']")).to_have_attribute("data-state", "grey")
    page.get_by_role("button", name="Check Now").click()
    programs = rows.locator("[data-key='programs']")
    expect(programs).to_have_attribute("data-state", "green", timeout=MADE_MS)
    expect(programs).to_contain_text("restic")
    rows.locator("[data-key='failed']").get_by_role("button", name="Show").click()
    expect(page.locator(".o_data_row").first).to_contain_text("Create")


def test_who_only_looks_is_offered_nothing_that_changes_something(
    open_hosting: Callable[..., Screen],
) -> None:
    vera = open_hosting("vera")
    page = vera.page
    vera.open(f"{ACTION}.saas_database_action", ".o_data_row")
    expect(page.get_by_role("button", name="New", exact=True)).to_have_count(0)
    vera.cell(ACME, "name").click()
    expect(page.locator(".o_form_view h1")).to_contain_text(ACME)
    for name in ("Back Up", "Duplicate…", "Restore…"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    vera.open("/odoo/hosting-health", ".o_saas_health")
    expect(page.get_by_role("button", name="Check Now")).to_have_count(0)


SCREENS = (
    (f"{ACTION}.saas_database_action", ".o_list_renderer, .o_kanban_renderer", True),
    (f"{ACTION}.saas_database_template_action", ".o_list_renderer, .o_kanban_renderer", True),
    (f"{ACTION}.saas_backup_action", ".o_view_controller", False),
    (f"{ACTION}.saas_backup_policy_action", ".o_list_renderer, .o_kanban_renderer", True),
    (f"{ACTION}.saas_backup_place_action", ".o_list_renderer, .o_kanban_renderer", True),
    (f"{ACTION}.saas_operation_action", ".o_list_renderer, .o_kanban_renderer", True),
    (f"{ACTION}.saas_difference_action", ".o_view_controller", False),
    ("/odoo/hosting-health", ".o_saas_health", False),
)


def test_sizes_are_told_in_units_of_bytes(open_hosting: Callable[..., Screen]) -> None:
    screen = open_hosting()
    screen.open("/odoo/hosting-health", ".o_saas_health")
    said = {0: "", 1023: "1,023 B", 1536: "1.5 KB", 2**20 - 1: "1.0 MB", 5 << 30: "5.0 GB"}
    script = """sizes => {
        const { registry } = odoo.loader.modules.get("@web/core/registry");
        return sizes.map((size) => registry.category("formatters").get("fleet_bytes")(size));
    }"""
    assert screen.page.evaluate(script, list(said)) == list(said.values())


@pytest.mark.parametrize("what", ["policy", "place"])
def test_on_a_phone_the_names_of_policies_and_places_are_not_cut(
    open_hosting: Callable[..., Screen], what: str
) -> None:
    screen = open_hosting(size=PHONE)
    screen.open(f"{ACTION}.saas_backup_{what}_action", ".o_content")
    name = screen.page.get_by_text("Every six hours" if what == "policy" else "This machine")
    expect(name.first).to_be_visible()
    cut = "each => each.scrollWidth > each.clientWidth + 1"
    assert not name.first.evaluate(f"each => ({cut})(each) || ({cut})(each.parentElement)")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("path", "wait", "with_form"), SCREENS, ids=[re.split(r"[./]", each[0])[-1] for each in SCREENS]
)
def test_every_screen_fits(
    open_hosting: Callable[..., Screen], path: str, wait: str, with_form: bool, size: tuple
) -> None:
    screen = open_hosting(size=size)
    width = "document.documentElement.scrollWidth"
    screen.open(path, wait)
    screen.page.wait_for_timeout(300)
    assert screen.page.evaluate(width) <= size[0]
    if with_form:
        row = ".o_data_row td[name='name'], .o_data_row, .o_kanban_record:not(.o_kanban_ghost)"
        screen.page.locator(row).first.click()
        expect(screen.page.locator(".o_form_view")).to_be_visible()
        screen.page.wait_for_timeout(300)
        assert screen.page.evaluate(width) <= size[0]
