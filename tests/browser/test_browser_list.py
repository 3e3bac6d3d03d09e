"""The list of databases: what it shows, its tiles, its searches, its buttons."""

from __future__ import annotations

import re

from browser_fleet import BrowserFleet
from playwright.sync_api import Page, expect
from screen import Screen


def test_the_list_shows_state_and_figures_of_each_database(screen: Screen) -> None:
    screen.open_list()
    expect(screen.cell("Alpine Outdoor", "database_state")).to_have_text("In order")
    expect(screen.cell("Alpine Outdoor", "database_hosting")).to_have_text("On Premise")
    expect(screen.cell("Alpine Outdoor", "database_version")).to_have_text(re.compile(r"^19\.0"))
    expect(screen.cell("Alpine Outdoor", "database_nb_users")).to_have_text("7")
    expect(screen.cell("Dune Travel", "database_state")).to_have_text("Credentials")
    expect(screen.cell("Nowhere Antiques", "database_state")).to_have_text("Unreachable")


def test_kpis_are_columns_without_being_asked_for_and_statuses_have_their_colours(
    screen: Screen,
) -> None:
    screen.open_list()
    vat = screen.kpi_cell("Alpine Outdoor", "VAT Return")
    expect(vat).to_have_text("Late")
    expect(vat.locator(".o_return_status_dot")).to_have_css("background-color", "rgb(220, 53, 69)")
    expect(screen.kpi_cell("Birch Interiors", "VAT Return")).to_have_text("To submit")
    expect(screen.kpi_cell("Alpine Outdoor", "Purchase")).to_have_text("7")
    expect(screen.cell("Alpine Outdoor", "database_nb_documents")).to_have_text("14")
    vat.locator(".o_return_status").hover()
    expect(screen.page.locator(".o-tooltip")).to_contain_text("past its deadline")


def test_every_heading_can_be_read(screen: Screen, page: Page) -> None:
    screen.open_list()
    expect(page.locator("thead th", has_text="Miscellaneous")).to_be_visible()
    cut = page.locator("thead th span.text-truncate").evaluate_all(
        "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.innerText)"
    )
    assert cut == []


def test_the_state_says_in_its_tooltip_what_went_wrong(screen: Screen) -> None:
    screen.open_list()
    screen.cell("Dune Travel", "database_state").locator(".o_database_state").hover()
    expect(screen.page.locator(".o-tooltip")).to_contain_text("Invalid apikey")


def test_a_tile_sets_its_filter_and_another_one_replaces_it(screen: Screen) -> None:
    screen.open_list()
    expect(screen.tile("all")).to_have_class(re.compile(r"\bactive\b"))
    screen.tile("credentials").click()
    expect(screen.page.locator(".o_data_row")).to_have_count(1)
    assert screen.names() == ["Dune Travel"]
    screen.tile("late").click()
    expect(screen.tile("late")).to_have_class(re.compile(r"\bactive\b"))
    expect(screen.row("Alpine Outdoor")).to_be_visible()
    assert screen.facets() == ["Late Returns"]
    screen.tile("late").click()
    expect(screen.row("Dune Travel")).to_be_visible()
    assert screen.facets() == []


def test_the_figures_of_the_tiles_are_those_of_the_list(screen: Screen) -> None:
    screen.open_list()
    for figure in ("credentials", "unreachable", "late", "drafts"):
        before = screen.tile(figure).locator(".o_fleet_tile_value").inner_text()
        screen.tile(figure).click()
        expect(screen.tile(figure)).to_have_class(re.compile(r"\bactive\b"))
        expect(screen.row("Birch Interiors")).to_have_count(0)
        if figure != "drafts":  # a sum of entries, not a count of databases
            assert len(screen.names()) == int(before), figure
    screen.tile("all").click()
    expect(screen.row("Birch Interiors")).to_be_visible()
    assert screen.facets() == []


def test_a_search_by_user_finds_the_databases_with_that_account(screen: Screen, page: Page) -> None:
    screen.open_list()
    page.locator(".o_searchview_input").fill("noah.keller")
    page.locator(".o_searchview_autocomplete .o-dropdown-item", has_text="User").first.click()
    expect(page.locator(".o_data_row")).to_have_count(1)
    assert screen.names() == ["Alpine Outdoor"]


def test_a_click_on_a_row_opens_our_own_form(screen: Screen, page: Page) -> None:
    screen.open_list()
    screen.cell("Alpine Outdoor", "name").click()
    expect(page.locator(".o_databases_form")).to_be_visible()
    expect(page.locator(".o_databases_form [name='name'] textarea")).to_have_value("Alpine Outdoor")


def test_the_kanban_shows_the_same_databases(screen: Screen, page: Page) -> None:
    screen.open_list()
    page.locator(".o_switch_view.o_kanban").click()
    card = page.locator(".o_kanban_record", has_text="Alpine Outdoor")
    expect(card.locator("[data-status='late']")).to_be_visible()
    expect(card).to_contain_text("Inbox 14")
    expect(page.locator(".o_kanban_record", has_text="Dune Travel")).to_contain_text(
        "Invalid apikey"
    )


def test_connect_opens_the_database_in_a_new_tab(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    screen.open_list()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    with page.context.expect_page() as opened:
        screen.row("Alpine Outdoor").get_by_role("button", name="Connect").click()
    opened.value.wait_for_load_state("domcontentloaded")
    assert f"{fleet.url('alpine')}/odoo" in asked
    opened.value.close()


def test_connect_opens_the_plain_url_of_what_is_outside_odoo(
    screen: Screen, page: Page, fleet: BrowserFleet
) -> None:
    url = f"{fleet.url('birch')}/web/health"
    with fleet.temporary_databases(
        [{"name": "Outside", "database_hosting": "other", "database_url": url}]
    ) as [project]:
        screen.open_form(project)
        expect(page.locator("[name='database_name']")).to_have_count(0)
        expect(page.get_by_role("button", name="Synchronize")).to_have_count(0)
        with page.context.expect_page() as opened:
            page.get_by_role("button", name="Connect").click()
        opened.value.wait_for_load_state("domcontentloaded")
        assert opened.value.url == url
        opened.value.close()


def test_a_search_without_a_find_explains_how_databases_come_here(
    screen: Screen, page: Page
) -> None:
    screen.open_list()
    page.locator(".o_searchview_input").fill("no database has this name")
    page.locator(
        ".o_searchview_autocomplete .o-dropdown-item", has_text="Search Database for"
    ).first.click()
    help_text = page.locator(".o_view_nocontent")
    expect(help_text).to_contain_text("Add the first one")
    expect(help_text).to_contain_text("CSV")
