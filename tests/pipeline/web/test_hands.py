"""Joints and boxes by mouse, finger and keyboard."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page

from pipeline.demo.standing import make_standing
from tests.samples.open_page import OpenPage

KNEE = '.handle[aria-label^="left knee"]'


@pytest.fixture
def measured(tab: OpenPage) -> OpenPage:
    """Return the page with the example measured."""
    tab.open_example()
    return tab


def centre(page: Page, selector: str) -> tuple[float, float]:
    """Return the middle of an element in CSS pixels."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def overlay_box(page: Page) -> dict[str, float]:
    """Return the photo's place on the screen."""
    box = page.locator("#overlay").bounding_box()
    assert box
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def centred_overlay_box(page: Page) -> dict[str, float]:
    """Return the same after the photo is scrolled to the middle: the notice at the top lies over what is under it."""
    page.locator("#overlay").evaluate("overlay => overlay.scrollIntoView({block: 'center'})")
    return overlay_box(page)


def drag(page: Page, points: Sequence[tuple[float, float]]) -> None:
    """Press at the first point, move over the others, release."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def test_a_joint_is_dragged_and_put_back(measured: OpenPage) -> None:
    page, before = measured.page, measured.json()
    x, y = centre(page, KNEE)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y, steps=5)
    assert page.is_visible("#loupe")
    page.mouse.move(x + 10, y, steps=5)
    page.mouse.up()
    assert not page.is_visible("#loupe")
    after = measured.json()
    moved, still = after["keypoints"]["left_knee"], before["keypoints"]["left_knee"]
    assert moved["by_hand"]
    assert moved["xy"][0] - still["xy"][0] == pytest.approx(10 * measured.unit(), abs=0.5)
    # outwards is more varus
    assert after["legs"][0]["deviation_degrees"] > before["legs"][0]["deviation_degrees"] + 3
    assert after["legs"][0]["sd_degrees"] is None
    assert after["legs"][0]["joints_by_hand"] == 1
    assert after["legs"][1] == before["legs"][1]
    page.click("#undo")
    assert measured.json()["legs"] == before["legs"]
    assert page.is_disabled("#undo")


def test_a_press_without_a_move_changes_nothing(measured: OpenPage) -> None:
    before = measured.json()
    measured.page.mouse.click(*centre(measured.page, KNEE))
    assert measured.json() == before


def test_all_by_keyboard(measured: OpenPage) -> None:
    page = measured.page
    page.focus("#example")
    measured.start_again()
    page.keyboard.press("Enter")
    measured.settle()
    before = measured.joint("left_knee")
    page.focus(KNEE)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("left knee")
    after, unit = measured.joint("left_knee"), measured.unit()
    assert [after[0] - before[0], after[1] - before[1]] == pytest.approx([3 * unit, 10 * unit])
    page.focus("#reset")
    page.keyboard.press("Enter")
    assert measured.joint("left_knee") == before


def test_a_refused_leg_is_measured_by_hand(tab: OpenPage, wall: Path) -> None:
    assert tab.open(wall) == "nobody"
    page = tab.page
    goals = {"left hip": (230, 150), "left knee": (232, 320), "left ankle": (228, 500), "right hip": (170, 150)}
    for joint, goal in goals.items():
        place_by_keys(page, tab, joint, goal)
    legs = tab.json()["legs"]
    assert [leg["joints_by_hand"] for leg in legs] == [3, 1]
    assert legs[0]["deviation_degrees"] is not None, legs[0]
    assert abs(legs[0]["deviation_degrees"]) < 10
    assert legs[1]["quality"] == "refused"


def place_by_keys(page: Page, tab: OpenPage, joint: str, goal: tuple[float, float]) -> None:
    """Move a joint to about a point of the photo by arrow keys."""
    at, step = tab.joint(joint.replace(" ", "_")), 10 * tab.unit()
    page.focus(f'.handle[aria-label^="{joint}"]')
    # accept it where it is
    page.keyboard.press("Enter")
    for axis, (less, more) in enumerate((("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))):
        steps = round((goal[axis] - at[axis]) / step)
        for _ in range(abs(steps)):
            page.keyboard.press(f"Shift+{more if steps > 0 else less}")


def test_a_finger_moves_a_joint_and_elsewhere_scrolls(phone: OpenPage) -> None:
    page = phone.page
    page.select_option("#language", "en")
    phone.start_again()
    page.tap("#example")
    phone.settle()
    before = phone.joint("left_knee")
    x, y = centre(page, KNEE)
    touch(page, (x, y), (x + 24, y + 8))
    after, unit = phone.joint("left_knee"), phone.unit()
    assert [after[0] - before[0], after[1] - before[1]] == pytest.approx([24 * unit, 8 * unit], abs=unit)
    page.evaluate("scrollTo(0, 0)")
    box = overlay_box(page)
    touch(page, (box["x"] + 20, box["y"] + 300), (box["x"] + 20, box["y"] + 100))
    phone.wait_until(lambda: page.evaluate("scrollY") > 50)
    # it never scrolls away
    notice = page.locator(".notice").bounding_box()
    assert notice
    assert notice["y"] >= 0
    assert phone.joint("left_knee") == after


def touch(page: Page, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Move a finger from one point to another."""
    session = page.context.new_cdp_session(page)
    for step in range(9):
        x, y = (a + (b - a) * step / 8 for a, b in zip(start, stop, strict=True))
        event = {"type": "touchMove" if step else "touchStart", "touchPoints": [{"x": x, "y": y}]}
        session.send("Input.dispatchTouchEvent", event)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_box_by_mouse_and_by_keyboard(measured: OpenPage) -> None:
    page, (height, width) = measured.page, measured.json()["size"]
    page.click("#box")
    box = centred_overlay_box(page)
    measured.start_again()
    upper_left = box["x"] + 0.3 * box["width"], box["y"] + 0.1 * box["height"]
    drag(page, [upper_left, (box["x"] + 0.8 * box["width"], box["y"] + 0.95 * box["height"])])
    measured.settle()
    drawn = measured.json()["box"]
    assert drawn["width"] == pytest.approx(0.5 * width, abs=3)
    assert drawn["height"] == pytest.approx(0.85 * height, abs=3)
    page.focus('.handle[aria-label^="Upper left"]')
    measured.start_again()
    page.keyboard.press("ArrowLeft")
    measured.settle()
    assert measured.json()["box"]["x"] < drawn["x"]
    assert page.inner_text("#box") == "Done"


