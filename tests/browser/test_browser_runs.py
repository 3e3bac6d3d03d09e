"""Synchronise, invite and remove: on real databases, in the foreground and in the background."""

from __future__ import annotations

import re

from browser_fleet import BrowserFleet
from playwright.sync_api import Page, expect
from screen import Screen

SOFIA = "sofia.rossi@northwind.example.com"
MIA = "mia.laurent@northwind.example.com"


def test_a_row_is_synchronized_while_one_waits(screen: Screen, page: Page) -> None:
    screen.open_list()
    screen.row("Birch Interiors").locator("button[name='action_synchronize']").click()
    expect(page.locator(".o_notification")).to_contain_text("1 database(s) synchronized.")
    expect(page.locator(".o_notification_bar.bg-success")).to_be_visible()


def test_what_failed_is_named_with_its_reason(screen: Screen, page: Page) -> None:
    screen.open_list()
    screen.select("Birch Interiors", "Nowhere Antiques")
    page.locator(".o_control_panel").get_by_role("button", name="Synchronize").click()
    notice = page.locator(".o_notification")
    expect(notice).to_contain_text("1 database(s) synchronized.")
    expect(notice).to_contain_text("Nowhere Antiques: Nothing answers at")


def test_many_databases_go_on_in_the_background_with_their_progress(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    many = [
        {
            "name": f"Absent {number:02}",
            "database_hosting": "premise",
            "database_url": f"http://absent{number}.localhost:9",
            "database_name": "absent",
            "database_api_login": "admin",
            "database_api_key": "no-key",
        }
        for number in range(21)
    ]
    with fleet.temporary_databases(many):
        screen.open_list()
        page.locator(".o_control_panel").get_by_role("button", name="Synchronize").click()
        panel = page.locator(".o_fleet_run")
        expect(panel).to_contain_text("Synchronization #")
        page.reload()
        expect(panel).to_contain_text("Synchronization #")
        expect(panel).to_have_attribute("data-state", "done", timeout=30_000)
        expect(panel).to_contain_text(re.compile(r"\d+ done, 2[2-4] failed"))
        expect(screen.cell("Absent 00", "database_state")).to_have_text("Unreachable")
        panel.get_by_role("button", name="Results").click()
        expect(page.locator(".o_form_view [name='state']").first).to_be_visible()
        expect(screen.result("Absent 07")).to_contain_text("Nothing answers at")
        expect(page.locator(".o_fleet_run")).to_have_count(0)
        fleet.wait_until_idle()


def test_inviting_makes_accounts_and_a_second_time_changes_nothing(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    mails = fleet.mails("birch")
    for expected in ("Done", "Already there"):
        screen.open_list()
        screen.select("Birch Interiors", "Nowhere Antiques")
        page.get_by_role("button", name="Invite Users").click()
        expect(page.locator(".modal")).to_contain_text("Nobody is sent an e-mail")
        screen.choose("user_ids", "Sofia Rossi")
        page.locator(".modal").get_by_role("button", name="Invite").click()
        expect(screen.result("Birch Interiors")).to_contain_text(expected)
        expect(screen.result("Nowhere Antiques")).to_contain_text("Nothing answers at")
        expect(page.get_by_role("button", name="Try Again What Failed")).to_be_visible()
    assert fleet.account("birch", SOFIA) is True
    assert fleet.mails("birch") == mails


def test_the_bin_removes_an_account_from_every_database_and_a_report_tells(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_form(fleet.project("Birch Interiors"))
    mia = page.locator(".o_databases_users .o_data_row", has_text=MIA)
    mia.locator("button[name='action_remove']").click()
    preview = page.locator(".modal .o_databases_preview")
    expect(preview).to_have_text(f"{MIA}: Birch Interiors")
    page.locator(".modal [name='everywhere'] input").check()
    expect(preview).to_contain_text("Alpine Outdoor")
    page.locator(".modal").get_by_role("button", name="Remove").click()
    expect(screen.result("Birch Interiors")).to_contain_text("Done")
    expect(screen.result("Alpine Outdoor")).to_contain_text("Done")
    assert fleet.account("birch", MIA) is False
    assert fleet.account("alpine", MIA) is False

    run = re.search(r"/(\d+)$", page.url.split("?")[0])
    page.goto(
        f"{fleet.url('portal')}/report/html/fleet_databases.report_databases_run/{run.group(1)}"
    )
    report = page.locator("body")
    for text in (
        "Off-boarding Report",
        "Mia Laurent",
        "Alpine Outdoor",
        fleet.url("birch"),
        "Complete:",
    ):
        expect(report).to_contain_text(text)


def test_an_account_that_was_removed_is_reactivated_by_an_invitation(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    noah = "noah.keller@northwind.example.com"
    screen.open_form(fleet.project("Alpine Outdoor"))
    page.locator(".o_databases_users .o_data_row", has_text=noah).locator(
        "button[name='action_remove']"
    ).click()
    page.locator(".modal").get_by_role("button", name="Remove").click()
    expect(screen.result("Alpine Outdoor")).to_contain_text("Done")
    assert fleet.account("alpine", noah) is False
    screen.open_form(fleet.project("Alpine Outdoor"))
    expect(page.locator(".o_databases_users")).not_to_contain_text(noah)
    page.get_by_role("button", name="Invite Users").click()
    screen.choose("user_ids", "Noah Keller")
    page.locator(".modal").get_by_role("button", name="Invite").click()
    expect(screen.result("Alpine Outdoor")).to_contain_text("Done")
    assert fleet.account("alpine", noah) is True


def test_every_run_is_kept_with_its_results(screen: Screen, page: Page) -> None:
    screen.open("/odoo/action-fleet_databases.databases_run_action", ".o_list_renderer")
    expect(page.locator(".o_data_row", has_text="Synchronization").first).to_be_visible()
