"""What an operator sees and does in the SaaS app of the portal, in a real browser."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator

import pytest
from browser_saas import BIRCH, CEDAR, SaasScreens, fits
from playwright.sync_api import Browser, Page, expect
from screen import DESKTOP, PHONE, TIMEOUT_MS, Screen, Visitors

pytestmark = pytest.mark.timeout(280)
ACTION = "/odoo/action-fleet_saas_portal"
MADE_MS = 120_000
FIR = f"fir-{os.getpid()}"
RECORDS = ".o_data_row td[name='name'], .o_kanban_record:not(.o_kanban_ghost)"
MENUS = ("Instances", "Subscriptions", "Customers", "Operations", "Access", "Reporting")


@pytest.fixture(scope="module")
def operators(saas: SaasScreens, browser: Browser) -> Visitors:
    return Visitors(browser, saas.url())


@pytest.fixture
def open_portal(operators: Visitors) -> Iterator[Callable[..., Screen]]:
    """Open the portal as its administrator. A fault in the browser's console fails the test."""
    screens: list[Screen] = []

    def open_as(size: tuple[int, int] = DESKTOP) -> Screen:
        screens.append(operators.open("admin", "admin", size))
        return screens[-1]

    yield open_as
    faults = [fault for screen in screens for fault in screen.faults]
    for screen in screens:
        screen.page.close()
    assert faults == []


@pytest.fixture
def screen(open_portal: Callable[..., Screen]) -> Screen:
    return open_portal()


def open_instance(screen: Screen, saas: SaasScreens, name: str) -> Page:
    screen.open(f"{ACTION}.saas_instance_action/{saas.instance(name)}", ".o_form_view h1")
    return screen.page


def expect_state(page: Page, text: str) -> None:
    current = page.locator(".o_statusbar_status .o_arrow_button_current").filter(visible=True)
    expect(current).to_have_text(text, timeout=MADE_MS)


def test_the_menus_lead_to_every_part(screen: Screen) -> None:
    page = screen.page
    screen.open(f"{ACTION}.saas_instance_action", ".o_data_row")
    bar = page.locator(".o_menu_sections")
    # Nothing is hidden behind a plus at this width.
    for menu in (*MENUS, "Configuration"):
        expect(bar.get_by_text(menu, exact=True)).to_be_visible()
    bar.get_by_role("button", name="Customers").click()
    expect(page.get_by_role("menuitem", name="Sign-ups")).to_be_visible()
    page.keyboard.press("Escape")
    bar.get_by_role("button", name="Operations").click()
    page.get_by_role("menuitem", name="All Operations").click()
    expect(page.locator(".o_data_row", has_text=f"Suspend {CEDAR}")).to_be_visible()


