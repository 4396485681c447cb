"""The page for everybody: screen readers, fingers, languages, signs, pictures."""

import json
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from pipeline.web.page import SOURCE
from tests.samples.open_page import OpenPage

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
STRINGS = {code: json.loads((SOURCE / f"strings/{code}.json").read_text("utf-8")) for code in ("en", "fr", "sw")}


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, one line an element."""
    page.evaluate(AXE)
    found = page.evaluate(f"axe.run({{runOnly: {RULES}}}).then(r => r.violations)")
    return [
        f"{rule['id']}: {rule['help']} ({node['html'][:100]}; {node['failureSummary'][:160]})"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_axe_finds_nothing(device: str, tab: OpenPage, phone: OpenPage, demo_page: Path) -> None:
    opened = {"desktop": tab, "phone": phone}[device]
    page = opened.page
    page.select_option("#language", "en")
    empty = page.context.new_page()
    empty.goto((demo_page / "index.html").as_uri())
    assert empty.is_visible("#start")
    assert violations(empty) == []
    empty.close()
    opened.open_example()
    for summary in page.locator("details:not([open]) summary").all():
        if summary.is_visible():
            summary.click()
    assert violations(page) == []
    page.click("#box")
    assert violations(page) == []


def test_targets_are_large_enough_for_a_finger(phone: OpenPage) -> None:
    phone.open_example()
    assert phone.page.get_attribute("html", "lang") == "fr"
    for button in phone.page.locator("button, .button, .handle, summary, select").all():
        box = button.bounding_box()
        if box and button.is_visible():
            assert box["height"] >= 32, button.inner_html()
    assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("language", STRINGS)
def test_languages(language: str, tab: OpenPage) -> None:
    page = tab.page
    page.select_option("#language", language)
    tab.open_example()
    words = STRINGS[language]
    assert page.get_attribute("html", "lang") == language
    assert words["left_leg"] in page.inner_text("#cards")
    assert words["notice"] in page.inner_text(".notice")
    assert page.is_visible("#draft") == ("draft" in words)
    # files stay English
    assert tab.json()["legs"][0]["quality"] in ("good", "doubtful")


def test_language_and_sign_are_remembered(tab: OpenPage, demo_page: Path) -> None:
    tab.page.select_option("#language", "sw")
    tab.page.check("input[value=valgus]")
    later = tab.page.context.new_page()
    later.goto((demo_page / "index.html").as_uri())
    assert later.get_attribute("html", "lang") == "sw"
    assert later.is_checked("input[value=valgus]")
    later.close()


def test_the_sign_follows_the_convention(tab: OpenPage) -> None:
    tab.open_example()
    varus = tab.json()
    tab.page.check("input[value=valgus]")
    valgus = tab.json()
    assert valgus["legs"][0]["deviation_degrees"] == -varus["legs"][0]["deviation_degrees"]
    assert valgus["legs"][0]["medial_angle_degrees"] == varus["legs"][0]["medial_angle_degrees"]
    assert "valgus positive" in valgus["legs"][0]["measured"]


def test_what_is_not_known_of_the_network_is_stated_under_every_angle(tab: OpenPage) -> None:
    tab.open_example()
    cards = tab.page.inner_text("#cards")
    assert cards.count("The error of this network has not been measured") == 2
    assert "not the mechanical axis" in tab.page.inner_text("#measures")
    assert not tab.page.is_visible("#too-old")


def test_the_picture_has_the_legs_and_the_notice(tab: OpenPage) -> None:
    tab.open_example()
    picture = cv2.imdecode(np.frombuffer(tab.save("png"), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    height, width = picture.shape[:2]
    size = tab.json()["size"]
    scale = width / size[1]
    # the strip below
    assert height > size[0] * scale
    assert min(width, height) >= 640
    assert (picture[-20:] == picture[-1, 0]).all(axis=2).mean() > 0.3
    # the left leg is amber
    amber = (np.abs(picture.astype(int) - [255, 190, 30]) < 12).all(axis=2)
    assert amber.sum() > 500