def test_a_wide_photo_is_looked_at_twice_and_a_loose_box_is_offered_a_closer_one(
    measured: OpenPage, tmp_path: Path
) -> None:
    # a landscape photo: the person takes a third of its crop
    image = make_standing(4, size=(480, 640)).image
    cv2.imwrite(str(tmp_path / "wide.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert measured.open(tmp_path / "wide.png") == "measured"
    fitted = measured.json()["box"]
    assert fitted["width"] < 400
    page = measured.page
    assert not page.is_visible("#tip")
    page.click("#box")
    box = centred_overlay_box(page)
    measured.start_again()
    drag(page, [(box["x"] + 1, box["y"] + 1), (box["x"] + box["width"] - 1, box["y"] + box["height"] - 1)])
    measured.settle()
    page.click("#box")
    assert measured.json()["box"]["width"] > 600
    assert "%" in page.inner_text("#tip")
    measured.start_again()
    page.click("#fit")
    measured.settle()
    assert measured.json()["box"]["width"] < 400
    assert not page.is_visible("#tip")


def test_where_nobody_is_found_a_box_is_requested(tab: OpenPage, wall: Path) -> None:
    tab.open(wall)
    tab.page.click("#fit")
    assert tab.page.get_attribute("#stage", "data-mode") == "box"
    assert not tab.page.is_visible("#tip")
    tab.page.click("#box")
