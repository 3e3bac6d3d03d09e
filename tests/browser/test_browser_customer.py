"""What a customer does with the own databases on the pages of the portal, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from browser_saas import ACME, ANN, SaasScreens, fits, who
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from screen import DESKTOP, PHONE, TIMEOUT_MS, Screen

pytestmark = pytest.mark.timeout(280)
MADE_MS = 120_000
BOB = "bob@acme.example"
STAGING = f"{ACME}-staging"


class Customers:
    """Opens the portal as one of its customers, each logged in once a size."""

    def __init__(self, saas: SaasScreens, browser: Browser) -> None:
        self.saas, self.browser = saas, browser
        self.known: dict[tuple, BrowserContext] = {}

    def open(self, login: str, size: tuple[int, int]) -> Screen:
        if (login, size) not in self.known:
            self.known[login, size] = self._log_in(login, size)
        return Screen(self.known[login, size].new_page(), self.saas.url())

    def _log_in(self, login: str, size: tuple[int, int]) -> BrowserContext:
        width, height = size
        is_phone = size == PHONE
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.goto(f"{self.saas.url()}/web/login?redirect=/my/databases")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", login)
        page.click("button[type=submit]")
        page.wait_for_url("**/my/databases")
        page.close()
        return context


@pytest.fixture(scope="module")
def customers(saas: SaasScreens, browser: Browser) -> Iterator[Customers]:
    customers = Customers(saas, browser)
    yield customers
    for context in customers.known.values():
        context.close()


@pytest.fixture
def open_as(customers: Customers) -> Iterator[Callable[..., Screen]]:
    """Open ``/my/databases`` as a customer. A fault in the browser's console fails the test."""
    screens: list[Screen] = []

    def open_as(login: str = ANN, size: tuple[int, int] = DESKTOP) -> Screen:
        screens.append(customers.open(login, size))
        screens[-1].open("/my/databases", "h1")
        return screens[-1]

    yield open_as
    # What cannot be done is told on the page, with this status.
    faults = [fault for screen in screens for fault in screen.faults if "422" not in fault]
    for screen in screens:
        screen.page.close()
    assert faults == []


@pytest.fixture
def page(open_as: Callable[..., Screen]) -> Page:
    """Acme's page of its database, as Ann sees it."""
    page = open_as().page
    page.get_by_role("link", name=ACME, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ACME)
    return page


def card(page: Page, heading: str) -> Locator:
    """Return the part of the page that has this heading."""
    return page.locator("section", has=page.get_by_role("heading", name=heading, exact=True))


def said(page: Page) -> Locator:
    return page.locator(".alert-success")


def wait_quiet(saas: SaasScreens, name: str = ACME) -> None:
    """Wait until nothing is under way for a database."""
    saas.wait_state(saas.instance(name), "active", "suspended", "archived")


def test_the_list_and_the_page_tell_usage_limits_and_invoices(
    open_as: Callable[..., Screen], saas: SaasScreens
) -> None:
    saas.pay(ACME)
    page = open_as().page
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=ACME, exact=True))
    expect(row).to_contain_text("It works.")
    expect(row).to_contain_text("Starter")
    expect(row).to_contain_text("of 3")
    # What belongs to others is not there.
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name=ACME, exact=True).click()
    expect(card(page, "Usage").get_by_role("progressbar")).to_have_count(2)
    expect(card(page, "Usage")).to_contain_text("of 3")
    plan = card(page, "Plan and invoices")
    expect(plan).to_contain_text("Starter: $ 19.00 / Month")
    expect(plan).to_contain_text("Paid")
    plan.get_by_role("link", name="INV/").click()
    expect(page.locator(".breadcrumb")).to_contain_text("INV/")


def test_log_in_leads_into_the_database_without_a_password(page: Page) -> None:
    page.get_by_role("link", name="Log in", exact=True).click()
    page.wait_for_url(f"http://{ACME}.localhost:*/odoo**", timeout=MADE_MS)
    expect(page.locator(".o_main_navbar")).to_be_visible(timeout=MADE_MS)
    assert who(page) == ANN


