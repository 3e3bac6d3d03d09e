"""The form of a database, and adding one by hand."""

from __future__ import annotations

from browser_fleet import BrowserFleet
from playwright.sync_api import Page, expect
from screen import Screen


def test_the_form_shows_kpis_and_users_to_be_read_only(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_form(fleet.project("Alpine Outdoor"))
    kpis = page.locator(".o_databases_kpis")
    expect(kpis.locator(".o_databases_kpi", has_text="VAT Return")).to_contain_text("Late")
    expect(kpis.locator(".o_databases_kpi", has_text="Sales")).to_contain_text("12")
    expect(kpis.locator("input, button")).to_have_count(0)
    mia = page.locator(
        ".o_databases_users .o_data_row", has_text="mia.laurent@northwind.example.com"
    )
    expect(mia).to_contain_text("Mia Laurent")
    page.locator(".o_cp_action_menus .fa-cog").click()
    expect(page.locator(".o-dropdown--menu")).to_be_visible()
    expect(page.locator(".o-dropdown--menu")).not_to_contain_text("Properties")
    expect(page.locator(".o-dropdown--menu")).not_to_contain_text("Duplicate")


def test_a_stored_key_is_told_and_never_shown(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_form(fleet.project("Alpine Outdoor"))
    key = page.locator("[name='database_api_key'] input")
    expect(key).to_have_attribute("type", "password")
    expect(key).to_have_value("")
    expect(key).to_have_attribute("placeholder", "Stored. Fill in a new one to replace it")


def test_an_error_is_said_in_a_sentence_above_the_form(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_form(fleet.project("Dune Travel"))
    expect(page.locator(".alert-danger")).to_contain_text("Invalid apikey")
    expect(page.locator(".alert-danger")).to_contain_text("create a new key there")


def test_a_database_is_added_by_hand_and_synchronized(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    values = fleet.by_hand
    screen.open_list()
    page.locator(".o_list_button_add").click()
    page.locator("[name='name'] textarea").fill("Grove by Hand")
    page.locator("[name='database_url'] input").fill(values["database_url"])
    page.locator("[name='database_name'] input").fill(values["database_name"])
    page.locator("[name='database_api_login'] input").fill(values["database_api_login"])
    page.locator("[name='database_api_key'] input").fill(values["database_api_key"])
    page.locator(".o_form_button_save").click()
    expect(
        page.locator(".alert-info", has_text="Nothing is known of this database yet")
    ).to_be_visible()
    with fleet.removed_afterwards("Grove by Hand"):
        page.get_by_role("button", name="Synchronize").click()
        expect(page.locator(".o_notification")).to_contain_text("1 database(s) synchronized.")
        expect(page.locator(".o_databases_kpi", has_text="Inbox")).to_contain_text("8")
        expect(page.locator(".o_databases_users .o_data_row")).to_have_count(5)
        expect(page.locator("[name='database_state']").first).to_have_text("In order")
        assert values["database_api_key"] not in page.content()


def test_a_second_database_with_the_same_url_is_refused_in_words(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_list()
    page.locator(".o_list_button_add").click()
    page.locator("[name='name'] textarea").fill("Alpine again")
    page.locator("[name='database_url'] input").fill(fleet.url("alpine"))
    page.locator(".o_form_button_save").click()
    expect(page.locator(".modal")).to_contain_text("Another database already has this URL")
    page.locator(".modal .btn-primary").click()
    page.locator(".o_form_button_cancel").click()


def test_the_ordinary_form_of_the_project_leads_here(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open(f"/odoo/project.project/{fleet.project('Alpine Outdoor')}", ".o_form_view")
    page.get_by_role("tab", name="Database").click()
    page.get_by_role("button", name="Open in Databases").click()
    expect(page.locator(".o_databases_form")).to_be_visible()
