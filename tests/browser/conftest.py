import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(HERE)]

from browser_fleet import BrowserFleet, keep_running  # noqa: E402
from browser_hosting import SmallHosting  # noqa: E402
from browser_saas import SaasScreens  # noqa: E402
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402
from screen import DESKTOP, TIMEOUT_MS, Screen, Visitors  # noqa: E402
from support.odoo_fleet import RIVALS  # noqa: E402

from fleetdev import chromium, databases, odoo_log, paths, postgres, setup  # noqa: E402

PICTURES = paths.RUN / "browser"
# By itself it waits 5 s, which a busy machine takes for a page.
expect.set_options(timeout=TIMEOUT_MS)
EXPECTED_IN_LOG = (
    # Two tabs of one user read messages at once.
    RIVALS,
    # A test enters a URL twice, and the database refuses it.
    r'bad query: .*INSERT INTO "project_project"',
    r"Another database already has this URL",
)
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def fleet() -> Iterator[BrowserFleet]:
    """The portal and its clients, synchronised once."""
    os.environ.setdefault(setup.INSIDE, str(paths.VENV))
    setup.services()
    fleet = BrowserFleet()
    try:
        fleet.start()
        fleet.add_user("Rita Reader", "rita@northwind.example.com", "group_databases_user")
        yield fleet
        assert odoo_log.unexpected(fleet.log.read_text(errors="replace"), EXPECTED_IN_LOG) == []
    finally:
        if not keep_running():
            fleet.stop_at_once()
            for name in postgres.names(f"{fleet.name}_"):
                databases.drop(name)


@pytest.fixture(scope="session")
def saas() -> Iterator[SaasScreens]:
    """A SaaS portal with a hosting server and customers; it takes a minute to come."""
    sys.path.append(str(paths.ADDONS / "fleet_saas_server"))
    with SaasScreens() as saas:
        yield saas


@pytest.fixture(scope="session")
def small_hosting() -> Iterator[SmallHosting]:
    """A hosting server with a small template, for what takes long or goes wrong."""
    sys.path.append(str(paths.ADDONS / "fleet_saas_server"))
    with SmallHosting() as hosting:
        yield hosting


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.ensure(), args=list(chromium.FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visitors(fleet: BrowserFleet, browser: Browser) -> Visitors:
    return Visitors(browser, fleet.url("portal"))


@pytest.fixture
def open_screen(
    request: pytest.FixtureRequest, visitors: Visitors
) -> Iterator[Callable[..., Screen]]:
    """Open the portal as a user. A fault that the browser's console tells fails the test."""
    screens: list[Screen] = []

    def open_as(
        login: str = "admin", password: str = "admin", size: tuple[int, int] = DESKTOP
    ) -> Screen:
        screens.append(visitors.open(login, password, size))
        return screens[-1]

    yield open_as
    for screen in screens:
        if request.node.stash.get(FAILED, False):
            PICTURES.mkdir(parents=True, exist_ok=True)
            screen.page.screenshot(path=PICTURES / f"{request.node.name}.png")
        screen.page.close()
    assert [fault for screen in screens for fault in screen.faults] == []


@pytest.fixture
def screen(open_screen: Callable[..., Screen]) -> Screen:
    """The portal as its administrator."""
    return open_screen()


@pytest.fixture
def page(screen: Screen) -> Page:
    return screen.page


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    if outcome.get_result().failed:
        item.stash[FAILED] = True