def test_a_backup_is_taken_and_restored_as_a_staging_copy(page: Page, saas: SaasScreens) -> None:
    backups = card(page, "Backups")
    expect(backups).to_contain_text("There is no backup in the list yet.")
    backups.get_by_role("button", name="Back up now").click()
    expect(said(page)).to_contain_text("The backup is being taken")
    wait_quiet(saas)
    assert not saas.read("saas.instance", saas.instance(ACME), "problem")["problem"]
    saas.synchronize(lambda: saas.rows("SELECT id FROM saas_instance_point WHERE kind = 'backup'"))
    page.reload()
    expect(backups.get_by_role("listitem")).to_have_count(1)
    backups.get_by_role("button", name="Restore as a staging copy").click()
    expect(said(page)).to_contain_text("A staging copy is being made")
    wait_quiet(saas, STAGING)
    page.goto(f"{saas.url()}/my/databases")
    copy = page.get_by_role("row", name=STAGING)
    expect(copy).to_contain_text("(staging copy)")
    # It has no plan, and its figures stand below their headings all the same.
    expect(copy.get_by_role("cell")).to_have_count(5)


def test_people_are_invited_with_a_role_and_see_what_it_lets_them(
    page: Page, open_as: Callable[..., Screen], saas: SaasScreens
) -> None:
    users = card(page, "Users")
    users.get_by_label("E-mail").fill(BOB)
    users.get_by_label("Role").select_option("viewer")
    users.get_by_role("button", name="Invite").click()
    expect(said(page)).to_contain_text("The invitation is on its way.")
    assert saas.wait_mail(BOB)
    expect(users.get_by_role("listitem").filter(has_text=BOB)).to_contain_text("Viewer")
    saas.set_password(BOB)
    bob = open_as(BOB).page
    bob.get_by_role("link", name=ACME, exact=True).click()
    expect(card(bob, "Usage")).to_be_visible()
    for heading in ("Backups", "Users", "End of this database", "Plan and invoices"):
        expect(card(bob, heading)).to_have_count(0)
    expect(bob.get_by_role("link", name="Log in", exact=True)).to_have_count(0)
    users.get_by_role("button", name=f"Remove {BOB}").click()
    expect(said(page)).to_contain_text("The user has been removed.")
    bob.goto(f"{saas.url()}/my/databases")
    expect(bob.get_by_role("status")).to_contain_text("You have no database yet.")


def test_a_host_name_is_asked_for_and_given_up(page: Page) -> None:
    names = card(page, "Your own host names")
    names.get_by_label("Host name").fill("erp.acme.example")
    names.get_by_role("button", name="Add").click()
    expect(said(page)).to_contain_text("prove that it is yours")
    expect(names.get_by_role("listitem")).to_contain_text("TXT")
    names.get_by_role("button", name="Remove erp.acme.example").click()
    expect(said(page)).to_contain_text("The host name has been removed.")
    expect(names.get_by_role("listitem")).to_have_count(0)


def test_it_is_cancelled_by_its_name_only_and_kept_again(page: Page) -> None:
    end = card(page, "End of this database")
    end.get_by_label("to cancel it").fill("something else")
    end.get_by_role("button", name="Cancel this database").click()
    expect(page.locator(".alert-danger")).to_contain_text(f"Type the name “{ACME}” to cancel it.")
    end.get_by_label("to cancel it").fill(ACME)
    end.get_by_role("button", name="Cancel this database").click()
    expect(said(page)).to_have_text("The database is cancelled.")
    expect(end).to_contain_text("It is cancelled. Its last day is")
    end.get_by_role("button", name="Keep it").click()
    expect(said(page)).to_have_text("The cancellation is taken back.")
    expect(end.get_by_role("button", name="Cancel this database")).to_be_visible()


def test_what_has_ended_is_brought_back(page: Page, saas: SaasScreens) -> None:
    end = card(page, "End of this database")
    end.get_by_label("to cancel it").fill(ACME)
    end.get_by_role("button", name="Cancel this database").click()
    expect(said(page)).to_be_visible()
    saas.end(ACME)
    page.reload()
    expect(end).to_contain_text("It can be brought back until")
    end.get_by_role("button", name="Bring it back").click()
    expect(said(page)).to_have_text(re.compile("brought back|taken back"))
    expect(page.get_by_text("Ask us if you need it back")).to_have_count(0)
    saas.wait_state(saas.instance(ACME), "active")
    assert saas.servers["one"].get(ACME).status_code == 200


def test_on_a_phone_nothing_is_wider_than_the_screen(
    open_as: Callable[..., Screen], saas: SaasScreens
) -> None:
    page = open_as(size=PHONE).page
    assert fits(page)
    page.get_by_role("link", name=ACME, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ACME)
    assert fits(page)
    page.goto(f"{saas.url()}/my/home")
    expect(page.get_by_role("link", name="Databases")).to_be_visible()
    assert fits(page)
