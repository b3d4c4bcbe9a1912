"""Headless Chromium for the tests of the web page, and for scripts/screenshots: Selenium with the few steps that they
need. Elements are found by their data-testid. Knows the page's habits, nothing of the network around it."""

from __future__ import annotations

import base64
import os
import sys
from typing import Any, Callable

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-selenium, whichever python3 runs this

from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

from demonet.supervisor import await_true  # noqa: E402

CHROMIUM, CHROMEDRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
DESKTOP, PHONE = (1440, 900), (390, 844)
PATIENCE = 15.0

# What the drawn chart holds, as Chart.js has it: label -> values.
CHART_DATA = """
const chart = Chart.getChart(arguments[0].querySelector("canvas"));
return chart ? Object.fromEntries(chart.data.datasets.map((one) => [one.label, [...one.data]])) : null;
"""

# Where the last box, or row of a table, ends that is whole above so many pixels.
LAST_EDGE = """
const ends = [...document.querySelectorAll(".chart:not(.small), .card, .panel, .table tr")]
    .map((box) => Math.ceil(box.getBoundingClientRect().bottom + scrollY) + 12);
return Math.max(...ends.filter((end) => end <= arguments[0]));
"""


class Browser:
    """One window with its own cookies and storage. `trust`: the public key of one more server that it believes, as
    base64 of the SHA-256 of its SubjectPublicKeyInfo."""

    def __init__(self, url: str, size: tuple[int, int] = DESKTOP, dark: bool = False, trust: str = "") -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", "--force-prefers-reduced-motion", "--no-proxy-server",
                         f"--window-size={size[0]},{size[1]}"):
            options.add_argument(argument)
        if trust:
            options.add_argument(f"--ignore-certificate-errors-spki-list={trust}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.url = url
        self.size = size
        self.driver = webdriver.Chrome(service=Service(CHROMEDRIVER, log_path=os.devnull), options=options)
        self.driver.set_page_load_timeout(60)
        self._metrics(size[1])
        self.cdp("Emulation.setEmulatedMedia",
                 {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def cdp(self, command: str, parameters: dict) -> dict:
        """A command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def _metrics(self, height: int) -> None:
        """The window's size without the window's frame."""
        self.cdp("Emulation.setDeviceMetricsOverride", {"width": self.size[0], "height": height, "deviceScaleFactor": 1,
                                                        "mobile": self.size[0] < 600})

    def resize(self, size: tuple[int, int]) -> None:
        """Another size of the window."""
        self.size = size
        self._metrics(size[1])

    def prepare(self, script: str) -> None:
        """JavaScript that runs ahead of the page's own, from the next load on."""
        self.cdp("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    # --- going ---

    def load(self, view: str = "overview") -> None:
        """Loads the page afresh at a view."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/#/{view}")

    def go(self, view: str) -> None:
        """Another view of the page that is open, as a click on a link goes there."""
        self.run("location.hash = arguments[0]", f"#/{view}")

    def log_in(self, token: str) -> None:
        """Logs in with a token, through the page's login or, where it is open on loopback, past that."""
        self.wait(lambda: self.has("token") or self.has("login-as"), "the page asks for a token, or offers to")
        if not self.has("token"):
            self.click("login-as")
        self.type("token", token)
        self.click("login")

    # --- looking ---

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs JavaScript in the page; the debugger's way, so the page's policy stays as it is."""
        return self.driver.execute_script(script, *arguments)

    def all(self, testid: str) -> list[WebElement]:
        """The elements with this data-testid."""
        return self.driver.find_elements(By.CSS_SELECTOR, f"[data-testid='{testid}']")

    def has(self, testid: str) -> bool:
        """Whether one can be seen."""
        try:
            return any(element.is_displayed() for element in self.all(testid))
        except StaleElementReferenceException:
            return False

    def find(self, testid: str) -> WebElement:
        """The first of them, once it can be seen."""
        self.wait(lambda: self.has(testid), f"{testid} can be seen")
        return next(element for element in self.all(testid) if element.is_displayed())

    def text(self, testid: str) -> str:
        """What it says; "" if it is not there (any more)."""
        try:
            return self.all(testid)[0].text if self.all(testid) else ""
        except (StaleElementReferenceException, NoSuchElementException):
            return ""

    def body(self) -> str:
        """All text that the page shows."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def data(self, testid: str, name: str) -> str:
        """A data-* attribute of it."""
        return self.find(testid).get_attribute(f"data-{name}") or ""

    def chart(self, testid: str) -> dict[str, list[float | None]]:
        """What a chart has drawn: its lines by their labels; the chart is scrolled into view first."""
        element = self.find(testid)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        self.wait(lambda: self.run(CHART_DATA, self.find(testid)), f"{testid} is drawn")
        return self.run(CHART_DATA, self.find(testid))

    def width(self) -> tuple[int, int]:
        """How wide the content is, and how wide the window."""
        return tuple(self.run("return [document.documentElement.scrollWidth, innerWidth]"))

    def settled(self) -> bool:
        """Whether the view has its heading and all that it asked the server for."""
        return self.run("""const main = document.querySelector("main");
            return Boolean(main.querySelector("h1")?.textContent) && !main.hasAttribute("aria-busy");""")

    def complaints(self) -> list[str]:
        """What the browser has complained about since the last call: errors of scripts, breaches of the policy. Answers
        that the page expects (401 before the login) are left out."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and "Failed to load resource" not in entry["message"] and
                "WebSocket connection to" not in entry["message"]]

    @staticmethod
    def wait(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
        """Waits until the condition holds; an element that has just gone is no failure."""
        def holds() -> bool:
            try:
                return bool(condition())
            except (StaleElementReferenceException, NoSuchElementException):
                return False
        await_true(holds, seconds, what)

    # --- doing ---

    def click(self, testid: str) -> None:
        """Clicks it as a mouse does."""
        element = self.find(testid)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        self.wait(element.is_enabled, f"{testid} can be clicked")
        element.click()

    def type(self, testid: str, words: str, clear: bool = True) -> None:
        """Types into a field."""
        element = self.find(testid)
        if clear:
            element.clear()
        element.send_keys(words)

    def choose(self, testid: str, value: str) -> None:
        """Chooses an option of a select."""
        self.find(testid).find_element(By.CSS_SELECTOR, f"option[value='{value}']").click()

    def drag_slider(self, testid: str, percent: float) -> None:
        """Drags a slider from 0..100 to about a value with the mouse."""
        slider = self.find(testid)
        self.run("arguments[0].scrollIntoView({block: 'center'})", slider)
        thumb = 16  # pixels of the handle, which stays inside of the track
        track = slider.size["width"] - thumb
        here = float(slider.get_attribute("value"))
        offset = -track / 2 + track * here / 100
        ActionChains(self.driver).move_to_element_with_offset(slider, round(offset), 0).click_and_hold() \
            .move_by_offset(round(track * (percent - here) / 100), 0).release().perform()

    def screenshot(self, path: str, highest: int = 2400) -> None:
        """The whole view as a PNG, down to `highest` pixels; a longer one ends below a box that still is whole."""
        height = max(self.size[1], self.run("return document.documentElement.scrollHeight"))
        if height > highest:
            height = max(self.size[1], self.run(LAST_EDGE, highest))
        self._metrics(height)
        self.wait(self._drawn, "all charts are drawn")
        image = self.cdp("Page.captureScreenshot", {"format": "png"})["data"]
        self._metrics(self.size[1])
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))

    def _drawn(self) -> bool:
        return self.run("""return [...document.querySelectorAll("canvas")].every((canvas) =>
            canvas.getBoundingClientRect().top > innerHeight || Chart.getChart(canvas))""")
