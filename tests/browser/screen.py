"""What a person does on a screen of the Databases app."""

from __future__ import annotations

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Response,
    expect,
)

DESKTOP = (1400, 900)
PHONE = (390, 844)
TIMEOUT_MS = 30_000


class Screen:
    """A page of the portal and the faults that its browser told."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # The plain page of a report names no icon, so the browser asks for one by itself.
        if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
            self.faults.append(f"console: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def open(self, path: str, wait: str) -> None:
        self.page.goto(f"{self.base}{path}")
        self.page.wait_for_selector(wait)

    def open_list(self) -> None:
        self.open("/odoo/databases", ".o_list_renderer .o_data_row")

    def open_form(self, project_id: int) -> None:
        self.open(f"/odoo/databases/{project_id}", ".o_databases_form")

    def row(self, name: str) -> Locator:
        """Return the row of a list that has a cell of exactly this text."""
        cell = self.page.get_by_role("cell", name=name, exact=True)
        return self.page.locator(".o_data_row").filter(has=cell)

    def cell(self, name: str, field: str) -> Locator:
        return self.row(name).locator(f"td[name='{field}']")

    def kpi_cell(self, name: str, heading: str) -> Locator:
        """Return the cell of a KPI's column, found by its heading."""
        headings = self.page.locator("thead th[data-name^='database_kpi_properties.']")
        column = headings.filter(has_text=heading).get_attribute("data-name")
        return self.cell(name, column)

    def select(self, *names: str) -> None:
        for name in names:
            self.row(name).locator(".o_list_record_selector input").check()
        expect(self.page.locator(".o_selection_box")).to_contain_text(str(len(names)))

    def tile(self, figure: str) -> Locator:
        return self.page.locator(f".o_fleet_tile[data-figure='{figure}']")

    def facets(self) -> list[str]:
        return self.page.locator(".o_searchview_facet .o_facet_value").all_inner_texts()

    def names(self) -> list[str]:
        """Return the databases that the list shows, in its order."""
        return self.page.locator(".o_data_row td[name='name']").all_inner_texts()

    def choose(self, field: str, text: str) -> None:
        """Choose a record in a field of tags, as a person does: type, then click."""
        self.page.locator(f".modal div[name='{field}'] input").fill(text)
        self.page.locator(".o-autocomplete--dropdown-item", has_text=text).first.click()

    def result(self, database: str) -> Locator:
        """Return the line of a run's form that is about ``database``."""
        return self.page.locator(".o_databases_lines .o_data_row", has_text=database)


class Visitors:
    """Opens screens of one server. Who signed in once stays so, and keeps the assets too."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._known: dict[tuple, BrowserContext] = {}

    def open(self, login: str, password: str, size: tuple[int, int]) -> Screen:
        """Open an empty screen for a user; the size decides whether it is a phone."""
        if (login, size) not in self._known:
            self._known[login, size] = self._sign_in(login, password, size)
        return Screen(self._known[login, size].new_page(), self._url)

    def _sign_in(self, login: str, password: str, size: tuple[int, int]) -> BrowserContext:
        width, height = size
        is_phone = width < 500
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.goto(f"{self._url}/web/login")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        page.wait_for_selector(".o_main_navbar", timeout=4 * TIMEOUT_MS)
        page.close()
        return context
