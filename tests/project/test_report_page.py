"""report.html in a real browser: what it shows, its filter, its keys, and that nothing foreign is loaded or run."""

import json
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.plugin_utils import _html, _report
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.project.report_fleet import NOW, fleet, history, host, step
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

    def whole_picture(self, name: str, width: int) -> None:
        """All of the page, however long."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(b64decode(taken["data"]))

    def scheme(self, name: str, media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def run(self, script: str) -> object:
        return self.driver.execute_script(script)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # A home of its own: it would keep crash reports in ~/.config.
    env = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
    started = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver", env=env))
    yield started
    started.quit()


@pytest.fixture
def page(driver: Chrome, tmp_path: Path) -> Iterator[Page]:
    made = Page(driver, tmp_path)
    yield made
    made.scheme("light")
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
    assert page.texts("#sentence")[0].startswith("8 of 20 hosts need attention: 4 need a person, 2 failed, 2 did not ")
    assert any(text.startswith("unreachable 2 the host did not answer") for text in page.texts(".key li"))
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#bar rect")) == 6
    row = next(text for text in page.texts("#kinds tbody tr") if "wds.namespace.missing" in text)
    assert "hn[0001-0002," in row
    assert "3 of 8" in row
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
    assert len(items) == 4
    assert items[0].upper().startswith("FINDING, ERROR")
    assert "event 771" in items[0]
    assert "Create namespace HN-CCP" in items[1]
    assert "namespace: HN-CCP" in items[1]
    assert "looked at again: this finding is gone. A proof on the wire is out of reach." in items[2]
    assert items[2].upper().startswith("VERIFIED")
    assert items[3].upper().startswith("MEASURED AFTERWARDS")
    page.picture("host")


def test_what_was_proven_on_the_wire_is_no_finding_of_something_wrong(page: Page) -> None:
    (proven,) = [each for each in fleet(12) if each.name == "fog5.example.org"]
    page.show(_html.page([proven], NOW, False))
    assert page.texts("#kinds tbody code") == ["fog.session.stale"]
    page.click("#list summary")
    page.wait("#list details[open] li")
    _found, _step, verified, measured, backup = page.texts("#list details[open] ol.line > li")
    assert "looked at again, and multicast proven on the wire: this finding is gone." in verified
    assert "16 MiB reached client1, client2." in measured
    assert "client2: SHA-256 5b3c" in measured
    assert "Nothing is to be done" not in measured
    assert "to undo fog_multicast_reset: fog_multicast_reset with restore_from: /var/backups/" in backup


def test_the_picture_in_the_documentation(page: Page) -> None:
    """``docs/report.png`` is a copy of this picture: docs/report.md says how to make it anew."""
    hosts = [each for each in fleet(12) if each.outcome != "would_repair"]  # that is for check mode, which repairs none
    page.show(_html.page(hosts, NOW, False, history("hn0002")))
    names = page.texts("#list summary b")
    page.click(f"#list details:nth-child({names.index('fog5.example.org') + 1}) summary")
    page.wait("#list details[open] li")
    page.run("document.activeElement.blur()")
    page.whole_picture("docs", 1000)
    page.scheme("dark")
    page.whole_picture("docs-dark", 1000)


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


def made_by(page: Page, action: str) -> int:
    """How many elements the page makes while it carries an action out: its work, whatever the machine."""
    script = """
        let made = 0;
        const before = document.createElement;
        document.createElement = function (tag) { made += 1; return before.call(document, tag); };
        eval(arguments[0]);
        document.createElement = before;
        return made;
    """
    made: int = page.driver.execute_script(script, action)
    return made


def test_a_thousand_hosts_cost_no_more_than_a_hundred(page: Page) -> None:
    """What makes a page slow is what it draws: of any fleet that is one screenful, and of a host only when it opens."""
    typed = "const s = document.getElementById('search'); s.value = 'h'; s.dispatchEvent(new Event('input'))"
    button = "document.querySelector('[data-outcome={}]').click();"
    pressed = button.format("repaired") + button.format('""')
    work = []
    for count in (100, 1000):
        hosts = [host(f"hn{number:04}", 1) for number in range(count)]
        page.show(_html.page(hosts, NOW, False))
        drawn = page.run("return document.querySelectorAll('#list *').length")
        work.append((drawn, made_by(page, typed), made_by(page, pressed)))
    assert work[0] == work[1]
    # The head of a host is six elements, and nothing below it is there before it opens.
    assert work[0] == (600, 600, 1200)


def test_paper_has_the_details_of_what_is_not_in_order_and_the_screen_is_as_before(page: Page) -> None:
    hosts = fleet(120)
    page.show(_html.page(hosts, NOW, False))
    page.click("#list details:nth-child(2) summary")
    page.wait("#list details[open] li")
    page.run(
        "window.addEventListener('beforeprint', function () { const all = document.querySelectorAll('#list details');"
        " window.onPaper = [all.length, document.querySelectorAll('#list details[open] li:first-child').length]; })"
    )
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 10_000
    healthy = sum(each.outcome == "healthy" for each in hosts)
    assert page.run("return window.onPaper") == [120, 120 - healthy]
    page.wait("#list details:nth-child(2)[open]")
    assert page.run("return document.querySelectorAll('#list details[open]').length") == 1
    assert page.run(
        "return [document.querySelectorAll('#list details').length, document.querySelector('#more').hidden]"
    ) == [
        100,
        False,
    ]


def test_paper_is_light_whatever_the_screen_is(page: Page) -> None:
    page.show(_html.page(fleet(12), NOW, False, history("hn0002")))
    shown = """
        const style = function (where) { return getComputedStyle(document.querySelector(where)); };
        return [style("body").backgroundColor, style("body").color, style(".soft").color, style(".bar-failed").fill,
          style(".tools").display, style(".screen").display, style(".names > div").maxHeight];
    """
    page.scheme("dark")
    on_screen = page.run(shown)
    assert on_screen == [
        "rgb(13, 17, 23)",
        "rgb(230, 237, 243)",
        "rgb(145, 152, 161)",
        "rgb(255, 123, 114)",
        "flex",
        "block",
        "144px",
    ]
    page.scheme("dark", "print")
    on_paper = ["rgb(255, 255, 255)", "rgb(0, 0, 0)", "rgb(68, 68, 68)", "rgb(207, 34, 46)", "none", "none", "none"]
    assert page.run(shown) == on_paper
    page.scheme("light", "print")
    assert page.run(shown) == on_paper


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
