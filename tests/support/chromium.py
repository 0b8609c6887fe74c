"""Chromium without a window, as tests drive it; they are skipped, with the reason, where it is not installed."""

import json
import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
FLAGS += ["disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars"]
WIDE, NARROW = 1400, 400


@contextmanager
def opened():
    """A browser that logs its console and its requests."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("there is no Chromium: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        resize(started, WIDE)
        yield started
    finally:
        started.quit()


def resize(browser, width, height=1000):
    """Give the window another size."""
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)


def brightness(browser, scheme):
    """Have the page `dark` or `light`."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def complaints(browser):
    """The warnings and errors of the console since they were asked for last."""
    return [line["message"] for line in browser.get_log("browser") if line["level"] in ("WARNING", "SEVERE")]


def requests(browser):
    """The addresses that were requested since they were asked for last; of data the beginning."""
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {url if url.startswith("file:") else url.split(":")[0] for url in sent}
