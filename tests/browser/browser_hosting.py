"""What the browser tests of the Hosting app share: a small fleet, its users, and what they do."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect
from screen import Screen
from support import hosting_templates
from support.hosting_fleet import HostingFleet

from fleetdev import databases, paths

ACTION = "/odoo/action-fleet_saas_server"
PICTURES = paths.RUN / "browser"
MADE_MS = 120_000
USERS = """
for name, group in (("vera", "group_hosting_user"), ("oscar", "group_hosting_operator")):
    groups = env.ref(f"fleet_saas_server.{group}").ids
    values = {"name": name.title(), "login": name, "password": name, "group_ids": [(6, 0, groups)]}
    env["res.users"].with_context(no_reset_password=True).create(values)
env["res.users"].search([]).write({"odoobot_state": "disabled"})
env.cr.commit()
"""
# A snapshot takes long enough to press something meanwhile; a parameter is never set.
SLOW = {
    "FLEET_TEST_FAILPOINTS_ALLOWED": "1",
    "FLEET_FAILPOINTS": "snapshot.check.after=sleep:15,parameters.*.before=retry",
}


class SmallHosting(HostingFleet):
    """A hosting server whose databases are as small as they can be, made of the template `browser`."""

    def __init__(self) -> None:
        # What a test asks for in vain is told on the screen, and in the log.
        refused = (r"Type \S+ to confirm\.",)
        super().__init__("browser_small", environment=SLOW, allowed=refused)

    def __enter__(self) -> SmallHosting:
        super().__enter__()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        return self

    def _prepare(self) -> None:
        from hosting.postgres import Cluster

        self.script(USERS)
        self.publish("browser")
        hosting_templates.settle(self)
        # As the readme tells the administrator; else no archive is taken in.
        Cluster().close_to_public(self.database)

    def publish(self, code: str) -> None:
        """Give it one more template, with one published version."""
        hosting_templates.publish(self, code, databases.template("tiny"))


def open_database(screen: Screen, name: str, tab: str = "Overview") -> None:
    screen.open(f"{ACTION}.saas_database_action", ".o_data_row")
    screen.cell(name, "name").click()
    expect(screen.page.locator(".o_form_view h1")).to_contain_text(name)
    screen.page.get_by_role("tab", name=tab).click()


def press(page: Page, button: str, confirm: str = "") -> None:
    """Press a button of the form, and the one of the dialog that asks whether it is meant."""
    page.locator(".o_form_view").get_by_role("button", name=button, exact=True).click()
    if confirm:
        page.locator(".modal footer").get_by_role("button", name=confirm, exact=True).click()


def ask(page: Page, button: str) -> Locator:
    """Press a button of the form and return the wizard that it opens."""
    press(page, button)
    wizard = page.locator(".modal")
    expect(wizard).to_be_visible()
    return wizard


def expect_state(page: Page, text: str) -> None:
    current = page.locator(".o_statusbar_status .o_arrow_button_current")
    expect(current.filter(visible=True)).to_have_text(text, timeout=MADE_MS)


def expect_refusal(page: Page, text: str) -> None:
    refusal = page.locator(".modal", has_text="Invalid Operation")
    expect(refusal).to_contain_text(text)
    refusal.locator("footer").get_by_role("button", name="Close").click()
    expect(refusal).to_have_count(0)
