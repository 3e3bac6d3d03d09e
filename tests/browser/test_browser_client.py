"""What people see in a hosted database: the banner, the refusal at a limit, the suspended page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from screen import DESKTOP, PHONE, TIMEOUT_MS, Screen
from support.odoo_fleet import OdooFleet
from support.trusted import PORTAL_URL, Provider

pytestmark = pytest.mark.timeout(280)
UPGRADE = f"{PORTAL_URL}/my/databases/"
NEWS = {
    "id": "news-1",
    "kind": "news",
    "text": "Version 20 <b>is here</b>: a-word-that-is-as-long-as-the-whole-width-of-a-small-phone-and-then-some",
    "link": "https://news.example.com/20",
    "link_text": "What is new",
}
WORK = {"id": "work-1", "kind": "maintenance", "text": "We work on this server tonight at 22:00."}


# Two requests of Odoo's own Discuss mark the same message as read; the server tries again.
DISCUSS_AT_ONCE = r'odoo\.sql_db: bad query: b.\s*UPDATE "discuss_channel_member"'


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    return Provider(Path(tmp_path_factory.mktemp("trust")))


@pytest.fixture(scope="module")
def hosted(provider: Provider) -> Iterator[OdooFleet]:
    environment = {"FLEET_TRUST": str(provider.anchor)}
    with OdooFleet(
        "browser_client",
        environment=environment,
        allowed=(r"odoo\.http: Your plan Starter", DISCUSS_AT_ONCE),
        hosted="hosted",
    ) as fleet:
        yield fleet


class Visit:
    """A browser in the hosted database, logged in by a ticket of the portal."""

    def __init__(self, browser: Browser, hosted: OdooFleet, provider: Provider) -> None:
        self.hosted, self.provider = hosted, provider
        self.database = hosted.database("hosted")
        self._contexts = []
        self._browser = browser

    def store(self, **content: object) -> None:
        self.provider.store(self.database, **content)

    def open(self, size: tuple[int, int] = DESKTOP, **ticket: str) -> Screen:
        """Come in as the portal sends somebody: by a form of another site that posts itself."""
        width, height = size
        context = self._browser.new_context(viewport={"width": width, "height": height})
        self._contexts.append(context)
        screen = Screen(context.new_page(), self.hosted.url("hosted"))
        self.enter(screen.page, **ticket)
        return screen

    def enter(self, page: Page, **ticket: str) -> None:
        page.set_content(
            f'<form method="post" action="{self.hosted.url("hosted")}/fleet/sso">'
            f'<input name="ticket" value="{escape(self.provider.ticket(**ticket))}"></form>'
            "<script>document.forms[0].submit()</script>"
        )

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def visit(browser: Browser, hosted: OdooFleet, provider: Provider) -> Iterator[Visit]:
    visit = Visit(browser, hosted, provider)
    yield visit
    visit.close()


def trial(days: int) -> dict[str, str]:
    return {"state": "trial", "ends": str(datetime.now(timezone.utc).date() + timedelta(days=days))}


def test_without_a_notice_the_page_is_as_it_was(visit: Visit) -> None:
    visit.store()
    screen = visit.open()
    screen.page.wait_for_selector(".o_main_navbar", timeout=4 * TIMEOUT_MS)
    assert screen.page.locator(".o_saas_notice").count() == 0
    top = screen.page.locator(".o_main_navbar").bounding_box()["y"]
    assert top == 0
    assert screen.faults == []


def test_the_banner_stands_on_top_and_what_is_harmless_goes_away(visit: Visit) -> None:
    visit.store(**trial(9), notices=[NEWS, WORK])
    screen = visit.open()
    page = screen.page
    notices = page.locator(".o_saas_notice")
    expect(notices).to_have_count(3)
    expect(notices.nth(0)).to_contain_text("Your trial has 10 days left, today included.")
    expect(notices.nth(0).get_by_role("link", name="Choose a plan")).to_have_attribute(
        "href", f"{UPGRADE}d0c0ffee-0000-4000-8000-000000000001"
    )
    expect(notices.nth(1)).to_contain_text("<b>is here</b>")  # text is text
    bar, banner = page.locator(".o_main_navbar"), page.locator(".o_saas_banner")
    assert banner.bounding_box()["y"] == 0
    assert bar.bounding_box()["y"] >= banner.bounding_box()["height"] - 1
    # Maintenance concerns everybody: it has no button.
    expect(page.get_by_role("button", name="Hide")).to_have_count(2)
    page.get_by_role("button", name="Hide").nth(1).click()
    expect(notices).to_have_count(2)
    page.reload()
    page.wait_for_selector(".o_main_navbar")
    expect(notices).to_have_count(2)
    expect(page.locator(".o_saas_banner")).not_to_contain_text("Version 20")
    assert screen.faults == []


def test_the_banner_asks_again_while_a_page_stays_open(visit: Visit) -> None:
    visit.store(**trial(9))
    screen = visit.open()
    page = screen.page
    expect(page.locator(".o_saas_notice")).to_contain_text("10 days")
    visit.store(**trial(1))
    page.evaluate("Date.now = (now => () => now() + 21 * 60 * 1000)(Date.now)")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.locator(".o_saas_notice")).to_contain_text("has 2 days left")
    assert screen.faults == []


def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    visit.store(**trial(2), notices=[NEWS, WORK])
    screen = visit.open(PHONE)
    screen.page.wait_for_selector(".o_saas_notice >> nth=2")
    screen.page.wait_for_selector(".o_main_navbar")
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert screen.page.locator(".o_saas_banner").bounding_box()["height"] <= PHONE[1] * 0.4
    assert screen.faults == []


def test_a_refused_user_is_shown_the_way_to_a_larger_plan(visit: Visit) -> None:
    count = visit.provider.query(
        visit.database, "SELECT count(*) FROM res_users WHERE active AND NOT share"
    )[0][0]
    visit.store(limits={"users": count})
    screen = visit.open(redirect="/odoo/users/new")
    page = screen.page
    expect(page.locator(".o_saas_notice")).to_contain_text(f"{count} of the {count} users")
    page.locator("div[name='name'] input").fill("One Too Many")
    page.locator("div[name='login'] input").fill("one@example.com")
    page.get_by_role("button", name="Save").first.click()
    dialog = page.locator(".o_error_dialog")
    expect(dialog).to_contain_text(f"is for {count} users, and this would make {count + 1}")
    link = dialog.get_by_role("link", name="Change the plan")
    assert link.get_attribute("href").startswith(UPGRADE)
    dialog.get_by_role("button", name="Close").last.click()


def test_a_suspended_database_shows_one_page_and_lets_an_operator_in(visit: Visit) -> None:
    visit.store()
    screen = visit.open()
    screen.page.wait_for_selector(".o_main_navbar")
    visit.store(state="suspended")
    screen.page.goto(f"{screen.base}/odoo")
    expect(screen.page.get_by_role("heading")).to_have_text("This database is suspended")
    link = screen.page.get_by_role("link", name="Go to the portal")
    assert link.get_attribute("href").startswith(UPGRADE)
    operator = visit.open(operator="Olga Operator", reason="Ticket 4711")
    expect(operator.page.locator(".o_saas_notice")).to_contain_text("This database is suspended")
    expect(operator.page.locator(".o_main_navbar")).to_be_visible()
    visit.store()
    page = operator.page
    page.goto(f"{screen.base}/odoo/action-fleet_saas_client.saas_access_action")
    expect(page.locator(".o_data_row").first).to_contain_text("Ticket 4711")
    expect(page.locator(".o_list_button_add")).to_have_count(0)


def test_the_login_page_leads_to_the_portal(visit: Visit) -> None:
    visit.store()
    screen = visit.open()
    screen.page.context.clear_cookies()
    screen.page.goto(f"{screen.base}/web/login")
    link = screen.page.get_by_role("link", name="Log in through Good Hosting")
    assert link.get_attribute("href").startswith(f"{PORTAL_URL}/my/databases/connect/")