def test_an_instance_is_made_on_the_form_and_followed_to_its_end(
    screen: Screen, saas: SaasScreens
) -> None:
    page = screen.page
    screen.open(f"{ACTION}.saas_instance_action", ".o_data_row")
    page.get_by_role("button", name="New", exact=True).click()
    page.locator("div[name='name'] input").fill(FIR)
    page.locator("div[name='plan_id'] input").fill("Starter")
    page.locator(".o-autocomplete--dropdown-item", has_text="Starter").first.click()
    page.locator("div[name='admin_login'] input").fill("fay@fir.example")
    # The server waits until the page has been looked at.
    server = saas.servers["one"].control.server.pid()
    os.kill(server, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Create Database").click()
        progress = page.locator(".o_saas_request_progress")
        expect(progress).to_contain_text(f"Create {FIR}", timeout=TIMEOUT_MS)
    finally:
        os.kill(server, signal.SIGCONT)
    # Nobody reloads the page: it moves by itself.
    expect_state(page, "Active")
    expect(progress).to_have_count(0, timeout=TIMEOUT_MS)
    expect(page.locator("div[name='url'] a")).to_have_attribute(
        "href", re.compile(f"^http://{FIR}")
    )
    page.get_by_role("tab", name="Operations").click()
    expect(page.locator(".o_data_row", has_text=f"Create {FIR}")).to_contain_text("Done")


def test_instances_are_found_in_each_kind_of_view(screen: Screen) -> None:
    page = screen.page
    screen.open(f"{ACTION}.saas_instance_action", ".o_data_row")
    expect(screen.row(CEDAR)).to_contain_text("Suspended")
    page.locator(".o_searchview_input").fill("Birch")
    found = page.locator(".o_searchview_autocomplete .o-dropdown-item", has_text="Customer")
    found.first.click()
    expect(page.locator(".o_data_row")).to_have_count(1)
    expect(page.locator(".o_data_row")).to_contain_text(BIRCH)
    for view, wait in (
        ("kanban", ".o_kanban_record"),
        ("pivot", ".o_pivot table"),
        ("graph", ".o_graph_canvas_container canvas"),
        ("activity", ".o_activity_view"),
    ):
        page.locator(f".o_switch_view.o_{view}").click()
        expect(page.locator(wait).first).to_be_visible()


def test_an_operator_goes_in_with_a_reason(screen: Screen, saas: SaasScreens) -> None:
    page = open_instance(screen, saas, BIRCH)
    page.get_by_role("button", name="Connect", exact=True).click()
    modal = page.locator(".modal")
    modal.get_by_label("Reason").fill("Ticket 4711")
    with page.context.expect_page() as opened:
        modal.get_by_role("button", name="Connect").click()
    inside = opened.value
    inside.wait_for_url(f"http://{BIRCH}.localhost:*/odoo**", timeout=MADE_MS)
    expect(inside.locator(".o_main_navbar")).to_be_visible(timeout=MADE_MS)
    inside.close()
    screen.open(f"{ACTION}.saas_access_log_action", ".o_data_row")
    expect(page.locator(".o_data_row", has_text="Ticket 4711")).to_contain_text(BIRCH)


def test_many_are_done_after_a_preview(screen: Screen, saas: SaasScreens) -> None:
    page = screen.page
    screen.open(f"{ACTION}.saas_instance_action", ".o_data_row")
    screen.select(BIRCH, CEDAR)
    page.locator(".o_cp_action_menus").get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Do to All Selected…").click()
    modal = page.locator(".modal")
    modal.locator("div[name='kind'] input").click()
    page.locator(".o_select_menu_item", has_text="Suspend").click()
    modal.get_by_role("button", name="Preview").click()
    lines = page.locator("div[name='line_ids'] .o_data_row")
    expect(lines).to_have_count(2)
    # One is suspended already: the preview says so before anything happens.
    cedar = lines.filter(has_text=CEDAR)
    expect(cedar).to_contain_text("is in the state “Suspended”")
    cedar.get_by_role("button", name="Leave Out").click()
    expect(cedar).to_contain_text("Left Out")
    assert saas.read("saas.instance", saas.instance(BIRCH), "state")["state"] == "active"
    page.get_by_role("button", name="Start", exact=True).click()
    expect_state(page, "Done")
    expect(lines.filter(has_text=BIRCH)).to_contain_text("Done")
    saas.wait_state(saas.instance(BIRCH), "suspended")
    saas.call("saas.instance", "action_resume", ids=[saas.instance(BIRCH)])
    saas.wait_state(saas.instance(BIRCH), "active")


def test_a_subscription_is_extended(screen: Screen) -> None:
    page = screen.page
    screen.open(f"{ACTION}.saas_subscription_action", ".o_data_row")
    expect(screen.row(BIRCH)).to_contain_text("Trial")
    screen.cell(BIRCH, "partner_id").click()
    page.get_by_role("button", name="Extend").click()
    modal = page.locator(".modal")
    modal.get_by_label("Days").fill("10")
    modal.get_by_label("Reason").fill("They were on holiday")
    modal.get_by_role("button", name="Extend").click()
    expect(page.locator(".o-mail-Message").first).to_contain_text("Extended until")


REPORTS = (
    ("saas_instance_action_report", "canvas"),
    ("saas_subscription_action_report", "canvas, .o_view_nocontent"),
    ("saas_invoice_action_report", "canvas, .o_view_nocontent"),
    ("saas_subscription_action_trials", "canvas"),
    ("saas_request_action_failing", "canvas, .o_view_nocontent"),
    ("saas_server_action_report", "canvas"),
)


def test_the_reports_are_graphs_or_say_what_they_would_show(screen: Screen) -> None:
    for action, wait in REPORTS:
        screen.open(f"{ACTION}.{action}", f".o_graph_view, {wait}")
        expect(screen.page.locator(wait).first).to_be_visible()


# Action, whether a record is opened too.
SCREENS = (
    ("saas_instance_action", True),
    ("saas_subscription_action", True),
    ("saas_request_action", True),
    ("saas_server_action", True),
    ("saas_template_action", True),
    ("saas_plan_action", True),
    ("saas_signup_action", False),
    ("saas_member_action", False),
    ("saas_domain_action", False),
    ("saas_notice_action", False),
    ("saas_access_request_action", False),
    ("saas_instance_bulk_action", False),
    ("saas_audit_line_action", False),
)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_screen_fits(open_portal: Callable[..., Screen], size: tuple[int, int]) -> None:
    screen = open_portal(size)
    for action, has_record in SCREENS:
        screen.open(f"{ACTION}.{action}", ".o_list_renderer, .o_kanban_renderer")
        assert fits(screen.page), action
        if has_record:
            screen.page.locator(RECORDS).first.click()
            expect(screen.page.locator(".o_form_view")).to_be_visible()
            assert fits(screen.page), f"a record of {action}"
