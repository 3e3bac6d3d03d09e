"""An operator moves an instance to another server, and reads why some cannot be moved."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from browser_saas import BIRCH, SaasScreens, fits
from playwright.sync_api import Browser, Locator, Page, expect
from screen import DESKTOP, PHONE, TIMEOUT_MS, Screen, Visitors
from support.sinks import wait_until

pytestmark = pytest.mark.timeout(280)
ACTION = "/odoo/action-fleet_saas_portal"
MADE_MS = 120_000
DUNE = f"dune-co-{os.getpid()}"


@pytest.fixture(scope="module")
def two(saas: SaasScreens) -> Iterator[int]:
    """A second server, which reaches the backups of the first one; it takes no more at the end."""
    backups = saas.servers["one"].folder / "backups"
    record = saas.add_server("two", FLEET_BACKUP_DIR=str(backups))
    instance = saas.create(
        DUNE,
        partner_id=saas.add_partner("Dune Design"),
        plan_id=saas.plan("pro"),
        server_id=saas.records["one"],
        admin_login="dora@dune.example",
    )
    saas.wait_state(instance, "active")
    saas.synchronize(lambda: saas.read("saas.instance", instance, "uuid")["uuid"])
    yield record
    saas.call("saas.server", "write", ids=[record], vals={"accepts_new": False})


@pytest.fixture(scope="module")
def operators(saas: SaasScreens, two: int, browser: Browser) -> Visitors:
    return Visitors(browser, saas.url())


@pytest.fixture
def open_instance(operators: Visitors, saas: SaasScreens) -> Iterator[Callable[..., Page]]:
    """Open the form of an instance. A fault in the browser's console fails the test."""
    screens: list[Screen] = []

    def open_as(name: str, size: tuple[int, int] = DESKTOP) -> Page:
        screens.append(operators.open("admin", "admin", size))
        path = f"{ACTION}.saas_instance_action/{saas.instance(name)}"
        screens[-1].open(path, ".o_form_view h1")
        return screens[-1].page

    yield open_as
    faults = [fault for screen in screens for fault in screen.faults]
    for screen in screens:
        screen.page.close()
    assert faults == []


def expect_state(page: Page, text: str) -> None:
    current = page.locator(".o_statusbar_status .o_arrow_button_current").filter(visible=True)
    expect(current).to_have_text(text, timeout=MADE_MS)


def ask(page: Page, server: str) -> Locator:
    """Open the wizard and choose a server in it."""
    page.get_by_role("button", name="Move…").click()
    wizard = page.locator(".modal")
    wizard.locator("div[name='server_id'] input").fill(server)
    page.locator(".o-autocomplete--dropdown-item", has_text=server).first.click()
    return wizard


def test_an_instance_moves_while_its_form_says_how_far_it_is(
    open_instance: Callable[..., Page], saas: SaasScreens
) -> None:
    page = open_instance(DUNE)
    wizard = ask(page, "Two")
    expect(wizard).to_contain_text("off the air until it answers on the other server")
    expect(wizard).to_contain_text("If anything fails it is served where it is now")
    # The server waits until the page has been looked at.
    server = saas.servers["one"].control.server.pid()
    os.kill(server, signal.SIGSTOP)
    try:
        wizard.get_by_role("button", name="Move", exact=True).click()
        progress = page.locator(".o_saas_request_progress")
        expect(progress).to_contain_text(f"Hand Over to Another Server {DUNE}", timeout=TIMEOUT_MS)
        expect_state(page, "Being Moved")
        expect(page.get_by_text("Being moved to Two")).to_be_visible()
        expect(page.locator(".breadcrumb-item, .o_last_breadcrumb_item")).to_have_count(2)
    finally:
        os.kill(server, signal.SIGCONT)
    # Nobody reloads the page: it moves by itself.
    name = f"Take Over From Another Server {DUNE}"
    expect(progress).to_contain_text(name, timeout=MADE_MS)
    expect_state(page, "Active")
    expect(page.locator("div[name='server_id']")).to_have_text("Two")
    expect(page.locator(".o-mail-Message").first).to_contain_text("Moved from One to Two")
    page.get_by_role("tab", name="Former Copies").click()
    expect(page.locator("div[name='former_ids'] .o_data_row")).to_contain_text("One")
    assert saas.servers["two"].get(DUNE).status_code == 200


def test_what_stayed_behind_is_kept_closed_for_some_days(
    open_instance: Callable[..., Page], saas: SaasScreens
) -> None:
    domain = [["instance_id", "=", saas.instance(DUNE)], ["state", "=", "kept"]]
    wait_until(
        lambda: saas.call("saas.instance.former", "search", domain=domain), "the former copy"
    )
    page = open_instance(DUNE)
    page.get_by_role("tab", name="Former Copies").click()
    copy = page.locator("div[name='former_ids'] .o_data_row")
    expect(copy).to_contain_text("Kept")
    expect(copy.get_by_role("button", name="Delete Now")).to_be_visible()
    phone = open_instance(DUNE, PHONE)
    phone.get_by_role("tab", name="Former Copies").click()
    card = phone.locator("div[name='former_ids'] .o_kanban_record", has_text="One")
    expect(card).to_contain_text("Kept until")
    assert fits(phone)


def test_the_wizard_says_why_an_instance_cannot_be_moved(
    open_instance: Callable[..., Page], saas: SaasScreens, two: int
) -> None:
    page = open_instance(DUNE)
    wizard = ask(page, "One")
    expect(wizard).to_contain_text(f"The former copy of {DUNE} is still kept there")
    expect(wizard.get_by_role("button", name="Move", exact=True)).to_have_count(0)
    saas.call("saas.server", "write", ids=[two], vals={"max_instances": 1})
    page = open_instance(BIRCH)
    expect(ask(page, "Two")).to_contain_text(
        "Two has no room: its limit of instances, 1, is reached"
    )
    saas.call("saas.server", "write", ids=[two], vals={"accepts_new": False})
    page = open_instance(BIRCH)
    page.get_by_role("button", name="Move…").click()
    expect(page.locator(".modal")).to_contain_text("There is no other server that takes new")
    expect(page.locator(".modal .alert-danger").filter(visible=True)).to_have_count(0)
