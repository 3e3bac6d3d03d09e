"""Settings, the other menus, other users, and a narrow screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser_fleet import BrowserFleet
from playwright.sync_api import Page, expect
from screen import PHONE, Screen

SETTINGS = "/odoo/action-fleet_databases.res_config_settings_action"
NOAH = "noah.keller@northwind.example.com"
RITA = "rita@northwind.example.com"


def test_the_key_of_odoo_com_is_stored_and_never_shown(screen: Screen, page: Page) -> None:
    screen.open(SETTINGS, ".app_settings_block")
    page.locator("[name='databases_odoocom_login'] input").fill("partner@northwind.example.com")
    page.locator("[name='databases_odoocom_key'] input").fill("0123456789abcdef")
    with page.expect_event("load"):  # what is stored is shown by a page that is new
        page.locator(".o_form_button_save").click()
    screen.open(SETTINGS, ".app_settings_block")
    key = page.locator("[name='databases_odoocom_key'] input")
    expect(key).to_have_attribute("placeholder", "Stored. Fill in a new one to replace it")
    expect(page.locator("[name='databases_odoocom_login'] input")).to_have_value(
        "partner@northwind.example.com"
    )
    assert "0123456789abcdef" not in page.content()
    page.get_by_role("button", name="Forget the Key").click()
    page.locator(".modal .btn-primary").click()
    expect(key).to_have_attribute("placeholder", "None stored")


def test_settings_tell_what_the_server_allows(screen: Screen, page: Page) -> None:
    screen.open(SETTINGS, ".app_settings_block")
    expect(page.locator("#databases_secret")).to_contain_text("In order")
    expect(page.locator("#databases_network")).to_contain_text("fleet_allow_private")


@pytest.mark.parametrize(
    ("action", "wait"),
    [
        ("databases_kpi_value_action", ".o_graph_renderer canvas"),
        ("databases_kpi_action", ".o_list_renderer .o_data_row"),
        ("databases_kpi_threshold_action", ".o_list_renderer"),
        ("databases_user_action", ".o_list_renderer .o_data_row"),
        ("ir_cron_action", ".o_list_renderer .o_data_row"),
    ],
)
def test_every_menu_opens(screen: Screen, action: str, wait: str) -> None:
    screen.open(f"/odoo/action-fleet_databases.{action}", wait)


def test_a_database_user_sees_their_own_databases_and_no_secrets(
    open_screen: Callable[..., Screen], fleet: BrowserFleet
) -> None:
    noah = open_screen(NOAH, NOAH)
    page = noah.page
    noah.open_list()
    assert noah.names() == ["Alpine Outdoor"]
    expect(noah.tile("all")).to_contain_text("1")
    expect(page.locator(".o_list_button_add")).to_have_count(0)
    expect(page.locator(".o_menu_sections")).not_to_contain_text("Configuration")
    noah.cell("Alpine Outdoor", "name").click()
    expect(page.locator(".o_databases_form")).to_be_visible()
    expect(page.get_by_role("button", name="Connect")).to_be_visible()
    for name in ("database_api_key", "database_api_login", "database_ca"):
        expect(page.locator(f"[name='{name}']")).to_have_count(0)
    expect(page.get_by_role("button", name="Invite Users")).to_have_count(0)
    expect(page.locator("button[name='action_remove']")).to_have_count(0)


def test_who_has_no_account_anywhere_is_told_so(open_screen: Callable[..., Screen]) -> None:
    rita = open_screen(RITA, RITA)
    rita.open("/odoo/databases", ".o_view_nocontent")
    expect(rita.page.locator(".o_view_nocontent")).to_contain_text(
        "Ask a Databases Administrator to invite you"
    )
    expect(rita.page.locator(".o_fleet_dashboard")).to_have_count(0)


def test_everything_fits_on_a_phone(
    open_screen: Callable[..., Screen], fleet: BrowserFleet
) -> None:
    phone = open_screen(size=PHONE)
    page: Page = phone.page
    phone.open("/odoo/databases", ".o_kanban_renderer")
    card = page.locator(".o_kanban_record", has_text="Alpine Outdoor")
    expect(card.get_by_role("button", name="Connect")).to_be_visible()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= PHONE[0]
    card.get_by_text("Alpine Outdoor").click()
    expect(page.locator(".o_databases_form")).to_be_visible()
    expect(page.get_by_role("button", name="Connect")).to_be_visible()
    expect(page.locator(".o_databases_users .o_kanban_record").first).to_be_attached()
    assert page.evaluate(width) <= PHONE[0]
