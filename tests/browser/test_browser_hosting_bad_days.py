"""The buttons of the Hosting app for days that do not go as planned: stop, go back, take in, drop."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from browser_hosting import (
    ACTION,
    MADE_MS,
    PICTURES,
    SmallHosting,
    ask,
    expect_refusal,
    expect_state,
    open_database,
    press,
)
from playwright.sync_api import Browser, Page, expect
from screen import DESKTOP, Screen, Visitors

PINE, OAK = f"pine-{os.getpid()}", f"oak-{os.getpid()}"


@pytest.fixture(scope="module")
def hosting(small_hosting: SmallHosting) -> SmallHosting:
    """A hosting server with one database."""
    small_hosting.run("create", PINE, {"template": "browser"})
    return small_hosting


@pytest.fixture(scope="module")
def users(hosting: SmallHosting, browser: Browser) -> Visitors:
    return Visitors(browser, f"http://127.0.0.1:{hosting.control.port}")


@pytest.fixture
def screen(request: pytest.FixtureRequest, users: Visitors) -> Iterator[Screen]:
    """The app as an operator. A fault that the browser's console tells fails the test."""
    screen = users.open("oscar", "oscar", DESKTOP)
    yield screen
    PICTURES.mkdir(parents=True, exist_ok=True)
    screen.page.screenshot(path=PICTURES / f"{request.node.name}.png")
    screen.page.close()
    assert screen.faults == []


def take_snapshot(screen: Screen) -> Page:
    open_database(screen, PINE)
    wizard = ask(screen.page, "Snapshot…")
    wizard.get_by_role("button", name="Take the Snapshot", exact=True).click()
    expect(screen.page.locator(".o_saas_steps")).to_be_visible()
    return screen.page


def archive(screen: Screen) -> Page:
    open_database(screen, PINE, "Manage")
    wizard = ask(screen.page, "Archive…")
    wizard.get_by_role("button", name="Archive", exact=True).click()
    expect_state(screen.page, "Done")
    open_database(screen, PINE, "Manage")
    return screen.page


def test_what_runs_is_cancelled_and_then_tried_again(screen: Screen, hosting: SmallHosting) -> None:
    page = take_snapshot(screen)
    press(page, "Cancel", "Cancel the Operation")
    expect_state(page, "Cancelled")
    assert not [name for name in hosting.made() if "_snapshot_" in name]
    press(page, "Retry")
    expect_state(page, "Done")
    assert len([name for name in hosting.made() if "_snapshot_" in name]) == 1


def test_who_gives_up_has_nothing_tried_again(screen: Screen) -> None:
    page = screen.page
    open_database(screen, PINE, "Manage")
    wizard = ask(page, "Set a System Parameter…")
    wizard.locator("[name='key'] input").fill("acme.colour")
    wizard.locator("[name='value'] input").fill("green")
    wizard.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".o_saas_wait")).to_contain_text("It will be tried again", timeout=MADE_MS)
    press(page, "Give Up", "Give Up")
    expect_state(page, "Cancelled")


def test_a_restore_waits_for_what_runs_and_says_for_what(
    screen: Screen, hosting: SmallHosting
) -> None:
    hosting.run("backup", PINE)
    query = "INSERT INTO ir_config_parameter (key, value) VALUES ('acme.after', 'x') RETURNING id"
    hosting.rows(query, database=PINE)
    page = take_snapshot(screen)
    open_database(screen, PINE)
    wizard = ask(page, "Restore…")
    wizard.get_by_label("Over the database itself").check()
    expect(wizard).to_contain_text("disappears from view")
    wizard.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator(".o_saas_wait")).to_contain_text(f"Take a Snapshot of {PINE}")
    expect_state(page, "Done")
    after = "SELECT 1 FROM ir_config_parameter WHERE key = 'acme.after'"
    assert hosting.rows(after, database=PINE) == []
    assert hosting.get(PINE).status_code == 200


def test_an_archive_is_taken_in_as_a_database_of_its_own(
    screen: Screen, hosting: SmallHosting
) -> None:
    page = screen.page
    open_database(screen, PINE, "Manage")
    press(page, "Export as Zip")
    expect_state(page, "Done")
    (exported,) = hosting.data_dir.glob(f"fleet/*/{PINE}-*.zip")
    screen.open(f"{ACTION}.saas_database_action", ".o_data_row")
    page.get_by_role("button", name="Databases", exact=True).click()
    page.get_by_role("menuitem", name="Import an Archive…").click()
    wizard = page.locator(".modal")
    wizard.locator("input[type=file]").set_input_files(exported)
    wizard.locator("[name='name'] input").fill(OAK)
    wizard.get_by_role("button", name="Import", exact=True).click()
    expect_state(page, "Done")
    assert hosting.get(OAK).status_code == 200


def test_what_was_archived_comes_back(screen: Screen, hosting: SmallHosting) -> None:
    page = archive(screen)
    assert hosting.get(PINE).status_code == 503
    press(page, "Undelete")
    expect_state(page, "Done")
    assert hosting.get(PINE).status_code == 200


def test_a_database_is_dropped_after_its_final_backup_by_who_types_its_name(
    screen: Screen, hosting: SmallHosting
) -> None:
    page = archive(screen)
    press(page, "Final Backup")
    expect_state(page, "Done")
    open_database(screen, PINE)
    wizard = ask(page, "Drop…")
    wizard.locator("[name='without_grace'] input").check()
    wizard.locator("[name='confirm'] input").fill(OAK)
    wizard.get_by_role("button", name="Drop", exact=True).click()
    expect_refusal(page, f"Type {PINE} to confirm.")
    wizard.locator("[name='confirm'] input").fill(PINE)
    wizard.get_by_role("button", name="Drop", exact=True).click()
    expect_state(page, "Done")
    assert hosting.rows("SELECT state FROM saas_database WHERE name = %s", PINE) == [("dropped",)]
    assert not [name for name in hosting.made() if "_snapshot_" in name or name == PINE]
    assert hosting.get(PINE).status_code == 404
