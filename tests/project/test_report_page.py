"""report.html in a real browser: what it shows, its filter, its keys, and that nothing foreign is loaded or run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils import _report
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.plugin_utils import _html
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.project.report_fleet import NOW, fleet, history, step
from tests.project.tree import ROOT

pytestmark = pytest.mark.slow

#: Screenshots stay here; git ignores it.
PICTURES = ROOT / "tests" / "output" / "report"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1600",
)


class Page:
    """A report in the browser."""

    def __init__(self, driver: Chrome, folder: Path) -> None:
        self.driver = driver
        self.folder = folder

    def show(self, text: str) -> None:
        file = self.folder / "report.html"
        file.write_text(text, encoding="utf-8")
        self.driver.get(file.as_uri())

    def texts(self, where: str) -> list[str]:
        # One question for all: a call of the driver for each of many elements takes longer than the rest of a test.
        script = "return Array.from(document.querySelectorAll(arguments[0]), each => each.innerText.trim())"
        found: list[str] = self.driver.execute_script(script, where)
        return found

    def click(self, where: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, where).click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def wait(self, where: str) -> None:
        """Until something is there: the browser tells of an opened element later."""
        WebDriverWait(self.driver, 30).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, where))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str) -> object:
        return self.driver.execute_script(script)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
    yield started
    started.quit()


@pytest.fixture
def page(driver: Chrome, tmp_path: Path) -> Iterator[Page]:
    made = Page(driver, tmp_path)
    yield made
    # Whatever a test did: nothing was complained of, and nothing was fetched.
    assert driver.get_log("browser") == []
    assert made.run("return performance.getEntriesByType('resource').map(each => each.name)") == []


def test_the_sections_are_in_order_and_tell_all(page: Page) -> None:
    hosts = fleet(20)
    page.show(_html.page(hosts, NOW, False, history("hn0007")))
    assert page.texts("h2") == [
        "By kind of finding",
        "By host",
        "What was not done",
        "What came back within 30 days",
    ]
    assert page.texts("#fleet") == [_report.recap(hosts)]
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#bar rect")) == 6
    row = next(text for text in page.texts("#kinds tbody tr") if text.startswith("wds.namespace.missing"))
    assert "hn[0001-0002," in row
    undone = page.texts("#undone tbody tr")
    assert any("wds_multicast_allow_reinstall: true" in text for text in undone)
    assert any("No route to host" in text for text in undone)
    assert page.texts("#recurring tbody tr td:first-child") == ["third time in 30 days on hn0007"]
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "svg.days rect.hit")) == 3
    assert page.texts("#count") == ["20 of 20 hosts"]
    # The worst first.
    assert [text.split("\n")[1] for text in page.texts("#list summary")[:3]] == ["failed", "failed", "needs a person"]
    page.picture("light")
    page.scheme("dark")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    page.picture("dark")
    page.scheme("light")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_host_tells_its_story(page: Page) -> None:
    page.show(_html.page([each for each in fleet(10) if each.outcome == "repaired"][:1], NOW, False))
    page.click("#list summary")
    page.wait("#list details[open] li")
    items = page.texts("#list details[open] ol.line > li")
    assert len(items) == 3
    assert items[0].upper().startswith("FINDING, ERROR")
    assert "event 771" in items[0]
    assert "Create namespace HN-CCP" in items[1]
    assert "namespace: HN-CCP" in items[1]
    assert "looked at again afterwards: this finding is gone" in items[2]
    assert items[2].upper().startswith("VERIFIED")
    page.picture("host")


def test_filter_and_search(page: Page) -> None:
    hosts = fleet(40)
    page.show(_html.page(hosts, NOW, False))
    page.click("button[data-outcome=needs_person]")
    wanted = {each.name for each in hosts if each.outcome == "needs_person"}
    assert set(page.texts("#list summary b")) == wanted
    assert (
        page.run("return document.querySelector('[data-outcome=needs_person]').getAttribute('aria-pressed')") == "true"
    )
    page.click("#search")
    page.press("fog.log")
    silent = [each.name for each in hosts if each.before and each.before[0]["id"] == "fog.log.silent"]
    assert page.texts("#list summary b") == silent
    page.press(Keys.ESCAPE)
    assert page.texts("#count") == ["40 of 40 hosts"]
    page.press("hn0001")
    assert page.texts("#list summary b") == ["hn0001"]
    page.press("nothing like it")
    assert page.texts("#count") == ["0 of 40 hosts"]


def test_everything_works_from_the_keyboard(page: Page) -> None:
    page.show(_html.page(fleet(12), NOW, False))
    page.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    assert page.run("return document.activeElement.id") == "search"
    assert page.run("return document.activeElement.value") == ""
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    second = page.texts("#list summary b")[1]
    assert page.run("return document.activeElement.querySelector('b').textContent") == second
    page.press(Keys.ENTER)
    page.wait("#list details[open] li")
    page.press(Keys.ENTER)
    assert page.texts("#list details[open]") == []
    page.press(Keys.ARROW_UP, Keys.ARROW_UP)
    assert page.run("return document.activeElement.id") == "search"
    page.press(Keys.TAB, Keys.TAB, Keys.ENTER)
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    assert page.texts("#count") != ["12 of 12 hosts"]


@pytest.mark.parametrize("count", [1, 1000])
def test_one_host_and_a_thousand(page: Page, count: int) -> None:
    text = _html.page(fleet(count), NOW, True, history("hn0001"))
    assert len(text.encode()) < 3_000_000
    page.show(text)
    assert page.texts("#count") == [f"{count} of {count} hosts"]
    assert "Check mode" in page.texts("header")[0]
    assert len(page.texts("#list summary b")) == min(count, 100)
    if count > 100:
        page.click("#more")
        assert page.run("return document.querySelectorAll('#list summary').length") == count
        assert page.run("return document.querySelector('#more').hidden") is True
        page.driver.find_element(By.ID, "search").send_keys("hn0998")
        assert page.texts("#list summary b") == ["hn0998"]
    page.picture(f"hosts-{count}")


def test_paper_has_the_details_of_what_is_not_in_order(page: Page) -> None:
    hosts = fleet(10)
    page.show(_html.page(hosts, NOW, False))
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 10_000
    healthy = sum(each.outcome == "healthy" for each in hosts)
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#list details[open]")) == 10 - healthy


HOSTILE = (
    "<script>window.broken = 1</script>",
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    '"><svg/onload=window.broken=1>',
    "<!--<script>",
    "javascript:window.broken=1",
    "a\u2028b\u202ec\x00d",
    "${window.broken=1}",
)


def test_nothing_hostile_runs_or_changes_the_page(page: Page) -> None:
    hosts = []
    for number, text in enumerate(HOSTILE):
        bad = finding("fog.session.stale", text, text, (text, text), cause=text, repair=text, gate=text).as_dict()
        done = dict(step(text, text, "fog.session.stale"), before={text: text}, after={text: [text]}, detail=text)
        stuck = dict(done, outcome="failed", gate=text)
        hosts.append(_report.Host(f"{number}{text}", "fog", _report.BROKEN_RUN, (bad,), (bad,), (done, stuck)))
    page.show(_html.page(hosts, NOW, False, history(HOSTILE[0])))
    page.run("document.querySelectorAll('#list details').forEach(each => { each.open = true; })")
    page.wait("#list details:last-child[open] li")
    assert page.run("return window.broken") is None
    assert page.run("return document.querySelectorAll('script').length") == 2
    assert page.run("return document.querySelectorAll('img, main svg:not(.days), iframe, a').length") == 0
    shown = page.run("return Array.from(document.querySelectorAll('#list summary b'), each => each.textContent)")
    assert json.dumps(shown) == json.dumps([each.name for each in hosts])
